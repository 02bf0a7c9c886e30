"""fernet: our own light residual net, dense 3x3 convolutions with batch norm and ReLU.

Chosen for int8 on small CPUs: dense convolutions gain threefold from 8-bit dot products where depthwise ones gain
little, and ReLU stays inside every runtime's fused kernels, which hard-swish does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def fernet(
    input_shape: tuple[int, int, int],
    classes: int,
    stem: Sequence[int] = (16, 48),
    widths: Sequence[int] = (64, 128, 256),
    blocks: Sequence[int] = (),
    dropout: float = 0.3,
) -> keras.Model:
    """Stem convolutions (the last halves the picture), residual blocks, global average, dense.

    blocks: how many there are of each width; one where it is not said. The first of every width but the first halves
    the picture. Input (N, H, W, C) float32, output logits (N, classes) float32. Raises ValueError for blocks that are
    not as many as the widths.
    """
    if blocks and len(blocks) != len(widths):
        raise ValueError(f"{len(blocks)} numbers of blocks for {len(widths)} widths")
    inputs = x = keras.Input(input_shape, name="face")
    for i, filters in enumerate(stem):
        x = layers.ReLU()(_conv(x, filters, 3, 2 if i == len(stem) - 1 else 1))
    for i, filters in enumerate(widths):
        for j in range(blocks[i] if blocks else 1):
            x = _residual(x, filters, 2 if i > 0 and j == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout, seed=0)(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="fernet")


def _conv(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal")(
        x
    )
    return layers.BatchNormalization(momentum=0.9)(x)


def _residual(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    """Two 3x3 convolutions around a skip, which is a 1x1 convolution where the shape changes (He et al. 2016)."""
    y = layers.ReLU()(_conv(x, filters, 3, stride))
    y = _conv(y, filters, 3, 1)
    if stride != 1 or x.shape[-1] != filters:
        x = _conv(x, filters, 1, stride)
    return layers.ReLU()(layers.Add()([x, y]))
