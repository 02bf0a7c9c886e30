"""A support vector machine on a trunk's features, as one Keras model."""
