"""The eight-convolution CNN of Porto 2021, "Facial Expression Recognition with Machine Learning": FER2013, 48x48."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def porto_cnn8(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int] = (64, 128, 256, 512),
    dropout: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    dense: int = 512,
    dense_dropout: float = 0.5,
) -> keras.Model:
    """Four pairs of 3x3 convolutions, each pair closed by batch normalisation, halved and thinned; a dense layer.

    The report's figure of the net is not in its text: widths, rates and the dense layer's size are ours.
    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = x = keras.Input(input_shape, name="face")
    for filters, rate in zip(widths, dropout, strict=True):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(rate)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(dense, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(dense_dropout)(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="porto_cnn8")
