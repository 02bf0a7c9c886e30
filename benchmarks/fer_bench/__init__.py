"""Measuring: latency and accuracy drop, from the command line, that can be believed."""
