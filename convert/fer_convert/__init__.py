"""Conversion: a float model becomes a quantized, gated, self-proving bundle."""
