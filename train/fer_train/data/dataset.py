"""Labelled face pictures of one size, and what became of those that could not be used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Image
from fer_train.data import memory
from fer_train.data.entries import Problem
from fer_train.data.ondisk import on_disk
from fer_train.data.pictures import fingerprint

MAX_ASPECT = 1.1
"""Longer side by shorter: of a picture beyond this, the central square that is cut leaves a part of a face out."""


@dataclass(frozen=True)
class Originals:
    """The pictures as they were before they were cut.

    sizes: int32 (N, 2), height and width, pixels. prints: uint64 (N,), the same for pictures of the same pixels.
    """

    sizes: NDArray[np.int32]
    prints: NDArray[np.uint64]

    def take(self, rows: NDArray[np.int64]) -> Originals:
        """Those of some pictures."""
        return Originals(self.sizes[rows], self.prints[rows])


@dataclass(frozen=True)
class Dataset:
    """N face pictures of one size.

    images: uint8 (N, S, S) grey or (N, S, S, 3) in the model's colour order, 0-255, cut by `fer_edge.preprocess`; an
    array, or an `OnDisk` in its place: rely on len, shape, `images[rows]` and `images[a:b]`, not on the whole.
    targets: int64 (N,), indices into `labels`. names: one per picture, relative to the data's root.
    problems: every picture that could not be used. strangers: classes that are not labels, but for those that models
    for this kind of data may lack (AffectNet's contempt). left_out: pictures per class of those that the field knows
    and the labels do not have.
    originals: None for pictures that were made here.
    """

    images: Image
    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    source: str
    problems: tuple[Problem, ...] = ()
    strangers: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    originals: Originals | None = None

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.targets)

    def counts(self) -> dict[str, int]:
        """Pictures per class."""
        return {name: int((self.targets == i).sum()) for i, name in enumerate(self.labels)}

    @property
    def skipped(self) -> tuple[str, ...]:
        """Every picture that could not be used, as "name: reason"."""
        return tuple(f"{name}: {reason}" for name, reason in self.problems)

    @property
    def misfit(self) -> str:
        """Why the data is not of these labels, all of them and no other; "" when it is."""
        absent = [name for name, count in self.counts().items() if not count]
        reasons = [f"it has {', '.join(self.strangers)}, which is not among them"] if self.strangers else []
        return "; ".join([*reasons, *([f"it has no pictures of {', '.join(absent)}"] if absent else [])])

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is no fault, but should be known, a line each: classes left out, and pictures of an unfit size."""
        said = [f"left out, for it is no label: {count} of {name}" for name, count in self.left_out.items()]
        if self.originals is None:
            return tuple(said)
        sides, size = self.originals.sizes, self.images.shape[1]
        for wrong, reason in (
            (sides.max(axis=1) > MAX_ASPECT * sides.min(axis=1), "not square, of which the central square is taken"),
            (sides.min(axis=1) < size, f"smaller than the input of {size} px, to which they are enlarged"),
        ):
            rows = np.flatnonzero(wrong)
            if len(rows):
                said.append(f"{reason}: {len(rows)}, the first {self.names[rows[0]]}")
        return tuple(said)

    def digest(self) -> str:
        """SHA-256 over pictures and targets, so that a report can say on what it stands; the same from disk."""
        stored = on_disk(self.images)
        found = hashlib.sha256(np.ascontiguousarray(self.images).data) if stored is None else stored.sha256()
        found.update(np.ascontiguousarray(self.targets).data)
        return str(found.hexdigest())

    def prints(self) -> NDArray[np.uint64]:
        """uint64 (N,), the same number for pictures of the same pixels: as they lay on disk, where they did."""
        if self.originals is not None:
            return self.originals.prints
        return np.array([fingerprint(image) for image in self.images], dtype=np.uint64)

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """The same data set with these rows, in this order."""
        rows = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            images=_taken(self.images, rows),
            targets=self.targets[rows],
            names=tuple(self.names[i] for i in rows),
            originals=None if self.originals is None else self.originals.take(rows),
        )

    def stratified(self, count: int, seed: int) -> Dataset:
        """`count` pictures drawn with the classes in equal shares as far as they reach; the same for the same seed."""
        rng = np.random.default_rng(seed)
        pools = [list(rng.permutation(np.flatnonzero(self.targets == i))) for i in range(len(self.labels))]
        chosen: list[int] = []
        while len(chosen) < count and any(pools):
            for pool in pools:
                if pool and len(chosen) < count:
                    chosen.append(int(pool.pop()))
        return self.subset(sorted(chosen))


def _taken(images: Image, rows: NDArray[np.int64]) -> Image:
    """Some of the pictures: of those on disk, a part that fits into memory is read."""
    stored = on_disk(images)
    if stored is None:
        return images[rows]
    chosen = stored.take(rows)
    return chosen.as_array() if chosen.nbytes > memory.limit_bytes() else chosen[:]
