"""The same picture twice: within a part, under two labels, or in two parts, where a model is judged by what it learnt.

Pictures are the same when all their decoded pixels are; a copy that was scaled or saved again is not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXAMPLES = 3
"""How many are named."""

Prints = NDArray[np.uint64]


@dataclass(frozen=True)
class Repeats:
    """Pictures of one part that are there more than once.

    groups: how many different ones. surplus: how many could be taken away without losing one. conflicting: groups of
    which the members have different labels. examples: names of the first groups.
    """

    groups: int
    surplus: int
    conflicting: int
    examples: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Shared:
    """Pictures of one part that another part has too. examples: (name here, name there) of the first."""

    count: int
    examples: tuple[tuple[str, str], ...]

    @property
    def words(self) -> str:
        """The first of them, for a sentence."""
        return " and ".join(self.examples[0])


def first_alike(prints: Prints) -> NDArray[np.int64]:
    """int64 (N,): for each picture the row of the first one that is the same, which may be its own."""
    _, first, inverse = np.unique(prints, return_index=True, return_inverse=True)
    return np.asarray(first[inverse.reshape(-1)], dtype=np.int64)


def within(prints: Prints, targets: NDArray[np.int64], names: tuple[str, ...]) -> Repeats:
    """What is there more than once among N pictures. prints: uint64 (N,). targets: int64 (N,)."""
    first = first_alike(prints)
    again = np.flatnonzero(first != np.arange(len(first)))
    heads = np.unique(first[again])
    differing = np.unique(first[again[targets[again] != targets[first[again]]]])
    examples = tuple(tuple(names[i] for i in np.flatnonzero(first == head)) for head in heads[:EXAMPLES])
    return Repeats(len(heads), len(again), len(differing), examples)


def across(here: Prints, there: Prints, names_here: tuple[str, ...], names_there: tuple[str, ...]) -> Shared:
    """The pictures `here` that are `there` too."""
    rows = np.flatnonzero(np.isin(here, there))
    place = {int(value): i for i, value in reversed(list(enumerate(there)))} if len(rows) else {}
    pairs = ((names_here[i], names_there[place[int(here[i])]]) for i in rows[:EXAMPLES])
    return Shared(len(rows), tuple(pairs))
