"""Averaged weights are measured and kept, with batch statistics of their own; what is learned stays the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_train.data import Dataset
from fer_train.recipe import Recipe
from fer_train.recipe import load as load_recipe
from support.tiny_training import TINY, history, silent

pytestmark = pytest.mark.usefixtures("keras_ready")


def test_averaging_changes_what_is_kept_and_not_what_is_learned(
    drawings: tuple[Dataset, Dataset], trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    fit.run(load_recipe("fernet-s", [*TINY, "fit.ema=0.9"]), *drawings, tmp_path, say=silent)
    averaged, plain = history(tmp_path), history(trained_run)
    for column in ("loss", "accuracy"):
        assert [row[column] for row in averaged] == [row[column] for row in plain]
    assert [row["val_loss"] for row in averaged] != [row["val_loss"] for row in plain]


def test_the_kept_weights_are_the_running_mean_over_the_steps(recipe: Recipe, tmp_path: Path) -> None:
    """Two steps of a known size: the mean starts at the first and moves a fifth of the way to the second."""
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.optimizers import Schedule, optimizer, plan  # noqa: PLC0415 - Keras

    wanted = recipe.fit.model_copy(
        update={"ema": 0.8, "schedule": "constant", "learning_rate": 1.0, "momentum": 0.0, "nesterov": False}
    )
    wanted = wanted.model_copy(update={"warmup_epochs": 0.0, "weight_decay": 0.0})
    what = plan(wanted, 0, [])
    made = optimizer(wanted, what, Schedule(wanted, what, 2))
    weight = keras.Variable(np.zeros(1, dtype=np.float32))
    for _ in range(2):
        made.apply([np.full(1, -1.0, dtype=np.float32)], [weight])
    assert float(weight.value[0]) == pytest.approx(2.0)
    made.finalize_variable_values([weight])
    assert float(weight.value[0]) == pytest.approx(1.2)


@pytest.fixture
def nested() -> Any:
    """Batch normalisation of the input, within a model within a model; its moving statistics are of nothing."""
    import keras  # noqa: PLC0415 - takes seconds to import

    inner = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.BatchNormalization(momentum=0.9)])
    return keras.Sequential([keras.Input((48, 48, 1)), inner, keras.layers.Flatten()])


def test_batch_statistics_are_those_of_the_training_pictures(
    nested: Any, recipe: Recipe, drawings: tuple[Dataset, Dataset]
) -> None:
    from fer_train.learning import ema  # noqa: PLC0415 - Keras
    from fer_train.learning.batches import Batches  # noqa: PLC0415 - Keras

    batches = Batches(drawings[0], recipe, 0)
    assert ema.settle(nested, batches) == 3
    mean, variance = nested.get_weights()[2:]
    tensors = [batches[i][0] for i in range(3)]
    assert mean == pytest.approx(np.mean([tensor.mean() for tensor in tensors]), abs=1e-4)
    assert variance == pytest.approx(np.mean([tensor.var() for tensor in tensors]), rel=1e-4)


def test_frozen_batch_statistics_stay(nested: Any, recipe: Recipe, drawings: tuple[Dataset, Dataset]) -> None:
    from fer_train.learning import ema  # noqa: PLC0415 - Keras
    from fer_train.learning.batches import Batches  # noqa: PLC0415 - Keras

    nested.layers[0].trainable = False
    assert ema.settle(nested, Batches(drawings[0], recipe, 0)) == 0
    assert [float(array[0]) for array in nested.get_weights()] == [1.0, 0.0, 0.0, 1.0]
