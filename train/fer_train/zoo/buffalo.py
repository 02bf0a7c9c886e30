"""The nets of Buffalo 2023, "Emotion Recognition from Facial Expressions": 48x48 colour input, FER2013."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from fer_train.zoo.resnet import logits


def buffalo_cnn(
    input_shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (16, 32), dropout: float = 0.1
) -> keras.Model:
    """Basic CNN: two convolutions, each halved by max-pooling, and a dense layer of 256.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = x = keras.Input(input_shape, name="face")
    for i, filters in enumerate(widths, start=1):
        x = _conv_bn_relu(x, filters, 3, f"block{i}")
        x = layers.Dropout(dropout, name=f"block{i}_dropout")(x)
        x = layers.MaxPooling2D(2, name=f"block{i}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, kernel_initializer=_torch(), name="dense")(x)
    x = layers.BatchNormalization(momentum=0.9, name="dense_bn")(x)
    x = layers.ReLU(name="dense_relu")(x)
    x = layers.Dropout(dropout, name="dense_dropout")(x)
    return keras.Model(inputs, logits(x, classes), name="buffalo_cnn")


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
    x = _conv_bn_relu(x, widths[0], 7, "stem", stride=2)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, stride) in enumerate(zip(widths, strides, strict=True), start=1):
        for block in range(1, blocks + 1):
            x = _basic_block(x, filters, stride if block == 1 else 1, f"stage{stage}_block{block}")
    x = layers.AveragePooling2D(5, strides=1, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, logits(x, classes), name="buffalo_resnet")


