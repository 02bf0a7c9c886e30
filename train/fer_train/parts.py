"""The three parts of a run's pictures: those it learns from, those that choose the epoch, those that judge it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import InputError
from fer_train import data
from fer_train.data import Dataset
from fer_train.recipe import Data, Recipe

TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Parts:
    """validation is `test` itself when the recipe sets no pictures aside for choosing the epoch."""

    train: Dataset
    validation: Dataset
    test: Dataset


def read(where: str, recipe: Recipe, limit: int | None = None) -> Parts:
    """Load a data set as the recipe divides it.

    limit: at most so many pictures of each part, classes in equal shares. Raises InputError when a part would be empty.
    """
    wanted = recipe.data
    if wanted.split == "random":
        whole = _per_class(data.load(where, recipe.labels, recipe.preprocess), wanted)
        test, rest = divide(whole, wanted.test, wanted.seed)
        validation, train = divide(rest, wanted.validation / (1.0 - wanted.test), wanted.seed)
    else:
        train = _per_class(data.load(where, recipe.labels, recipe.preprocess, TRAIN), wanted)
        test = data.load(where, recipe.labels, recipe.preprocess, TEST)
        validation, train = divide(train, wanted.validation, wanted.seed)
    train, test = _limited(train, limit), _limited(test, limit)
    return Parts(train, _limited(validation, limit) if wanted.validation else test, test)


def divide(whole: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """(share, rest): every class in the same proportion, rounded to whole pictures; the same for the same seed."""
    rng = np.random.default_rng(seed)
    taken: list[NDArray[np.int64]] = []
    for i in range(len(whole.labels)):
        rows = rng.permutation(np.flatnonzero(whole.targets == i))
        taken.append(rows[: round(share * len(rows))])
    chosen = np.sort(np.concatenate(taken))
    if share and not len(chosen):
        raise InputError(f"{len(whole)} pictures of {whole.source} are too few to set a share of {share:g} aside")
    rest = np.setdiff1d(np.arange(len(whole)), chosen)
    return whole.subset(chosen), whole.subset(rest)


def _per_class(whole: Dataset, wanted: Data) -> Dataset:
    if not wanted.per_class:
        return whole
    rng = np.random.default_rng(wanted.seed)
    pools = (np.flatnonzero(whole.targets == i) for i in range(len(whole.labels)))
    return whole.subset(np.sort(np.concatenate([rng.permutation(pool)[: wanted.per_class] for pool in pools])))


def _limited(part: Dataset, limit: int | None) -> Dataset:
    return part if limit is None or limit >= len(part) else part.stratified(limit, seed=0)
