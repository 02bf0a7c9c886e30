"""Training: data sets, recipes, architectures, and honest evaluation, with Keras 3."""