def buffalo_googlenet(
    input_shape: tuple[int, int, int],
    classes: int,
    stem: int = 64,
    modules: int = 2,
    dropout: float = 0.1,
) -> keras.Model:
    """GoogleNet variant: one convolution and Inception modules, all at full size, and the mean over the picture.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = keras.Input(input_shape, name="face")
    x = _conv_bn_relu(inputs, stem, 3, "stem")
    x = _inceptions(x, modules, dropout)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, logits(x, classes), name="buffalo_googlenet")


def buffalo_unet(
    input_shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (64, 128, 256, 512)
) -> keras.Model:
    """U-Net classifier: the trunk's 16 channels, a 5x5 mean with stride 2, and one dense layer.

    widths: of the encoder from the top, the bottleneck last. Input (N, H, W, C) float32, H and W multiples of 8, output
    logits (N, classes) float32.
    """
    inputs = keras.Input(input_shape, name="face")
    x = _unet_trunk(inputs, widths)
    x = layers.AveragePooling2D(5, strides=2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, logits(x, classes), name="buffalo_unet")


def buffalo_newnet(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int] = (64, 128, 256, 512),
    dropout: float = 0.1,
) -> keras.Model:
    """NewNet: the U-Net's trunk, a convolution, two Inception modules, a 5x5 mean and a convolution with stride 2.

    Input and output as for `buffalo_unet`.
    """
    inputs = keras.Input(input_shape, name="face")
    x = _unet_trunk(inputs, widths)
    x = _conv_bn_relu(x, 64, 3, "neck")
    x = _inceptions(x, 2, dropout)
    x = layers.AveragePooling2D(5, strides=2, name="pool")(x)
    x = _conv_bn_relu(x, 16, 3, "last", stride=2)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, logits(x, classes), name="buffalo_newnet")


def buffalo_roglenet(
    input_shape: tuple[int, int, int], classes: int, dense: int = 512, dropout: float = 0.1
) -> keras.Model:
    """RogleNet: three paths from the picture side by side, a residual branch, and a dense layer on every position.

    Input (N, H, W, C) float32, output logits (N, classes) float32.
    """
    inputs = keras.Input(input_shape, name="face")
    paths = [
        _conv_relus(inputs, [(3, 32), (3, 64)], "path1"),
        _conv_relus(inputs, [(1, 16), (3, 32), (3, 64)], "path2"),
        _conv_relus(inputs, [(1, 32), (5, 64), (5, 128)], "path3"),
    ]
    x = layers.MaxPooling2D(2, name="pool")(layers.Concatenate(name="paths")(paths))
    branch = _conv_relus(x, [(3, 128), (3, 128), (3, 128), (3, 256)], "residual")
    x = layers.Add(name="residual_add")([x, branch])
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense, activation="relu", kernel_initializer=_torch(), name="dense")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, logits(x, classes), name="buffalo_roglenet")


def _unet_trunk(x: keras.KerasTensor, widths: Sequence[int]) -> keras.KerasTensor:
    """Down to the bottleneck and up again beside what was there on the way down (Ronneberger et al. 2015).

    (N, H, W, C) to (N, H, W, 16).
    """
    *encoder, bottleneck = widths
    skips = []
    for i, filters in enumerate(encoder, start=1):
        x = _conv_relus(x, [(3, filters)] * 2, f"down{i}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{i}_pool")(x)
    x = _conv_relus(x, [(3, bottleneck)] * 2, "bottleneck")
    for i in range(len(encoder), 0, -1):
        x = layers.Conv2DTranspose(encoder[i - 1], 2, strides=2, name=f"up{i}_transposed")(x)
        x = layers.Concatenate(name=f"up{i}_skip")([x, skips[i - 1]])
        x = _conv_relus(x, [(3, encoder[i - 1])] * 2, f"up{i}")
    return layers.Conv2D(16, 1, name="trunk")(x)


def _inceptions(x: keras.KerasTensor, modules: int, dropout: float) -> keras.KerasTensor:
    """Modules of three branches, 1x1 to 32 channels and then 3x3, 5x5 or 7x7 to 16, which lie side by side."""
    for i in range(1, modules + 1):
        branches = []
        for kernel in (3, 5, 7):
            name = f"inception{i}_{kernel}x{kernel}"
            y = _conv_bn_relu(x, 32, 1, f"{name}_reduce")
            branches.append(_conv_bn_relu(y, 16, kernel, name))
        x = layers.Concatenate(name=f"inception{i}")(branches)
        x = layers.Dropout(dropout, name=f"inception{i}_dropout")(x)
    return x


def _conv_relus(x: keras.KerasTensor, kernels_and_widths: Sequence[tuple[int, int]], name: str) -> keras.KerasTensor:
    """Padded convolutions with a bias and a ReLU, one after the other."""
    for i, (kernel, filters) in enumerate(kernels_and_widths, start=1):
        x = layers.Conv2D(
            filters, kernel, padding="same", activation="relu", kernel_initializer=_torch(), name=f"{name}_conv{i}"
        )(x)
    return x


def _torch() -> keras.initializers.Initializer:
    """Initial weights as torch draws them, a sixth of He's variance: the report's learning rates belong to them.

    Before a batch normalisation a smaller kernel learns faster, for only its direction counts; without one, what
    RogleNet flattens would be so large with He's that SGD's first steps at 1e-3 throw the loss beyond 100.
    """
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def _basic_block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions around a skip, which is a 1x1 convolution where the shape changes (He et al. 2016)."""
    y = _conv_bn_relu(x, filters, 3, f"{name}_1", stride=stride)
    y = _conv_bn(y, filters, 3, f"{name}_2")
    if stride != 1 or x.shape[-1] != filters:
        x = _conv_bn(x, filters, 1, f"{name}_skip", stride=stride)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _conv_bn_relu(x: keras.KerasTensor, filters: int, kernel: int, name: str, stride: int = 1) -> keras.KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(_conv_bn(x, filters, kernel, name, stride))


def _conv_bn(x: keras.KerasTensor, filters: int, kernel: int, name: str, stride: int = 1) -> keras.KerasTensor:
    """The bias of a convolution before a batch normalisation has no effect, so there is none."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_torch(),
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
