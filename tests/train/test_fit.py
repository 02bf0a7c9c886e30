"""A real training of four filters on drawings: it learns, goes on after a kill as if nothing had been, stops on NaN."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import InputError
from fer_train.data import Dataset
from fer_train.recipe import Recipe
from fer_train.recipe import load as load_recipe

pytestmark = pytest.mark.usefixtures("keras_ready")
Drawings = tuple[Dataset, Dataset]


class Killed(BaseException):
    """What a power cut is to the process, as far as a test can go and live."""


def history(run: Path) -> list[dict[str, str]]:
    """`history.csv` to the last digit, without the column of time."""
    with (run / "history.csv").open(newline="", encoding="utf-8") as file:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def kill_at(start: str, after: int) -> Callable[[str], None]:
    """A listener that kills the run `after` lines after one that begins with `start`."""
    left = [-1]

    def say(line: str) -> None:
        if line.startswith(start):
            left[0] = after + 1
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return say


def silent(_: str) -> None:
    """Tell nobody."""


def weights(path: Path) -> list[Any]:
    import keras  # noqa: PLC0415 - takes seconds to import

    return list(keras.models.load_model(path, compile=False).get_weights())


def test_the_loss_falls(trained_run: Path) -> None:
    losses = [float(row["loss"]) for row in history(trained_run)]
    assert len(losses) == 3
    assert losses[2] < losses[0] - 0.05


def test_the_same_recipe_trains_the_same_weights(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    fit.run(recipe, *drawings, tmp_path / "again", say=silent)
    assert history(tmp_path / "again") == history(trained_run)
    pairs = zip(weights(tmp_path / "again" / "model.keras"), weights(trained_run / "model.keras"), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("lines", [0, 1], ids=["after its first epoch", "within its second epoch"])
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path, lines: int
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    with pytest.raises(Killed):
        fit.run(recipe, *drawings, tmp_path, say=kill_at("epoch 1", lines))
    assert len(history(tmp_path)) == 1
    fit.run(recipe, *drawings, tmp_path, resume=True, say=silent)
    assert history(tmp_path) == history(trained_run)


def test_a_kill_between_two_files_loses_no_epoch(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    written: list[str] = []
    real = fit._replace

    def dies_in_epoch_2(path: Path, write: Callable[[str], None]) -> None:
        real(path, write)
        written.extend({path.name} & {fit.HISTORY, fit.CHECKPOINT})
        if len(written) == 3:  # the first of the two files of epoch 2
            raise Killed

    monkeypatch.setattr(fit, "_replace", dies_in_epoch_2)
    with pytest.raises(Killed):
        fit.run(recipe, *drawings, tmp_path, say=silent)
    monkeypatch.setattr(fit, "_replace", real)
    fit.run(recipe, *drawings, tmp_path, resume=True, say=silent)
    assert history(tmp_path) == history(trained_run)


def test_resuming_a_finished_run_changes_nothing(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    before = history(trained_run)
    fit.run(recipe, *drawings, trained_run, resume=True, say=silent)
    assert history(trained_run) == before


def test_batches_cover_every_picture_once_per_epoch(recipe: Recipe, drawings: Drawings) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    train = drawings[0]
    batches = fit.Batches(train, recipe, epoch=1)
    targets = np.concatenate([batches[i][1] for i in range(len(batches))])
    assert targets.sum(axis=0).tolist() == list(train.counts().values())


def test_the_kept_model_is_the_best_epoch_in_float32(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    best = max(float(row["val_accuracy"]) for row in history(trained_run))
    assert evaluate(open_trained(trained_run), drawings[1]).scores.top1 == pytest.approx(best, abs=1e-6)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_weights(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    real = fit.Batches.__getitem__

    def poisoned(self: fit.Batches, index: int) -> tuple[Any, Any]:
        tensor, targets = real(self, index)
        return (tensor * np.nan, targets) if self._epoch == 1 else (tensor, targets)

    monkeypatch.setattr(fit.Batches, "__getitem__", poisoned)
    with pytest.raises(fit.Diverged, match="not a number"):
        fit.run(recipe, *drawings, tmp_path, say=silent)
    assert history(tmp_path) == history(trained_run)[:1]
    assert all(np.isfinite(array).all() for array in weights(tmp_path / fit.CHECKPOINT))


def test_a_folder_that_holds_a_run_is_refused(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match="already holds a run; pass --resume"):
        fit.run(recipe, *drawings, trained_run, say=silent)


def test_a_run_of_another_recipe_is_not_resumed(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    other = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"seed": 2})})
    with pytest.raises(InputError, match="holds a run of another recipe"):
        fit.run(other, *drawings, trained_run, resume=True, say=silent)


def test_rare_labels_weigh_more_when_classes_are_balanced(recipe: Recipe) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    targets = np.array([0] * 6 + [1] * 2, dtype=np.int64)
    data = Dataset(np.zeros((8, 48, 48), dtype=np.uint8), targets, ("a", "b"), ("x",) * 8, "here")
    balanced = load_recipe("fernet-s", ["fit.class_weight=balanced"]).fit
    assert fit._class_weight(data, balanced) == pytest.approx({0: 8 / 12, 1: 8 / 4})
