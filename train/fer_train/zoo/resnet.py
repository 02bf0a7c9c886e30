"""Residual nets of He et al. 2016, "Deep Residual Learning for Image Recognition", as they are published with weights.

`keras` nets are Keras Applications' own: a block is halved by its first 1x1 convolution, and pictures come as caffe has
them. `torch` nets are torchvision's, value by value: halved by the 3x3 convolution, padded evenly on all sides, layers
named as there with `_` for `.`, so that published weights mean the same here.

Without published weights a bottleneck block begins as its skip alone: the scale of its last batch normalisation starts
at 0 (Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1). The reports do not say; otherwise ResNet-50
had learnt next to nothing after six hundred steps on FER2013, where so it is at 31 % after nine hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import keras
from keras import layers

Variant = Literal["keras", "torch"]
POOL = "avg_pool"
FEATURES = "features"
EXPANSION = 4
"""The last convolution of a bottleneck block has so many times the channels of the others."""
KERAS_LAST = "_3_bn"
"""How Keras names a block's last batch normalisation."""


def resnet18(
    input_shape: tuple[int, int, int], classes: int, blocks: Sequence[int] = (2, 2, 2, 2), width: int = 64
) -> keras.Model:
    """ResNet-18, or its siblings by number of basic blocks; every stage but the first halves and doubles.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = keras.Input(input_shape, name="face")
    x = _stages(_stem(inputs, width), _basic_block, blocks, width)
    return keras.Model(inputs, logits(layers.GlobalAveragePooling2D(name=POOL)(x), classes), name="resnet18")


def resnet50_features(input_shape: tuple[int, int, int], classes: int = 0, variant: Variant = "keras") -> keras.Model:
    """ResNet-50 without its head: input (N, H, W, 3) float32, output (N, features) float32, flattened row by row.

    There is nothing here that knows of classes; the argument is that of every architecture.
    """
    del classes
    inputs = keras.Input(input_shape, name="face")
    x = resnet50_trunk(inputs, variant)
    return keras.Model(inputs, layers.Flatten(dtype="float32", name=FEATURES)(x), name="resnet50_features")


def resnet50_trunk(inputs: keras.KerasTensor, variant: Variant = "keras") -> keras.KerasTensor:
    """The 49 convolutions of ResNet-50: (N, H, W, C) to (N, H/32, W/32, 2048), rounded up."""
    if variant == "keras":
        trunk = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=inputs)
        for layer in trunk.layers:
            if layer.name.endswith(KERAS_LAST):
                layer.gamma.assign(keras.ops.zeros_like(layer.gamma))
        return trunk.output
    if variant == "torch":
        return _stages(_stem(inputs, 64), _bottleneck, (3, 4, 6, 3), 64)
    raise ValueError(f'variant is "keras" or "torch", found {variant!r}')


def logits(x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """The head that every net ends in."""
    return layers.Dense(classes, dtype="float32", name="logits")(x)


def trunk_end(model: keras.Model) -> keras.KerasTensor | None:
    """Where the published part of a net ends and the recipe's own begins; None for a net without such a part."""
    ends = [layer.input for layer in model.layers if layer.name in {POOL, FEATURES}]
    return ends[0] if ends else None


def is_torch(model: keras.Model) -> bool:
    """Whether a net with a trunk has torchvision's layers."""
    return any(layer.name == "layer1_0_conv1" for layer in model.layers)


def _stem(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """7x7 convolution and 3x3 max-pooling, each with stride 2. Behind a ReLU, zeros never win the maximum."""
    x = layers.ReLU(name="relu")(_conv_bn(x, width, (7, 2), ("conv1", "bn1")))
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="maxpool")(x)


def _stages(
    x: keras.KerasTensor,
    block: Callable[[keras.KerasTensor, int, int, str], keras.KerasTensor],
    blocks: Sequence[int],
    width: int,
) -> keras.KerasTensor:
    for stage, count in enumerate(blocks):
        for i in range(count):
            stride = 2 if stage and i == 0 else 1
            x = block(x, width * 2**stage, stride, f"layer{stage + 1}_{i}")
    return x


def _basic_block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions around a skip."""
    y = layers.ReLU(name=f"{name}_relu1")(_conv_bn(x, filters, (3, stride), (f"{name}_conv1", f"{name}_bn1")))
    y = _conv_bn(y, filters, (3, 1), (f"{name}_conv2", f"{name}_bn2"))
    return _join(x, y, stride, name)


def _bottleneck(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    """1x1, 3x3 and 1x1 convolutions around a skip."""
    y = layers.ReLU(name=f"{name}_relu1")(_conv_bn(x, filters, (1, 1), (f"{name}_conv1", f"{name}_bn1")))
    y = layers.ReLU(name=f"{name}_relu2")(_conv_bn(y, filters, (3, stride), (f"{name}_conv2", f"{name}_bn2")))
    y = _conv_bn(y, EXPANSION * filters, (1, 1), (f"{name}_conv3", f"{name}_bn3"), first_scale="zeros")
    return _join(x, y, stride, name)


def _join(x: keras.KerasTensor, y: keras.KerasTensor, stride: int, name: str) -> keras.KerasTensor:
    """The sum of skip and block; the skip is a 1x1 convolution where the shape changes."""
    if stride != 1 or x.shape[-1] != y.shape[-1]:
        x = _conv_bn(x, y.shape[-1], (1, stride), (f"{name}_downsample_0", f"{name}_downsample_1"))
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _conv_bn(
    x: keras.KerasTensor,
    filters: int,
    kernel_and_stride: tuple[int, int],
    names: tuple[str, str],
    first_scale: str = "ones",
) -> keras.KerasTensor:
    """Padded by half the kernel on every side, which Keras' "same" is not where the stride is 2."""
    kernel, stride = kernel_and_stride
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{names[0]}_pad")(x)
    x = layers.Conv2D(filters, kernel, strides=stride, use_bias=False, kernel_initializer="he_normal", name=names[0])(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=first_scale, name=names[1])(x)
