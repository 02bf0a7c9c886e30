"""A labelled picture before it is read, and a layout: the way in which a data set lists its pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fer_edge.errors import InputError
from fer_edge.types import Image

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".pgm"})
"""What a file's name must end in, in lower case, to be taken for a picture."""

SPLITS = {
    "train": ("train", "training", "train_set"),
    "test": ("test", "publictest", "public_test", "test_set"),
    "validation": ("validation", "val", "valid", "val_set"),
    "private": ("private", "privatetest", "private_test"),
}
"""The parts that data sets come in, and what their folders are called; the first that is there counts."""

Source = str | Image
"""A picture's file, or the picture itself, uint8 (H, W) grey."""


class Problem(NamedTuple):
    """A picture that cannot be used, and why; a reason is the same text for all pictures with the same fault."""

    name: str
    reason: str


class Unusable(ValueError):  # noqa: N818 - says what the picture is
    """Why one picture cannot be used; counted with its name, it never ends a run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture as its data set lists it.

    name: unique in the data, relative to its root. label: class name, "" when the data does not tell. split: a key of
    SPLITS, None in data without parts. source: None when there is a problem, which then is the reason.
    """

    name: str
    label: str
    split: str | None
    source: Source | None
    problem: str = ""


@dataclass(frozen=True)
class Layout:
    """How the pictures of one data set are found.

    title: what it is, for people. labels: its classes, in its own order. splits: the keys of SPLITS that it has, none
    for data without parts. listed: yields every picture once, nothing is decoded; of one split, or of all for None.
    optional: classes that a model need not have to be one for this data.
    """

    title: str
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    listed: Callable[[str | None], Iterator[Entry]]
    optional: frozenset[str] = frozenset()

    def entries(self, split: str | None) -> Iterator[Entry]:
        """Every picture of a split, or of all; InputError when there is no such split."""
        if split is not None and split not in self.splits:
            there = f"it has {', '.join(self.splits)}" if self.splits else "it is not divided"
            names = ", ".join(dict.fromkeys(name for key in _standing_for(split) for name in SPLITS[key]))
            raise InputError(f"{self.title} has no split {split!r} (looked for {names}); {there}")
        return self.listed(split)


def split_folders(root: Path) -> dict[str, Path]:
    """Which folders in `root` are parts, by key of SPLITS; where there is no test part, the validation part is that.

    AffectNet is published so: its test pictures are withheld, and papers judge on `val_set`.
    """
    named = {entry.name.lower(): Path(entry.path) for entry in folders(root)}
    found = {split: named[name] for split, names in SPLITS.items() for name in reversed(names) if name in named}
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    return {split: found[split] for split in SPLITS if split in found}


def folders(root: Path) -> list[os.DirEntry[str]]:
    """The folders in a folder, by name; hidden ones are no data. InputError when it cannot be listed."""
    return [entry for entry in _listing(root) if entry.is_dir()]


def pictures(folder: Path | str) -> list[os.DirEntry[str]]:
    """The files in a folder that are pictures by their names, in order; errors as in `folders`."""
    return [entry for entry in _listing(folder) if os.path.splitext(entry.name)[1].lower() in PICTURES]  # noqa: PTH122 - twenty times as fast, and this is asked of every file


def numbered(text: str, labels: Sequence[str], start: int = 0) -> str:
    """The class that a number stands for, counted from `start`; raises Unusable for any other text."""
    plain = text.strip()
    index = int(plain) - start if len(plain) == 1 and plain.isascii() and plain.isdigit() else -1
    if not 0 <= index < len(labels):
        raise Unusable(f"the label {plain[:20]!r} is not one of {start} to {len(labels) - 1 + start}")
    return labels[index]


def one_of_each(names: Iterable[str]) -> tuple[str, ...]:
    """The names in the order in which they first come."""
    return tuple(dict.fromkeys(names))


def _listing(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"data {folder} cannot be listed: {error.strerror}") from None


def _standing_for(split: str) -> tuple[str, ...]:
    return ("test", "validation") if split == "test" else (split,)
