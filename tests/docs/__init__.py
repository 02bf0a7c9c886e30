"""The documentation as a site, and every command in it."""
