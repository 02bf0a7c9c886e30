"""What is frozen is what the reports name, keeps its statistics, and something is always left to train."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from fer_edge.errors import UsageError
from fer_train import zoo
from fer_train.recipe import Model
from fer_train.zoo.freezing import depths, freeze

SMALL = {"blocks": [1, 1, 1, 1], "width": 4}


def net(name: str, **arguments: object) -> Any:
    return zoo.build(name, (64, 64, 3), 7, arguments)


def frozen(count: int, name: str = "resnet18") -> Model:
    return Model(architecture=name, frozen=count)


def trained(model: Any) -> list[str]:
    """Names of the layers that have something to train."""
    return [layer.name for layer in model.layers if layer.trainable_weights]


@pytest.fixture(scope="module")
def resnet50() -> Any:
    """One net of report D, with everything to train."""
    return net("tmu_resnet50")


def test_residual_nets_are_as_deep_as_their_names_say(resnet50: Any) -> None:
    """ResNet-50's fiftieth layer is the head, of which this report has two."""
    assert max(depths(net("resnet18", width=4)).values()) == 18
    assert max(depths(resnet50).values()) == 51


def test_layers_side_by_side_are_equally_deep() -> None:
    found = depths(net("buffalo_googlenet"))
    assert {found[f"inception2_{size}_conv"] for size in ("3x3", "5x5", "7x7")} == {5}


def test_40_of_50_layers_are_all_of_resnet_50_but_its_last_stage(resnet50: Any) -> None:
    assert freeze(resnet50, frozen(40)) == 1 + 13 * 3 + 3  # the stem, thirteen blocks of three, and three projections
    left = trained(resnet50)
    assert left[-2:] == ["dense", "logits"]
    assert all(name.startswith("conv5_") for name in left[:-2])
    assert sum(name.endswith("_conv") for name in left) == 9 + 1


def test_a_projection_freezes_with_the_first_convolution_of_its_block() -> None:
    model = net("resnet18", **SMALL)
    assert freeze(model, frozen(3)) == 3
    assert freeze(model, frozen(4)) == 5
    assert "layer2_0_downsample_0" not in trained(model)
    assert "layer2_0_conv2" in trained(model)


def test_minus_one_leaves_the_head() -> None:
    model = net("resnet18", **SMALL)
    assert freeze(model, frozen(-1)) == 1 + 8 + 3
    assert trained(model) == ["logits"]


def test_minus_one_leaves_nothing_of_a_net_of_features() -> None:
    model = net("resnet50_features")
    assert freeze(model, frozen(-1)) == 49 + 4
    assert trained(model) == []


def test_zero_leaves_everything() -> None:
    model = net("resnet18", **SMALL)
    assert freeze(model, frozen(0)) == 0
    assert len(trained(model)) == 1 + 8 + 3 + 12 + 1


def test_frozen_batch_normalisations_keep_their_statistics() -> None:
    model = net("resnet18", **SMALL)
    freeze(model, frozen(3))
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 64, 64, 3)).astype(np.float32), np.eye(7)[rng.integers(0, 7, 8)], verbose=0)
    same = {
        layer.name: all(map(np.array_equal, before[layer.name], layer.get_weights()))
        for layer in model.layers
        if layer.weights
    }
    assert [name for name, equal in same.items() if equal] == [
        "conv1", "bn1", "layer1_0_conv1", "layer1_0_bn1", "layer1_0_conv2", "layer1_0_bn2"
    ]  # fmt: skip


@pytest.mark.parametrize("count", [10, 99])
def test_more_layers_than_can_be_frozen_are_a_usage_error(count: int) -> None:
    with pytest.raises(UsageError, match=f"frozen is {count}, but resnet18 is 10 layers deep and the last one has to"):
        freeze(net("resnet18", **SMALL), frozen(count))


def test_minus_one_needs_a_known_trunk() -> None:
    with pytest.raises(UsageError, match=r"cmu_cnn5 has none: give a number of layers"):
        freeze(net("cmu_cnn5"), frozen(-1, "cmu_cnn5"))
