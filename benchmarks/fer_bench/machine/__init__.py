"""The machine that measures: what it is, and when its figures are not to be believed."""
