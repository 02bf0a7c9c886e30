"""The first pass over a data set: every picture is read once, by threads, and judged; what cannot be used is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_edge.clock import perf_s
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Image
from fer_train.data import memory
from fer_train.data.entries import Problem, Source, Unusable
from fer_train.data.ondisk import OnDisk, shape_of
from fer_train.data.pictures import decode, fingerprint
from fer_train.data.threads import BLOCK, in_blocks
from fer_train.progress import Say

TELL_EVERY_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What N files hold. reasons: why a picture cannot be used, "" for a good one; sizes, prints: as in `Originals`."""

    reasons: list[str]
    sizes: NDArray[np.int32]
    prints: NDArray[np.uint64]

    def problems(self, names: Sequence[str]) -> list[Problem]:
        """Those pictures that cannot be used. names: one per picture."""
        return [Problem(name, reason) for name, reason in zip(names, self.reasons, strict=True) if reason]

    @property
    def good(self) -> NDArray[np.int64]:
        """The rows of the pictures that can be used."""
        return np.flatnonzero([not reason for reason in self.reasons])


def look(sources: Sequence[Source], say: Say | None = None) -> Seen:
    """Decode every picture and keep none."""
    seen = _nothing(len(sources))

    def work(rows: range) -> None:
        for i in rows:
            _see(sources, i, seen)

    _pass(work, len(sources), _ignore, say)
    return seen


def read(sources: Sequence[Source], names: Sequence[str], spec: PreprocessSpec, say: Say | None) -> tuple[Seen, Image]:
    """Decode every picture and cut the good ones, uint8 (G, S, S[, 3]): in memory, or on disk if they are too many."""
    shape = shape_of(len(sources), spec)
    if int(np.prod(shape)) <= memory.limit_bytes():
        return _into_memory(sources, shape, spec, say)
    if say is not None:
        size, limit = int(np.prod(shape)) / 1e9, memory.limit_bytes() / 1e9
        say(
            f"{shape[0]} pictures at {spec.size} px are {size:.1f} GB, more than the {limit:.1f} GB that are kept in "
            "memory: they are decoded anew in every epoch"
        )
    return _on_disk(sources, names, spec, say)


def _into_memory(
    sources: Sequence[Source], shape: tuple[int, ...], spec: PreprocessSpec, say: Say | None
) -> tuple[Seen, Image]:
    seen, images, preprocess = _nothing(len(sources)), np.empty(shape, dtype=np.uint8), Preprocess(spec)

    def work(rows: range) -> None:
        for i in rows:
            picture = _see(sources, i, seen)
            if picture is not None:
                images[i] = preprocess.pixels(picture)

    _pass(work, len(sources), _ignore, say)
    good = seen.good
    return seen, images if len(good) == len(images) else images[good]


def _on_disk(
    sources: Sequence[Source], names: Sequence[str], spec: PreprocessSpec, say: Say | None
) -> tuple[Seen, Image]:
    seen, preprocess, hashed = _nothing(len(sources)), Preprocess(spec), hashlib.sha256()

    def work(rows: range) -> list[Image]:
        found = [picture for i in rows if (picture := _see(sources, i, seen)) is not None]
        return [np.ascontiguousarray(preprocess.pixels(picture)) for picture in found]

    def hash_all(crops: list[Image]) -> None:
        for crop in crops:
            hashed.update(crop.data)

    _pass(work, len(sources), hash_all, say)
    images = OnDisk(sources, names, spec).take(seen.good)
    images.sha256(hashed)
    return seen, images.as_array()


def _nothing(count: int) -> Seen:
    return Seen([""] * count, np.zeros((count, 2), dtype=np.int32), np.zeros(count, dtype=np.uint64))


def _see(sources: Sequence[Source], i: int, seen: Seen) -> Image | None:
    """One picture, noted in its row; None when it cannot be used."""
    try:
        picture = decode(sources[i])
    except Unusable as problem:
        seen.reasons[i] = str(problem)
        return None
    seen.sizes[i], seen.prints[i] = picture.shape[:2], fingerprint(picture)
    return picture


def _pass(work: Callable[[range], T], count: int, take: Callable[[T], None], say: Say | None) -> None:
    """Do the work on all blocks, hand the results over in order, and tell how far and how fast it goes."""
    began = said = perf_s()
    for number, result in enumerate(in_blocks(work, count), start=1):
        take(result)
        now, done = perf_s(), min(number * BLOCK, count)
        if say is not None and now - said >= TELL_EVERY_S and done < count:
            rate = done / (now - began)
            say(f"  {done} of {count} pictures read, {rate:.0f} a second, {(count - done) / rate:.0f} s left")
            said = now
    if say is not None and count:
        say(f"{count} pictures read, {count / max(perf_s() - began, 1e-9):.0f} a second")


def _ignore(_: None) -> None:
    """Nothing is made of it."""
