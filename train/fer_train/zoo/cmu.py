"""The CNN of Carnegie Mellon 2022, "Recognition and Classification of Human Emotions From Facial Expressions".

224x224 colour input, eight classes of AffectNet. The report's other net is `resnet.resnet18`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from fer_train.zoo.resnet import logits


def cmu_cnn5(
    input_shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (12, 12, 24, 24, 24)
) -> keras.Model:
    """Five 3x3 convolutions, each but the last halved by max-pooling, and no hidden dense layer.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = x = keras.Input(input_shape, name="face")
    for i, filters in enumerate(widths, start=1):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"conv{i}"
        )(x)
        if i < len(widths):
            x = layers.MaxPooling2D(2, name=f"pool{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, logits(x, classes), name="cmu_cnn5")
