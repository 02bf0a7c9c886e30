"""The three parts of a run's pictures: those it learns from, those that choose the epoch, those that judge it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import InputError, UsageError
from fer_edge.labels import set_of
from fer_train import data
from fer_train.data import Dataset, duplicates
from fer_train.progress import Say
from fer_train.recipe import Data, Recipe

TRAIN, VALIDATION, TEST = "train", "validation", "test"
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """validation is `test` itself when no pictures are set aside for choosing the epoch."""

    train: Dataset
    validation: Dataset
    test: Dataset


def read(where: str, recipe: Recipe, limit: int | None = None, say: Say | None = None) -> Parts:
    """Load a data set as the recipe divides it, to learn from: every label must have training pictures.

    say: told how reading goes, and a warning when two parts share pictures. Raises UsageError for a limit that leaves
    classes out, InputError when the training pictures lack one of the recipe's labels, else as `dealt`.
    """
    if limit is not None and limit < len(recipe.labels):
        raise UsageError(f"a limit of {limit} leaves classes out: {recipe.name} has {len(recipe.labels)} labels")
    parts = dealt(where, recipe, limit, say)
    _require_every_label(parts.train, recipe)
    if say is not None:
        for warning in warnings(parts):
            say(warning)
    return parts


def dealt(where: str, recipe: Recipe, limit: int | None = None, say: Say | None = None) -> Parts:
    """Load a data set as the recipe divides it, whatever classes it has.

    limit: at most so many pictures of each part, classes in equal shares. Raises InputError when a part would be empty
    and for data without parts that is to keep its own.
    """
    found = _random(where, recipe, say) if recipe.data.split == "random" else _official(where, recipe, say)
    train, test = _limited(found.train, limit), _limited(found.test, limit)
    return Parts(train, test if found.validation is found.test else _limited(found.validation, limit), test)


def warnings(parts: Parts) -> Iterator[str]:
    """A sentence for every two parts that have pictures in common."""
    named = [(TEST, parts.test), (TRAIN, parts.train)]
    if parts.validation is not parts.test:
        named.insert(1, (VALIDATION, parts.validation))
    for i, (name, part) in enumerate(named):
        for other, there in named[i + 1 :]:
            shared = duplicates.across(part.prints(), there.prints(), part.names, there.names)
            if shared.count:
                yield (
                    f"warning: {name} pictures that are {other} pictures too: {shared.count} of {len(part)}, such as "
                    f"{shared.words}"
                )


def divide(whole: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """(share, rest): every class in the same proportion, identical pictures together; the same for the same seed."""
    chosen, rest = _divided(whole, np.arange(len(whole)), share, seed)
    return whole.subset(chosen), whole.subset(rest)


def _official(where: str, recipe: Recipe, say: Say | None) -> Parts:
    """The data's own parts; its own validation part where the recipe sets no share of the training pictures aside."""
    wanted = recipe.data
    for split in (TRAIN, TEST):
        if not data.has_split(where, split):
            raise InputError(
                f"data {where} has no {split} part of its own: divide it at random, "
                "as with --set data.split=random --set data.test=0.1 --set data.validation=0.1"
            )

    def load(split: str) -> Dataset:
        return data.load(where, recipe.labels, recipe.preprocess, split, say=say)

    whole, test = load(TRAIN), load(TEST)
    rows = _per_class(whole, wanted)
    if wanted.validation:
        chosen, rest = _divided(whole, rows, wanted.validation, wanted.seed)
        return Parts(whole.subset(rest), whole.subset(chosen), test)
    train = whole if len(rows) == len(whole) else whole.subset(rows)
    return Parts(train, load(VALIDATION) if data.has_split(where, VALIDATION) else test, test)


def _random(where: str, recipe: Recipe, say: Say | None) -> Parts:
    """All pictures together, dealt anew."""
    wanted = recipe.data
    whole = data.load(where, recipe.labels, recipe.preprocess, say=say)
    judging, rest = _divided(whole, _per_class(whole, wanted), wanted.test, wanted.seed)
    test = whole.subset(judging)
    if not wanted.validation:
        return Parts(whole.subset(rest), test, test)
    choosing, learning = _divided(whole, rest, wanted.validation / (1.0 - wanted.test), wanted.seed)
    return Parts(whole.subset(learning), whole.subset(choosing), test)


def _divided(whole: Dataset, rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Some of these rows and the rest, each in order: of every class `share`, rounded to whole pictures.

    Identical pictures go together; where they are of two classes, or are the last to go, a class may miss its share by
    those.
    """
    rng = np.random.default_rng(seed)
    targets, alike = whole.targets[rows], duplicates.first_alike(whole.prints()[rows])
    order = np.argsort(alike, kind="stable")
    starts = np.searchsorted(alike[order], np.arange(len(rows) + 1))
    taken = np.zeros(len(rows), dtype=np.bool_)
    for i in range(len(whole.labels)):
        drawn = rng.permutation(np.flatnonzero(targets == i))
        missing = round(share * len(drawn)) - int(taken[drawn].sum())
        for row in drawn:
            same = order[starts[alike[row]] : starts[alike[row] + 1]]
            count = int((targets[same] == i).sum())
            if not taken[row] and count <= missing:
                taken[same] = True
                missing -= count
    if share and not taken.any():
        raise InputError(
            f"{len(rows)} pictures of {whole.source} are too few to set a share of {share:g} aside, copies together"
        )
    return rows[taken], rows[~taken]


def _per_class(whole: Dataset, wanted: Data) -> Rows:
    """The rows of so many pictures of each class as the recipe wants, in order."""
    if not wanted.per_class:
        return np.arange(len(whole))
    rng = np.random.default_rng(wanted.seed)
    pools = (np.flatnonzero(whole.targets == i) for i in range(len(whole.labels)))
    return np.sort(np.concatenate([rng.permutation(pool)[: wanted.per_class] for pool in pools]))


def _require_every_label(train: Dataset, recipe: Recipe) -> None:
    counts = train.counts()
    there = [name for name, count in counts.items() if count]
    if len(there) == 1:
        raise InputError(f"all training pictures of {train.source} are {there[0]}: there is nothing to tell apart")
    absent = [name for name in counts if name not in there]
    if absent:
        raise InputError(
            f"{train.source} has no training pictures of {', '.join(absent)}, which {recipe.name} is to learn: "
            f"leave it out with --set labels={set_of(there) or repr(json.dumps(there))}"
        )


def _limited(part: Dataset, limit: int | None) -> Dataset:
    return part if limit is None or limit >= len(part) else part.stratified(limit, seed=0)
