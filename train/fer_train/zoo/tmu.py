"""The net of Toronto Metropolitan 2024, "Emotion Detection from Facial Expressions": 224x224 colour input, RAF-DB."""

from __future__ import annotations

import keras
from keras import layers, regularizers

from fer_train.zoo.resnet import POOL, Variant, logits, resnet50_trunk


def tmu_resnet50(
    input_shape: tuple[int, int, int],
    classes: int,
    dense: int = 128,
    l2: float = 0.01,
    dropout: float = 0.5,
    variant: Variant = "keras",
) -> keras.Model:
    """ResNet-50, its mean over the picture, one dense layer held small by L2, dropout.

    Input (N, H, W, 3) float32, output logits (N, classes) float32. variant: see `resnet`.
    """
    inputs = keras.Input(input_shape, name="face")
    x = layers.GlobalAveragePooling2D(name=POOL)(resnet50_trunk(inputs, variant))
    x = layers.Dense(dense, activation="relu", kernel_regularizer=regularizers.L2(l2), name="dense")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, logits(x, classes), name="tmu_resnet50")
