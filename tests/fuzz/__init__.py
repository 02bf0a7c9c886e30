"""Damaged files for everything that reads strangers' files; see `fuzz.run`."""
