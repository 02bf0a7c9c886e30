"""What runs best on this board within bounds, and into the daemon's configuration with it."""
