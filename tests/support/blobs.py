"""Clouds of features, one per class, with scikit-learn's own machine on them and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.data import Dataset
from fer_train.recipe import Svm
from fer_train.svm import fitting


@dataclass(frozen=True)
class Blobs:
    """features, others: float32 (N, F), to learn from and held out, with their targets."""

    classes: int
    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    others: NDArray[np.float32]
    other_targets: NDArray[np.int64]


def blobs(classes: int, *, each: int = 40, features: int = 200, spread: float = 2.0) -> Blobs:
    """Seeded; features of different size, and classes that overlap the more the wider they spread."""
    rng = np.random.default_rng(classes)
    centers = rng.normal(size=(classes, features))
    size = np.exp(rng.normal(size=features))

    def draw(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        targets = np.arange(count * classes) % classes
        return (size * (centers[targets] + spread * rng.normal(size=(len(targets), features)))).astype("f4"), targets

    return Blobs(classes, *draw(each), *draw(60))


def scikit_learn(found: Blobs) -> tuple[NDArray[np.float64], Any]:
    """Standardised features, and an SVC with scikit-learn's own kernel, fitted on them; decisions are of pairs."""
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - not in the base install
    from sklearn.svm import SVC  # noqa: PLC0415 - not in the base install

    scaled = StandardScaler().fit_transform(found.features.astype(np.float64))
    svc = SVC(C=1.0, gamma="scale", class_weight="balanced", random_state=42, decision_function_shape="ovo")
    return scaled, svc.fit(scaled, found.targets)


def learned(found: Blobs, svm: Svm | None = None) -> fitting.Learned:
    """Ours."""
    data = _dataset(found.targets, found.classes, 0), _dataset(found.other_targets, found.classes, 1)
    return fitting.learn(svm or Svm(), (found.features, found.others), data, lambda _: None)


def _dataset(targets: NDArray[np.int64], classes: int, part: int) -> Dataset:
    """Pictures that are all different, for nothing but their number and classes counts here."""
    images = np.zeros((len(targets), 8, 8), dtype=np.uint8)
    images[:, 0, 0], images[:, 0, 1], images[:, 0, 2] = (
        np.arange(len(targets)) % 256,
        np.arange(len(targets)) // 256,
        part,
    )
    labels = tuple(f"class-{i}" for i in range(classes))
    return Dataset(images, targets, labels, tuple(map(str, range(len(targets)))), "blobs")
