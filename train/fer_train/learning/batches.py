"""Pictures as Keras takes them, a batch at a time: augmented for training, as they are for validation."""

from __future__ import annotations

import math
import os

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.preprocess import Preprocess
from fer_edge.types import Image
from fer_train.data import Dataset
from fer_train.learning.augment import augment, mix
from fer_train.recipe import Recipe

JUDGED_VALUES = 256 * 48 * 48 * 3
"""Values of one validation tensor at most, 7 MB in float32: the pictures may lie on disk, and be more than memory."""
MOST_JUDGED = 256
WORKERS = max(1, min(8, (os.cpu_count() or 1) // 2))
"""Threads that make batches ahead; where there are two processors, the network needs both."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of one epoch, drawn from (seed, epoch, batch) alone, so that a resumed run sees the same pictures.

    One object serves one epoch: Keras asks for batches ahead in threads of its own, and an object that moved on at the
    end of an epoch would hand those threads a few batches of the next one.
    """

    def __init__(
        self,
        data: Dataset,
        recipe: Recipe,
        epoch: int,
        share: Share | None = None,
        said: NDArray[np.float32] | None = None,
    ) -> None:
        """Of `epoch`, counted from 0; `share` is this process's part of every batch.

        said: by teachers of every picture, (N, classes).
        """
        super().__init__(workers=WORKERS)
        self._data, self._recipe, self._epoch = data, recipe, epoch
        self._share = share or Share()
        self._preprocess = Preprocess(recipe.preprocess)
        hot = one_hot(data.targets, len(recipe.labels))
        self._targets = hot if said is None else np.concatenate([hot, said], axis=-1)
        self._order = np.random.default_rng((recipe.fit.seed, epoch)).permutation(len(data))

    def __len__(self) -> int:
        """Batches per epoch; a last smaller one is kept."""
        return steps_per_epoch(len(self._data), self._recipe.fit.batch, self._share.devices)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Augmented batch: tensor float32 (N, ...) and targets float32 (N, classes), shares of each class.

        With teachers that were heard once (N, 2 * classes): theirs stand behind.
        """
        rng = np.random.default_rng((self._recipe.fit.seed, self._epoch, index))
        options = self._recipe.augmentation
        pictures = augment(self._data.images[self.rows(index)], options, rng)
        tensor, targets = self._preprocess.tensor(pictures), self._targets[self.rows(index)]
        tensor, targets = mix(tensor, targets, options, rng, self._recipe.preprocess.layout)
        return self._share.of(tensor), self._share.of(targets)

    def rows(self, index: int) -> NDArray[np.int64]:
        """Which pictures the whole batch holds, in order."""
        batch = self._recipe.fit.batch
        rows = self._order[index * batch : (index + 1) * batch]
        return rows[: len(rows) - len(rows) % self._share.devices]


class Pictures(keras.utils.PyDataset):  # type: ignore[misc]
    """All pictures once, as they are, in batches of one size; the last is filled up with pictures of it."""

    def __init__(self, images: Image, preprocess: Preprocess, batch: int) -> None:
        """images: uint8 (N, S, S[, 3]), in memory or read from disk slice by slice."""
        super().__init__()
        self._images, self._preprocess, self._batch = images, preprocess, batch

    def __len__(self) -> int:
        """Batches."""
        return math.ceil(len(self._images) / self._batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32]]:
        """One batch, float32 (batch, ...)."""
        found = self._images[index * self._batch : (index + 1) * self._batch]
        return (self._preprocess.tensor(np.resize(found, (self._batch, *found.shape[1:]))),)


class Share:
    """Which part of a batch this process has: batches are cut to a multiple of `devices`, and dealt to `hosts`."""

    def __init__(self, devices: int = 1, host: int = 0, hosts: int = 1) -> None:
        """devices: of all hosts together. host: this one's number, from 0."""
        self.devices, self._host, self._hosts = devices, host, hosts

    def of(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """This process's rows of (N, ...)."""
        size = len(values) // self._hosts
        return values if self._hosts == 1 else values[self._host * size : (self._host + 1) * size]


def predicted(model: keras.Model, images: Image, preprocess: Preprocess, multiple: int = 1) -> NDArray[np.float32]:
    """The model's outputs, float32 (N, classes), for every picture; batches are a multiple of `multiple`."""
    values = math.prod(preprocess.spec.shape)
    batch = max(1, min(MOST_JUDGED, JUDGED_VALUES // values, len(images)))
    batch = multiple * math.ceil(batch / multiple)
    found = model.predict(Pictures(images, preprocess, batch), verbose=0)
    return np.asarray(found, dtype=np.float32)[: len(images)]


def one_hot(targets: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """int64 (N,) to float32 (N, classes)."""
    return np.eye(classes, dtype=np.float32)[targets]


def steps_per_epoch(count: int, batch: int, multiple: int = 1) -> int:
    """Batches that hold `count` samples; the last may be smaller, but not than `multiple`."""
    return count // batch + (count % batch >= multiple)
