"""What a trained model is worth, for people: figures, plots, examples, the card, one page, and runs side by side."""
