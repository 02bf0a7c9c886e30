"""The nets of Buffalo 2023, "Emotion Recognition from Facial Expressions": 48x48 colour input, FER2013."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def buffalo_cnn(
    input_shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (16, 32), dropout: float = 0.1
) -> keras.Model:
    """Basic CNN: two convolutions, each halved by max-pooling, and a dense layer of 256.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = x = keras.Input(input_shape, name="face")
    for filters in widths:
        x = _conv_bn_relu(x, filters, 3)
        x = layers.Dropout(dropout)(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(256)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, _logits(x, classes), name="buffalo_cnn")


def buffalo_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int] = (64, 128, 256),
    strides: Sequence[int] = (1, 1, 2),
    blocks: int = 2,
) -> keras.Model:
    """Simple ResNet: a 7x7 stem, `blocks` basic residual blocks per width, a 5x5 mean and one dense layer.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = x = keras.Input(input_shape, name="face")
    x = _conv_bn_relu(x, widths[0], 7, stride=2)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for filters, stride in zip(widths, strides, strict=True):
        for block in range(blocks):
            x = _basic_block(x, filters, stride if block == 0 else 1)
    x = layers.AveragePooling2D(5, strides=1)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, _logits(x, classes), name="buffalo_resnet")


def _basic_block(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    """Two 3x3 convolutions around a skip, which is a 1x1 convolution where the shape changes (He et al. 2016)."""
    y = _conv_bn_relu(x, filters, 3, stride=stride)
    y = _conv_bn(y, filters, 3)
    if stride != 1 or x.shape[-1] != filters:
        x = _conv_bn(x, filters, 1, stride=stride)
    return layers.ReLU()(layers.Add()([x, y]))


def _conv_bn_relu(x: keras.KerasTensor, filters: int, kernel: int, stride: int = 1) -> keras.KerasTensor:
    return layers.ReLU()(_conv_bn(x, filters, kernel, stride))


def _conv_bn(x: keras.KerasTensor, filters: int, kernel: int, stride: int = 1) -> keras.KerasTensor:
    """The bias of a convolution before a batch normalisation has no effect, so there is none."""
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal")(
        x
    )
    return layers.BatchNormalization()(x)


def _logits(x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    return layers.Dense(classes, dtype="float32", name="logits")(x)
