"""Pictures that stay on disk and are decoded when they are asked for; they stand where an array of them would."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import InputError
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Image
from fer_train.data.entries import Source, Unusable
from fer_train.data.pictures import decode
from fer_train.data.threads import in_blocks, threads

HASHED_ROWS = 256
"""Pictures that are in memory at a time while all are hashed."""

Hash = Any
"""What `hashlib.sha256` makes; its class has no public name."""


class OnDisk:
    """N pictures as an array uint8 (N, S, S[, 3]) would hold them, read anew at every access.

    `images[rows]` with an index array or a slice gives a uint8 array, `images[i]` one picture, `np.asarray(images)` all
    of them, which need not fit into memory. Safe to use from several threads.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, sources: Sequence[Source], names: Sequence[str], spec: PreprocessSpec) -> None:
        """Of pictures that were read once and found good; names are for errors."""
        self._sources, self._names, self._spec = list(sources), list(names), spec
        self._preprocess = Preprocess(spec)
        self.shape = shape_of(len(self._sources), spec)
        self.ndim, self.nbytes = len(self.shape), math.prod(self.shape)
        self._hashed: Hash | None = None

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, key: int | slice | NDArray[Any] | Sequence[int]) -> Image:
        """Decode these; raises InputError when a file is not as it was, IndexError beyond the end."""
        if isinstance(key, int | np.integer):
            return self._one(range(len(self))[key])
        rows = self._rows(key)
        found = np.empty(shape_of(len(rows), self._spec), dtype=np.uint8)

        def read(block: range) -> None:
            for i in block:
                found[i] = self._one(int(rows[i]))

        for _ in in_blocks(read, len(rows), max(1, math.ceil(len(rows) / threads() / 2))):
            pass
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401 - NumPy's signature
        """All of them, in memory."""
        if copy is False:
            raise ValueError("pictures on disk have no array that could be shared")
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows: NDArray[np.int64]) -> OnDisk:
        """These pictures, still on disk."""
        return OnDisk([self._sources[i] for i in rows], [self._names[i] for i in rows], self._spec)

    def sha256(self, hashed: Hash | None = None) -> Hash:
        """Over all bytes, as of the array; read once for it, or never when the first reader gives what it `hashed`."""
        if self._hashed is None:
            self._hashed = hashed or hashlib.sha256()
            for start in range(0, 0 if hashed else len(self), HASHED_ROWS):
                self._hashed.update(self[start : start + HASHED_ROWS].data)
        return self._hashed.copy()

    def as_array(self) -> Image:
        """Itself, for those who take it as the array that it stands for and ask for rows only."""
        return cast("Image", self)

    def _rows(self, key: slice | NDArray[Any] | Sequence[int]) -> NDArray[np.int64]:
        if isinstance(key, tuple):
            raise TypeError("pictures on disk are chosen by number only: take rows first, then pixels of those")
        return np.asarray(np.arange(len(self))[key], dtype=np.int64)

    def _one(self, row: int) -> Image:
        try:
            return self._preprocess.pixels(decode(self._sources[row]))
        except Unusable as problem:
            raise InputError(f"{self._names[row]} was read before and cannot be any more: {problem}") from None


def on_disk(images: object) -> OnDisk | None:
    """The pictures, when they are not in memory."""
    return images if isinstance(images, OnDisk) else None


def shape_of(count: int, spec: PreprocessSpec) -> tuple[int, ...]:
    """Of so many pictures as `Preprocess.pixels` cuts them."""
    side = (spec.size, spec.size)
    return (count, *side) if spec.color == "gray" else (count, *side, 3)
