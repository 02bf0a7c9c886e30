"""The nets of UASLP 2024, "Emotion Recognition Based on Facial Expressions": 48x48 colour input, eight of AffectNet.

Its third system, ResNet-50 and a support vector machine, takes its features from `resnet.resnet50_features`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from fer_train.zoo.resnet import logits


def uaslp_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int] = (32, 64, 128, 256),
    dense: Sequence[int] = (256, 512),
    dropout: float = 0.25,
) -> keras.Model:
    """Four blocks of an unpadded convolution, batch normalisation, pooling and dropout; two dense layers.

    Input (N, H, W, C) float32, 46x46 or larger, output logits (N, classes) float32.
    """
    inputs = x = keras.Input(input_shape, name="face")
    for i, filters in enumerate(widths, start=1):
        x = layers.Conv2D(filters, 3, activation="relu", kernel_initializer="he_normal", name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(name=f"block{i}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{i}_pool")(x)
        x = layers.Dropout(dropout, name=f"block{i}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate(dense, start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"dense{i}")(x)
        x = layers.BatchNormalization(name=f"dense{i}_bn")(x)
        x = layers.Dropout(dropout, name=f"dense{i}_dropout")(x)
    return keras.Model(inputs, logits(x, classes), name="uaslp_cnn")


def uaslp_dnn(
    input_shape: tuple[int, int, int],
    classes: int,
    dense: Sequence[int] = (512, 256, 128),
    dropout: float = 0.5,
) -> keras.Model:
    """Three dense layers on the pixels, each with dropout.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = keras.Input(input_shape, name="face")
    x = layers.Flatten(name="flatten")(inputs)
    for i, units in enumerate(dense, start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"dense{i}")(x)
        x = layers.Dropout(dropout, name=f"dense{i}_dropout")(x)
    return keras.Model(inputs, logits(x, classes), name="uaslp_dnn")
