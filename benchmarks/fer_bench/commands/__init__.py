"""The verbs of `fer-bench`: flags, and what is called with them."""
