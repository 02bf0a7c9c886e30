"""A recipe's network: built, started from the recipe's seed the same under every backend, and made to repeat itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_train import zoo
from fer_train.recipe import Recipe

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a unit normal distribution cut off at two of its own."""
SEED_STATE = "seed_generator_state"
"""What Keras names the variable of a layer's random generator."""


def input_shape(recipe: Recipe) -> tuple[int, int, int]:
    """(H, W, C) or (C, H, W) as the recipe's layout says."""
    return recipe.preprocess.shape[1:]


def fresh_model(recipe: Recipe, precision: str = "float32") -> keras.Model:
    """The recipe's architecture with weights as the backend draws them, computing in `precision` (a dtype policy)."""
    with computing_in(precision):
        return zoo.build(recipe.model.architecture, input_shape(recipe), len(recipe.labels), recipe.model.arguments)


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made inside compute in this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def draw_weights(model: keras.Model, seed: int) -> None:
    """Draw all weights anew from each layer's own distribution by numpy: backends draw differently from the same seed.

    Weights that start as constants stay as they are, and so do those of a distribution that is not known here.
    """
    for i, (layer, variable) in enumerate(_weights(model)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
        value = _drawn(_initializer(layer, variable.name), tuple(variable.shape), rng)
        if value is not None:
            variable.assign(value.astype(np.float32))


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Let dropout, at any depth, draw from (seed, epoch, layer, step) alone, so that a resumed run drops the same."""
    states = [variable for variable in model.variables if variable.name == SEED_STATE]
    for i, state in enumerate(states):
        drawn = np.random.SeedSequence(seed, spawn_key=(epoch, i)).generate_state(1)[0]
        state.assign([int(drawn) % 2**31, 0])


def every_layer(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers, also those of models within the model, in the order in which they were built."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from every_layer(layer)


def _weights(model: keras.Model) -> Iterator[tuple[keras.layers.Layer, Any]]:
    for layer in every_layer(model):
        if not isinstance(layer, keras.Model):
            for variable in layer.weights:
                yield layer, variable


def _initializer(layer: keras.layers.Layer, name: str) -> Any:  # noqa: ANN401 - Keras is not typed
    """Of a weight of this name; a depthwise convolution calls its weight "kernel" and its initializer otherwise."""
    for candidate in (f"{name}_initializer", f"{name.removesuffix('_kernel')}_initializer", "depthwise_initializer"):
        found = getattr(layer, candidate, None)
        if found is not None:
            return found
    return None


def _drawn(initializer: Any, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64] | None:  # noqa: ANN401 - Keras is not typed
    """Values of `shape`; None for an initializer that draws nothing."""
    known = keras.initializers
    if isinstance(initializer, known.VarianceScaling):
        return _scaled(initializer, shape, rng)
    if isinstance(initializer, known.TruncatedNormal):
        return float(initializer.mean) + float(initializer.stddev) * _truncated(shape, rng)
    if isinstance(initializer, known.RandomNormal):
        return rng.normal(initializer.mean, initializer.stddev, shape)
    if isinstance(initializer, known.RandomUniform):
        return rng.uniform(initializer.minval, initializer.maxval, shape)
    return None


def _scaled(initializer: Any, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:  # noqa: ANN401 - Keras is not typed
    """Glorot's and He's initializers are of this family: variance `scale` / fan."""
    field = math.prod(shape[:-2])
    fans = {"fan_in": shape[-2] * field, "fan_out": shape[-1] * field} if len(shape) > 1 else {}
    fan = fans.get(initializer.mode, sum(fans.values()) / 2) or shape[0]
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "uniform":
        limit = math.sqrt(3.0 * variance)
        return rng.uniform(-limit, limit, shape)
    if initializer.distribution == "truncated_normal":
        return math.sqrt(variance) / TRUNCATED_STD * _truncated(shape, rng)
    return rng.normal(0.0, math.sqrt(variance), shape)


def _truncated(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Unit normal; what lies beyond two standard deviations is drawn again."""
    out = rng.standard_normal(shape)
    while (beyond := np.abs(out) > 2.0).any():
        out[beyond] = rng.standard_normal(int(beyond.sum()))
    return out
