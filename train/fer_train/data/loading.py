"""A data set as a model takes it: its pictures cut, its classes mapped by name to the model's labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_edge.errors import InputError, UsageError
from fer_edge.labels import AFFECTNET8, canonical
from fer_edge.preprocess import PreprocessSpec
from fer_train.data import layouts, reading
from fer_train.data.dataset import Dataset, Originals
from fer_train.data.entries import SPLITS, Entry, Layout, Problem, Source
from fer_train.progress import Say


@dataclass
class Sorted:
    """A data set's entries by what they are to a model: pictures with a target, or reasons why they are none."""

    sources: list[Source] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)


def load(
    where: str,
    labels: Sequence[str],
    spec: PreprocessSpec,
    split: str | None = None,
    limit: int | None = None,
    say: Say | None = None,
) -> Dataset:
    """Read a data set.

    where: `fer2013:PATH`, `affectnet:PATH`, `rafdb:PATH`, `folder:PATH` or a path whose layout is recognised; see
    `layouts`. split: a key of SPLITS; None takes all parts together, or the folder as it is when it has none. limit:
    take this many, classes in equal shares. say: told how fast it goes. Raises InputError when nothing usable is there.
    """
    layout = layouts.find(where)
    _require_some(layout, where, labels)
    rows = sort(layout, split, labels)
    seen, images = reading.read(rows.sources, rows.names, spec, say)
    problems = [*rows.problems, *seen.problems(rows.names)]
    if not len(images):
        reason = f"; the first of {len(problems)} problems: {': '.join(problems[0])}" if problems else ""
        raise InputError(f"no usable pictures under {layouts.root_of(where)}{reason}")
    good = seen.good
    whole = Dataset(
        images,
        np.asarray(rows.targets, dtype=np.int64)[good],
        tuple(labels),
        tuple(rows.names[i] for i in good),
        str(where),
        tuple(problems),
        tuple(sorted(rows.strangers)),
        dict(rows.left_out),
        Originals(seen.sizes, seen.prints).take(good),
    )
    return whole if limit is None or limit >= len(whole) else whole.stratified(limit, seed=0)


def has_split(where: str, split: str) -> bool:
    """Whether the data says which of its pictures belong to this split; errors as in `load`."""
    if split not in SPLITS:
        raise UsageError(f"there is no split {split!r}, only {', '.join(SPLITS)}")
    return split in layouts.find(where).splits


def _require_some(layout: Layout, where: str, labels: Sequence[str]) -> None:
    known = {canonical(name) for name in labels}
    if not any(canonical(name) in known for name in layout.labels):
        found = ", ".join(layout.labels)[:80] or "none"
        raise InputError(
            f"data {where} has no class folders: expected some of {', '.join(labels)}, found {found}; "
            f"{layouts.looked_for(where)}"
        )


def sort(layout: Layout, split: str | None, labels: Sequence[str]) -> Sorted:
    """Tell apart what a model with these labels can use of a split, or of all, by the classes' names."""
    index = {canonical(name): i for i, name in enumerate(labels)}
    found = Sorted()
    for entry in layout.entries(split):
        label = canonical(entry.label)
        if entry.problem or entry.source is None:
            found.problems.append(Problem(entry.name, entry.problem))
        elif label in index:
            found.sources.append(entry.source)
            found.targets.append(index[label])
            found.names.append(entry.name)
            found.splits.append(entry.split)
        else:
            _leave_out(entry, label, found)
            if label not in layout.optional:
                found.strangers.add(entry.label)
    return found


def _leave_out(entry: Entry, label: str, found: Sorted) -> None:
    """A class without a label: an expression that this model does not tell, or no expression at all."""
    if label in AFFECTNET8:
        found.left_out[label] += 1
    else:
        found.problems.append(Problem(entry.name, f"unknown class {entry.label!r}"))
