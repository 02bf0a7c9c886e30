"""What results say, in sentences: computed from figures, and left out where the figures do not carry them."""
