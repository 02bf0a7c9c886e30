"""Foreign models and commands on the same work: an adapter file says what they are, and they run in their own place."""
