"""What a net costs: the numbers it stores, and the multiply-accumulates of one picture, from its layers' shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from fer_edge.errors import UsageError


@dataclass(frozen=True)
class Cost:
    """weights: all numbers that Keras stores, trained or not. macs: multiply-accumulates for a batch of one."""

    weights: int
    macs: int


def count(model: keras.Model) -> Cost:
    """The cost of a net with a fixed input size, nets within it included.

    Convolutions and dense layers count; biases, activations, pooling, additions and batch normalisations (which fold
    into the convolution before them) do not. A layer counts once, also if the net applies it twice. Raises UsageError
    where a size is open.
    """
    return Cost(model.count_params(), sum(macs(layer) for layer in leaves(model)))


def leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers in the order of the net, those of nets within it in the place of these."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def weighted(layer: keras.layers.Layer) -> bool:
    """Whether it is a convolution or a dense layer: what "layers" means where a net is said to have fifty of them."""
    return bool(_kernels(layer))


def macs(layer: keras.layers.Layer) -> int:
    """Of one layer for one picture; 0 for one that is neither a convolution nor dense."""
    kernels = _kernels(layer)
    if not kernels:
        return 0
    spreads = isinstance(layer, layers.Conv2DTranspose)  # each position of its input, not of its output
    positions = _positions(layer, layer.input.shape if spreads else layer.output.shape)
    return positions * sum(int(math.prod(kernel.shape)) for kernel in kernels)


def _kernels(layer: keras.layers.Layer) -> tuple[Any, ...]:
    if isinstance(layer, layers.SeparableConv2D):
        return layer.depthwise_kernel, layer.pointwise_kernel
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Conv2DTranspose | layers.Dense):
        return (layer.kernel,)
    return ()


def _positions(layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> int:
    """How often a kernel is applied: the product of all axes but batch and channels."""
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    total = 1
    for side in shape[2:] if first else shape[1:-1]:
        if side is None:
            raise UsageError(f"layer {layer.name} has no fixed size: build the net for one input size")
        total *= side
    return total
