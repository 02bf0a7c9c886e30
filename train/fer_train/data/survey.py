"""What a data set holds, before anything is trained on it: classes per part, faults, sizes, repeated pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import InputError
from fer_edge.labels import AFFECTNET8, FER2013, SETS, canonical
from fer_train.data import duplicates, layouts, reading
from fer_train.data.dataset import MAX_ASPECT
from fer_train.data.duplicates import Repeats, Shared
from fer_train.data.entries import SPLITS, Layout, Problem
from fer_train.data.loading import Sorted, sort
from fer_train.data.reading import Seen
from fer_train.progress import Say

UNDIVIDED, UNNAMED = "all", "other"
"""What the only part of data without parts is called, and what pictures of no part in data with parts are."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """One part: pictures per class that can be used, and what of it repeats."""

    name: str
    counts: dict[str, int]
    repeats: Repeats

    @property
    def total(self) -> int:
        """Pictures that can be used."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Survey:
    """A whole data set.

    shared: (part, other part): pictures of the first that the other has too, none left out but empty ones.
    sizes: pictures per (height, width). uneven: of them, how many are far from square. left_out: pictures of known
    classes without a label.
    """

    title: str
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]
    left_out: dict[str, int]
    shared: dict[tuple[str, str], Shared]
    sizes: dict[tuple[int, int], int]
    uneven: int

    @property
    def by_reason(self) -> dict[str, tuple[str, ...]]:
        """Names of the pictures that cannot be used, by the reason, the most frequent first."""
        found: dict[str, list[str]] = {}
        for name, reason in self.problems:
            found.setdefault(reason, []).append(name)
        return {reason: tuple(names) for reason, names in sorted(found.items(), key=lambda item: -len(item[1]))}

    def smaller_than(self, size_px: int) -> int:
        """Pictures of which a side is shorter than a model's input."""
        return sum(count for sides, count in self.sizes.items() if min(sides) < size_px)


def survey(where: str, labels: Sequence[str] | None = None, say: Say | None = None) -> Survey:
    """Look at every picture of a data set.

    labels: None takes the data's own. Raises the errors of `layouts.find`, and InputError when there is no picture.
    """
    layout = layouts.find(where)
    chosen = tuple(labels) if labels is not None else own_labels(layout)
    rows = sort(layout, None, chosen)
    seen = reading.look(rows.sources, say)
    problems = [*rows.problems, *seen.problems(rows.names)]
    good = seen.good
    if not len(good) and not problems:
        raise InputError(f"no pictures of {', '.join(chosen)} under {layouts.root_of(where)}")
    sizes = seen.sizes[good]
    members = _members(rows, good, layout)
    return Survey(
        layout.title,
        chosen,
        tuple(_part(name, members[name], rows, chosen, seen) for name in members),
        tuple(problems),
        dict(rows.left_out),
        _shared(members, rows, seen),
        {(int(h), int(w)): n for (h, w), n in Counter(map(tuple, sizes.tolist())).most_common()},
        int((sizes.max(axis=1) > MAX_ASPECT * sizes.min(axis=1)).sum()),
    )


def own_labels(layout: Layout) -> tuple[str, ...]:
    """The data's own classes: expressions in the order of a known set, or the folders' names when none is one."""
    known = {canonical(name) for name in layout.labels} & set(AFFECTNET8)
    if layout.labels in SETS.values() or not known:
        return layout.labels
    return FER2013 if known <= set(FER2013) else AFFECTNET8


def _members(rows: Sorted, good: Rows, layout: Layout) -> dict[str, Rows]:
    """The good rows of every part, in the order of SPLITS."""
    rest = UNNAMED if layout.splits else UNDIVIDED
    named = np.array([rows.splits[i] or rest for i in good], dtype=object)
    names = [name for name in SPLITS if name in layout.splits]
    return {name: good[named == name] for name in [*names, *([rest] if rest in named or not names else [])]}


def _part(name: str, rows: Rows, every: Sorted, labels: Sequence[str], seen: Seen) -> Part:
    targets = np.asarray(every.targets, dtype=np.int64)[rows]
    counts = {label: int((targets == i).sum()) for i, label in enumerate(labels)}
    return Part(name, counts, duplicates.within(seen.prints[rows], targets, _names(every, rows)))


def _shared(members: dict[str, Rows], every: Sorted, seen: Seen) -> dict[tuple[str, str], Shared]:
    """What later parts have in common with earlier ones."""
    found = {}
    for there, here in combinations(members, 2):
        a, b = members[here], members[there]
        shared = duplicates.across(seen.prints[a], seen.prints[b], _names(every, a), _names(every, b))
        if shared.count:
            found[here, there] = shared
    return found


def _names(every: Sorted, rows: Rows) -> tuple[str, ...]:
    return tuple(every.names[i] for i in rows)
