"""What a benchmark found: rows, what was asked, and where it was measured."""
