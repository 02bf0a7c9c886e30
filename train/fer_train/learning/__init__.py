"""How weights are found by gradients: what `fer_train.fit` is made of."""
