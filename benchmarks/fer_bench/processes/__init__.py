"""Measuring in a fresh process, which takes nothing with it but its own row."""
