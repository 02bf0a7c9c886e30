"""What the tests of training share: a small data set of drawings, a recipe that trains in seconds, and one real run."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from fer_edge.labels import FER2013
from fer_train import backend
from fer_train import data as datasets
from fer_train import recipe as recipes
from fer_train.data import Dataset
from fer_train.recipe import Recipe
from support.shapes import shape
from support.tiny_training import TINY

PER_CLASS = {"train": 12, "test": 4}


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings as `<split>/<class>/*.png`: 12 per class to train with, 4 to test with."""
    root = tmp_path_factory.mktemp("shapes")
    for split, count in PER_CLASS.items():
        for label in FER2013:
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(folder / f"{i}.png"), shape(label, seed=1000 * (split == "test") + i))
    return root


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """fernet with four filters, three epochs."""
    return recipes.load("fernet-s", list(TINY))


@pytest.fixture(scope="session")
def drawings(shapes: Path, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """The two splits."""
    train, test = (datasets.load(str(shapes), recipe.labels, recipe.preprocess, split) for split in PER_CLASS)
    return train, test


@pytest.fixture(scope="session")
def keras_ready() -> None:
    """Keras, imported once per process."""
    backend.require_keras()


@pytest.fixture(scope="session")
def trained_run(
    keras_ready: None, recipe: Recipe, drawings: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run of all three epochs."""
    from fer_train import fit  # noqa: PLC0415 - Keras takes seconds to import

    run = tmp_path_factory.mktemp("runs") / "tiny"
    fit.run(recipe, *drawings, run, say=_silent)
    return run


def _silent(_: str) -> None:
    """Tell nobody."""
