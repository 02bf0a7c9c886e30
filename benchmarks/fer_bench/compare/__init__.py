"""Two results of the same kind against each other: what changed, by how much, and whether that is more than chance."""
