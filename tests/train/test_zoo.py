"""Every net of the reports at its recipe's input: weights and sizes as the report's blocks give them by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pytest

from fer_edge.errors import UsageError
from fer_train import recipe as recipes
from fer_train import zoo

pytestmark = pytest.mark.usefixtures("keras_ready")


NUMBERED = (
    "(conv2d|batch_normalization|re_lu|dense|dropout|flatten|add|concatenate|max_pooling2d|zero_padding2d).*_[0-9]+"
)


@dataclass(frozen=True)
class Built:
    """What is kept of a net, which may hold 300 MB."""

    weights: int
    macs: int
    flattened: int
    layers: tuple[str, ...]
    dtype: str
    output: tuple[int, ...]


@cache
def built(name: str) -> Built:
    """The net of a recipe, with zeros for weights: they are counted here, and 76 million take seconds to draw."""
    import keras  # noqa: PLC0415 - takes seconds

    from fer_train.learning import network  # noqa: PLC0415 - Keras
    from fer_train.zoo import cost  # noqa: PLC0415 - Keras

    def zeros(_: object, shape: tuple[int, ...], dtype: str | None = None, **__: object) -> object:
        return keras.ops.zeros(shape, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
        model = network.fresh_model(recipes.load(name), "mixed_bfloat16")
    costs, last = cost.count(model), model.layers[-1]
    return Built(
        costs.weights,
        costs.macs,
        sum(layer.output.shape[1] for layer in model.layers if type(layer).__name__ == "Flatten"),
        tuple(layer.name for layer in model.layers),
        last.compute_dtype,
        tuple(last.output.shape[1:]),
    )


def conv(kernel: int, before: int, filters: int) -> int:
    """Weights of a convolution with a bias."""
    return kernel * kernel * before * filters + filters


def conv_bn(kernel: int, before: int, filters: int) -> int:
    """Of one without a bias, and of a batch normalisation: scale, shift, mean and variance."""
    return kernel * kernel * before * filters + 4 * filters


def dense(before: int, units: int) -> int:
    return before * units + units


def bottlenecks(before: int, width: int, count: int) -> int:
    """One stage of Keras' ResNet-50, whose convolutions have biases: the first block has a projection."""
    after = 4 * width
    inner = [*(conv(1, n, width) for n in (before, *[after] * (count - 1)))]
    each = conv(3, width, width) + conv(1, width, after) + 4 * (width + width + after)
    return sum(inner) + count * each + conv(1, before, after) + 4 * after


def basics(before: int, width: int, count: int) -> int:
    """One stage of a ResNet of basic blocks, with a projection where the width changes."""
    first = conv_bn(3, before, width) + conv_bn(3, width, width) * (2 * count - 1)
    return first + (conv_bn(1, before, width) if before != width else 0)


RESNET50 = (
    conv(7, 3, 64) + 4 * 64
    + bottlenecks(64, 64, 3) + bottlenecks(256, 128, 4) + bottlenecks(512, 256, 6) + bottlenecks(1024, 512, 3)
)  # fmt: skip
INCEPTION = {
    before: 3 * conv_bn(1, before, 32) + sum(conv_bn(kernel, 32, 16) for kernel in (3, 5, 7)) for before in (64, 48)
}
UNET_TRUNK = (
    conv(3, 3, 64) + conv(3, 64, 64) + conv(3, 64, 128) + conv(3, 128, 128) + conv(3, 128, 256) + conv(3, 256, 256)
    + conv(3, 256, 512) + conv(3, 512, 512)
    + conv(2, 512, 256) + conv(3, 512, 256) + conv(3, 256, 256)
    + conv(2, 256, 128) + conv(3, 256, 128) + conv(3, 128, 128)
    + conv(2, 128, 64) + conv(3, 128, 64) + conv(3, 64, 64)
    + conv(1, 64, 16)
)  # fmt: skip
WEIGHTS = {
    "uaslp-cnn": sum(conv(3, a, b) + 4 * b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256)))
    + dense(256, 256) + 4 * 256 + dense(256, 512) + 4 * 512 + dense(512, 8),
    "uaslp-dnn": dense(48 * 48 * 3, 512) + dense(512, 256) + dense(256, 128) + dense(128, 8),
    "uaslp-resnet50-svm": RESNET50,
    "porto-cnn8": conv(3, 1, 32) + conv(3, 32, 32) + conv(3, 32, 64) + conv(3, 64, 64) + conv(3, 64, 128)
    + conv(3, 128, 128) + conv(3, 128, 256) + conv(3, 256, 256) + 4 * (32 + 64 + 128 + 256)
    + dense(3 * 3 * 256, 256) + 4 * 256 + dense(256, 7),
    "porto-resnet50": RESNET50 + dense(2048, 7),
    "porto-resnet50-imagenet": RESNET50 + dense(2048, 7),
    "buffalo-cnn": conv_bn(3, 3, 16) + conv_bn(3, 16, 32) + dense(12 * 12 * 32, 256) + 4 * 256 + dense(256, 7),
    "buffalo-resnet": conv_bn(7, 3, 64) + basics(64, 64, 2) + basics(64, 128, 2) + basics(128, 256, 2)
    + dense(2 * 2 * 256, 7),
    "buffalo-googlenet": conv_bn(3, 3, 64) + INCEPTION[64] + INCEPTION[48] + dense(48, 7),
    "buffalo-unet": UNET_TRUNK + dense(7744, 7),
    "buffalo-newnet": UNET_TRUNK + conv_bn(3, 16, 64) + INCEPTION[64] + INCEPTION[48] + conv_bn(3, 48, 16)
    + dense(1936, 7),
    "buffalo-roglenet": conv(3, 3, 32) + conv(3, 32, 64) + conv(1, 3, 16) + conv(3, 16, 32) + conv(3, 32, 64)
    + conv(1, 3, 32) + conv(5, 32, 64) + conv(5, 64, 128)
    + conv(3, 256, 128) + conv(3, 128, 128) * 2 + conv(3, 128, 256) + dense(147_456, 512) + dense(512, 7),
    "tmu-resnet50": RESNET50 + dense(2048, 128) + dense(128, 7),
    "cmu-cnn5": conv(3, 3, 12) + conv(3, 12, 12) + conv(3, 12, 24) + conv(3, 24, 24) * 2 + dense(4704, 8),
    "cmu-resnet18": conv_bn(7, 3, 64) + basics(64, 64, 2) + basics(64, 128, 2) + basics(128, 256, 2)
    + basics(256, 512, 2) + dense(512, 8),
}  # fmt: skip
FLATTENED = {
    "uaslp-cnn": 256,
    "uaslp-dnn": 6912,
    "uaslp-resnet50-svm": 4 * 4 * 2048,
    "buffalo-cnn": 12 * 12 * 32,
    "buffalo-resnet": 2 * 2 * 256,
    "buffalo-unet": 7744,
    "buffalo-newnet": 1936,
    "buffalo-roglenet": 147_456,
    "cmu-cnn5": 14 * 14 * 24,
}
"""What the reports say, or what follows from the sizes they say."""


