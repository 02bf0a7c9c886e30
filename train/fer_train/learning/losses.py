"""What a training step minimises, and what an epoch is judged by.

The two are not the same. Training weighs classes, smooths labels, focuses on hard pictures and listens to teachers as
the recipe says; validation is always the plain crossentropy of the true labels, so that runs of any recipe compare.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from fer_train.data import Dataset
from fer_train.recipe import Distill, Recipe

SMALLEST = 1e-7
"""Keeps the slope of (1 - p)^gamma finite where p is 1."""


class TrainingLoss(keras.losses.Loss):  # type: ignore[misc]
    """Mean over a batch of weight * loss, for targets (N, classes) that are shares: one-hot, or mixed of two pictures.

    Crossentropy against the smoothed targets, with focal loss each class's term weighted by (1 - p)^gamma (Lin et al.
    2017). With teachers the outputs are (N, 2 * classes), logits and the teachers' softened probabilities, and the loss
    is (1 - alpha) * that + alpha * T^2 * Kullback-Leibler divergence at temperature T (Hinton et al. 2015). Teachers
    that were heard once stand behind the targets instead, which are (N, 2 * classes) then. A sample weighs the sum over
    classes of target * class weight: a mixed picture weighs between its two classes.
    """

    def __init__(self, recipe: Recipe, class_weight: NDArray[np.float64] | None = None) -> None:
        """class_weight: (classes,), as from `class_weights`."""
        super().__init__(name="loss", dtype="float32")
        self._fit, self._distill = recipe.fit, recipe.distill
        self._classes = len(recipe.labels)
        self._weights = None if class_weight is None else class_weight.astype(np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:  # noqa: ANN401 - tensors of whatever backend
        """Loss of each sample, (N,)."""
        logits, targets = y_pred[:, : self._classes], y_true[:, : self._classes]
        loss = self._hard(targets, logits)
        if self._distill is not None:
            softened = (y_true if self._distill.views else y_pred)[:, self._classes :]
            loss = (1.0 - self._distill.alpha) * loss + self._distill.alpha * _divergence(
                softened, logits, self._distill
            )
        if self._weights is not None:
            loss = loss * ops.sum(targets * self._weights, axis=-1)
        return loss

    def _hard(self, targets: Any, logits: Any) -> Any:  # noqa: ANN401 - tensors of whatever backend
        smoothing = self._fit.label_smoothing
        log_p = ops.log_softmax(logits, axis=-1)
        terms = -(targets * (1.0 - smoothing) + smoothing / self._classes) * log_p
        if self._fit.loss == "focal":
            terms = terms * ops.power(ops.maximum(1.0 - ops.exp(log_p), SMALLEST), self._fit.focal_gamma)
        return ops.sum(terms, axis=-1)


def accuracy(classes: int) -> keras.metrics.Metric:
    """Share of samples whose largest output is their largest target."""

    def right(y_true: Any, y_pred: Any) -> Any:  # noqa: ANN401 - tensors of whatever backend
        return ops.equal(ops.argmax(y_true[:, :classes], axis=-1), ops.argmax(y_pred[:, :classes], axis=-1))

    return keras.metrics.MeanMetricWrapper(right, name="accuracy")


def class_weights(data: Dataset, wanted: str) -> NDArray[np.float64] | None:
    """One weight per class, float64 (classes,), or None.

    "balanced" is scikit-learn's: n / (classes * count). "root" is its square root, so that a class a ninth as large
    weighs three times as much, not nine; scaled like the other to a mean of 1 over the pictures.
    """
    if wanted == "none":
        return None
    counts = np.bincount(data.targets, minlength=len(data.labels))
    weights = np.asarray(len(data) / (len(counts) * np.maximum(counts, 1)), dtype=np.float64)
    if wanted == "balanced":
        return weights
    root = np.sqrt(weights)
    return np.asarray(root * len(data) / (root * counts).sum(), dtype=np.float64)


def judged(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> tuple[float, float]:
    """(mean crossentropy, accuracy) of logits (N, classes) against true classes (N,), in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    rows = np.arange(len(targets))
    return float(-log_p[rows, targets].mean()), float((logits.argmax(axis=-1) == targets).mean())


def _divergence(softened: Any, logits: Any, distill: Distill) -> Any:  # noqa: ANN401 - tensors of whatever backend
    log_p = ops.log_softmax(logits / distill.temperature, axis=-1)
    log_t = ops.log(ops.maximum(softened, SMALLEST))
    return distill.temperature**2 * ops.sum(softened * (log_t - log_p), axis=-1)
