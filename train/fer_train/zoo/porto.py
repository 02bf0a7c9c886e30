"""The nets of Porto 2021, "Facial Expression Recognition with Machine Learning": FER2013, 48x48."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from fer_train.zoo.resnet import POOL, Variant, logits, resnet50_trunk


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
    for i, (filters, rate) in enumerate(zip(widths, dropout, strict=True), start=1):
        for j in (1, 2):
            x = layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"pair{i}_conv{j}"
            )(x)
        x = layers.BatchNormalization(name=f"pair{i}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"pair{i}_pool")(x)
        x = layers.Dropout(rate, name=f"pair{i}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense, activation="relu", kernel_initializer="he_normal", name="dense")(x)
    x = layers.BatchNormalization(name="dense_bn")(x)
    x = layers.Dropout(dense_dropout, name="dense_dropout")(x)
    return keras.Model(inputs, logits(x, classes), name="porto_cnn8")


def porto_resnet50(input_shape: tuple[int, int, int], classes: int, variant: Variant = "keras") -> keras.Model:
    """ResNet-50 and its mean over the picture, 2x2 positions at 48x48.

    Input (N, H, W, 3) float32, output logits (N, classes) float32. variant: see `resnet`.
    """
    inputs = keras.Input(input_shape, name="face")
    x = layers.GlobalAveragePooling2D(name=POOL)(resnet50_trunk(inputs, variant))
    return keras.Model(inputs, logits(x, classes), name="porto_resnet50")