@pytest.mark.parametrize(("name", "weights"), WEIGHTS.items())
def test_the_weights_are_those_of_the_reports_blocks(name: str, weights: int) -> None:
    assert built(name).weights == weights


@pytest.mark.parametrize(("name", "features"), FLATTENED.items())
def test_what_is_flattened_is_what_the_report_says(name: str, features: int) -> None:
    assert built(name).flattened == features


@pytest.mark.parametrize("name", [name for name in WEIGHTS if name != "uaslp-resnet50-svm"])
def test_a_net_ends_in_float32_logits_whatever_it_computes_in(name: str) -> None:
    labels = len(recipes.load(name).labels)
    assert (built(name).layers[-1], built(name).dtype, built(name).output) == ("logits", "float32", (labels,))


def test_published_figures_of_the_nets_hold() -> None:
    """torchvision counts 11,689,512 for ResNet-18: a head for 1000 classes, without means and variances."""
    assert RESNET50 == 23_587_712
    assert WEIGHTS["cmu-resnet18"] - dense(512, 8) + dense(512, 1000) - 2 * 4800 == 11_689_512
    assert WEIGHTS["buffalo-roglenet"] == 76_685_863


def test_published_multiply_accumulates_hold() -> None:
    """At 224x224 ResNet-18 takes 1.81 billion with its head for 1000 classes, ResNet-50 3.86 billion."""
    assert built("cmu-resnet18").macs == 1_814_073_344 - 512 * (1000 - 8)
    assert built("tmu-resnet50").macs == 3_857_973_248 - 2048 * 1000 + 2048 * 128 + 128 * 7


def test_every_recipe_of_a_report_is_counted_here() -> None:
    assert set(WEIGHTS) == {name for name in recipes.names() if recipes.load(name).reported}


@pytest.mark.parametrize("name", WEIGHTS)
def test_no_layer_is_named_by_its_number_in_the_process(name: str) -> None:
    """Keras names the second convolution of a process conv2d_1, whichever net it is in."""
    assert [layer for layer in built(name).layers if re.fullmatch(NUMBERED, layer)] == []


def test_an_unknown_architecture_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no architecture 'resnet_18'; did you mean resnet18\?"):
        zoo.build("resnet_18", (48, 48, 3), 7, {})


def test_an_argument_that_an_architecture_does_not_take_is_named() -> None:
    with pytest.raises(UsageError, match=r"architecture uaslp_cnn for input .*unexpected keyword argument 'depth'"):
        zoo.build("uaslp_cnn", (48, 48, 3), 8, {"depth": 3})


def test_an_unknown_variant_is_answered_with_both() -> None:
    with pytest.raises(UsageError, match='variant is "keras" or "torch", found \'caffe\''):
        zoo.build("porto_resnet50", (48, 48, 3), 7, {"variant": "caffe"})


@pytest.mark.parametrize(
    ("name", "side", "reason"),
    [
        ("uaslp_cnn", 40, "Computed output size would be zero or negative"),
        ("buffalo_resnet", 16, "Computed output size would be zero or negative"),
        ("buffalo_unet", 20, "requires inputs with matching shapes"),
    ],
)
def test_an_input_that_does_not_fit_is_a_usage_error(name: str, side: int, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"architecture {name} for input \({side}, {side}, 3\): .*{reason}"):
        zoo.build(name, (side, side, 3), 7, {})


def test_fernet_has_as_many_blocks_of_a_width_as_it_is_told() -> None:
    from fer_train.zoo.fernet import fernet  # noqa: PLC0415 - Keras

    one, more = (fernet((16, 16, 1), 7, (8,), (8, 16), blocks) for blocks in ((), (2, 3)))
    plain = {8: 2 * (9 * 8 * 8 + 4 * 8), 16: 2 * (9 * 16 * 16 + 4 * 16)}
    assert more.count_params() - one.count_params() == plain[8] + 2 * plain[16]
    with pytest.raises(ValueError, match="3 numbers of blocks for 2 widths"):
        fernet((16, 16, 1), 7, (8,), (8, 16), (1, 1, 1))
