"""Weights and multiply-accumulates, against figures worked out by hand."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from fer_edge.errors import UsageError
from fer_train.zoo import cost

SIDE, CHANNELS = 10, 3


def cost_of(*stack: keras.layers.Layer) -> cost.Cost:
    """Of layers on a 10 x 10 picture of three channels."""
    return cost.count(keras.Sequential([keras.Input((SIDE, SIDE, CHANNELS)), *stack]))


@pytest.mark.parametrize(
    ("layer", "weights", "macs"),
    [
        (layers.Conv2D(5, 3), 3 * 3 * 3 * 5 + 5, 8 * 8 * 3 * 3 * 3 * 5),
        (layers.Conv2D(5, 3, padding="same", use_bias=False), 135, 10 * 10 * 135),
        (layers.Conv2D(5, (1, 3), strides=2, use_bias=False), 45, 5 * 4 * 45),
        (layers.Conv2D(6, 3, groups=3, use_bias=False), 3 * 3 * 1 * 6, 8 * 8 * 54),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), 54, 8 * 8 * 54),
        (layers.SeparableConv2D(4, 3, use_bias=False), 27 + 12, 8 * 8 * 39),
        (layers.Conv2DTranspose(4, 2, strides=2), 2 * 2 * 3 * 4 + 4, 10 * 10 * 48),
        (layers.Dense(7), 3 * 7 + 7, 10 * 10 * 21),
        (layers.BatchNormalization(), 12, 0),
        (layers.MaxPooling2D(2), 0, 0),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else str(value),
)
def test_a_layer_costs_what_its_shapes_say(layer: keras.layers.Layer, weights: int, macs: int) -> None:
    assert cost_of(layer) == cost.Cost(weights, macs)


def test_a_dense_layer_on_a_vector_multiplies_each_weight_once() -> None:
    assert cost_of(layers.Flatten(), layers.Dense(7, use_bias=False)) == cost.Cost(2100, 2100)


def test_channels_first_counts_the_same() -> None:
    inputs = keras.Input((CHANNELS, SIDE, SIDE))
    last = layers.Conv2D(5, 3, data_format="channels_first")
    assert cost.count(keras.Model(inputs, last(inputs))) == cost_of(layers.Conv2D(5, 3))


def test_a_net_within_a_net_counts_as_its_layers() -> None:
    trunk = keras.Sequential([keras.Input((SIDE, SIDE, CHANNELS)), layers.Conv2D(5, 3), layers.Flatten()])
    assert cost_of(trunk, layers.Dense(2)) == cost_of(layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(2))


def test_resnet_50_at_224_costs_3_86_billion() -> None:
    """He et al. 2016 say 3.8 billion, of 25.6 million weights."""
    assert cost.count(keras.applications.ResNet50(weights=None)) == cost.Cost(25_636_712, 3_857_973_248)


def test_an_open_size_is_refused() -> None:
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(5, 3, name="open")])
    with pytest.raises(UsageError, match="layer open has no fixed size"):
        cost.count(model)
