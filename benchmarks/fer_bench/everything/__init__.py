"""Latency, accuracy and the whole pipeline as one report, and any result told again."""
