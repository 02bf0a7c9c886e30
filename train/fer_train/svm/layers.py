"""A kernel machine as Keras layers behind a trunk: what converts like any other model, without code of its own.

Only layers that Keras ships, with their weights where weights belong, so that the file loads in safe mode. To
standardise is a batch normalisation whose statistics are given; sums over support vectors, pairs and votes are dense.

The logits. argmax has to be the class that wins by vote, and a softmax wants to know by how much: so each class gets
the mean of its decisions, no class more than the winner, and the winner a small lead. Votes are counted by steps, which
are very steep sigmoids; among equal votes the first class wins by a fraction of a vote.

Eight bits. Two shorter ways were measured and left: a ReLU cut off at 1 is a step too, but TFLite's minimum gives its
result the scale of its input, where 1 is nothing; and TFLite's product of a vector with itself (`Dot`) comes out wrong,
where squares that are summed by a dense layer come out right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_train.svm.kernel import LEAD, Floats, pairs

STEEP = 2.0**30
"""Slope of a vote's step: only decisions nearer to 0 than some 1e-8 are not a whole vote."""


@dataclass(frozen=True)
class Form:
    """What the layers hold, all float64; F features, S support vectors, P pairs.

    mean, scale: (F,), see `kernel.Points`. directions: (F, d), or None where x.s is exact. points: (S, d), support
    vectors seen along the directions, or all of them, (S, F). squares: (S,), |s|^2 with all features. weights: (S, P),
    intercepts: (P,). temperature: divides the mean decisions.
    """

    mean: Floats
    scale: Floats
    directions: Floats | None
    points: Floats
    squares: Floats
    weights: Floats
    intercepts: Floats
    classes: int
    temperature: float = 1.0


def classifier(trunk: keras.Model, form: Form) -> keras.Model:
    """One model from picture to float32 logits (N, classes); trunk: picture to features (N, F)."""
    decisions = _decisions(trunk.output, form)
    return keras.Model(trunk.input, _logits(decisions, form), name=f"{trunk.name}_svm")


def _decisions(features: keras.KerasTensor, form: Form) -> keras.KerasTensor:
    """(N, F) to (N, P)."""
    scaler = layers.BatchNormalization(epsilon=0.0, center=False, scale=False, trainable=False, name="scaler")
    x = _with(scaler, features, form.mean, form.scale**2)
    square = _dense(layers.Multiply(name="squares")([x, x]), "minus_square", np.full((len(form.mean), 1), -1.0))
    seen = x if form.directions is None else _dense(x, "directions", form.directions)
    near = _dense(seen, "support", 2.0 * form.points.T, -form.squares)
    kernel = layers.Activation("exponential", name="kernel")(layers.Add(name="minus_distance")([near, square]))
    return _dense(kernel, "decisions", form.weights, form.intercepts)


def _logits(decisions: keras.KerasTensor, form: Form) -> keras.KerasTensor:
    """(N, P) to (N, classes), see above."""
    signs = _signs(form.classes)
    winner = _winner(decisions, signs)
    mean = _dense(decisions, "mean_decision", signs / ((form.classes - 1) * form.temperature))
    best = layers.Dot(axes=1, name="best")([winner, mean])
    capped = layers.Minimum(name="capped")([mean, best])
    return layers.Add(name="logits")([capped, layers.Rescaling(LEAD, name="lead")(winner)])


def _winner(decisions: keras.KerasTensor, signs: Floats) -> keras.KerasTensor:
    """1 for the class that wins by vote, 0 for the others; a rank is a class's votes less a part for its place."""
    classes = signs.shape[1]
    first = layers.Activation("sigmoid", name="first_of_pair")(layers.Rescaling(STEEP, name="steep")(decisions))
    rank = _dense(first, "rank", signs, (signs < 0.0).sum(axis=0) - np.arange(classes) / (2 * classes))
    highest = layers.GlobalMaxPooling1D(name="highest_rank")(layers.Reshape((classes, 1), name="ranks")(rank))
    behind = layers.Subtract(name="behind")([rank, highest])  # 0 for the winner, -1 / (2 * classes) or less for others
    return layers.ReLU(name="winner")(layers.Rescaling(2.0 * classes, 1.0, name="not_behind")(behind))


def _signs(classes: int) -> Floats:
    """(P, classes): 1 for the first class of a pair, -1 for the second."""
    found = np.zeros((len(pairs(classes)), classes))
    for p, (i, j) in enumerate(pairs(classes)):
        found[p, i], found[p, j] = 1.0, -1.0
    return found


def _dense(x: keras.KerasTensor, name: str, kernel: Floats, bias: Floats | None = None) -> keras.KerasTensor:
    given = [kernel] if bias is None else [kernel, bias]
    return _with(layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name), x, *given)


def _with(layer: Any, x: keras.KerasTensor, *weights: NDArray[Any]) -> keras.KerasTensor:  # noqa: ANN401 - Keras is not typed
    """Call a new layer and give it its weights."""
    y = layer(x)
    layer.set_weights([value.astype(np.float32) for value in weights])
    return y
