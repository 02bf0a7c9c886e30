"""Averaged weights need batch statistics of their own: those of the moving weights belong to another network.

Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima": after averaging, one more pass over training pictures
makes the means and variances of batch normalisation anew.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_train.learning.batches import Batches
from fer_train.learning.checkpoint import assign, values
from fer_train.learning.network import every_layer

MOST_BATCHES = 64
"""More pictures than that change the third digit of a statistic, and cost as much as they do in training."""


def settle(model: keras.Model, batches: Batches) -> int:
    """Set all moving means and variances to those of the first batches; returns of how many, 0 without such layers.

    Frozen batch normalisations keep what they have, as they do in training.
    """
    layers = [layer for layer in every_layer(model) if _moves(layer)]
    if not layers:
        return 0
    count = min(len(batches), MOST_BATCHES)
    sums: list[Any] = [0.0] * (2 * len(layers))
    for i in range(count):
        sums = [total + found for total, found in zip(sums, _statistics(model, layers, batches[i][0]), strict=True)]
    assign(_moving(layers), [(total / count).astype(np.float32) for total in sums])
    return count


def _statistics(model: keras.Model, layers: list[Any], tensor: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Mean and variance of one batch at every layer: where moving values that start at 0 go, over how far they go."""
    variables = _moving(layers)
    assign(variables, [np.zeros(variable.shape, dtype=np.float32) for variable in variables])
    model(tensor, training=True)
    shares = [1.0 - layer.momentum for layer in layers for _ in range(2)]
    return [value.astype(np.float64) / share for value, share in zip(values(variables), shares, strict=True)]


def _moves(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and layer.momentum < 1.0


def _moving(layers: list[Any]) -> list[Any]:
    return [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
