"""A real training of four filters on drawings: it learns, goes on after a kill as if nothing had been, stops on NaN."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import InputError
from fer_train import processor
from fer_train.data import Dataset
from fer_train.recipe import Recipe
from fer_train.recipe import load as load_recipe
from support.tiny_training import TINY, history, silent

pytestmark = pytest.mark.usefixtures("keras_ready")
Drawings = tuple[Dataset, Dataset]

FEATURES = {
    "all losses": (
        "fit.warmup_epochs=0",
        "fit.loss=focal",
        "fit.class_weight=balanced",
        "augmentation.cutmix=0.5",
        "augmentation.mixup=0.5",
    ),
    "adam and plateau": ("fit.optimizer=adam", "fit.schedule=plateau", "fit.patience=1", "fit.learning_rate=0.3"),
    "adam then sgd": ("fit.optimizer=adam-then-sgd", "fit.switch_epoch=2", "fit.schedule=step", "fit.step_epochs=1"),
    "muon": ("fit.optimizer=muon", "fit.learning_rate=0.02", "fit.weight_decay=0.05"),
    "averaged weights in half precision": ("fit.ema=0.8", "fit.choose=val_loss", "fit.precision=mixed_float16"),
}
"""By name, what may not be forgotten by a run that was killed."""


class Killed(BaseException):
    """What a power cut is to the process, as far as a test can go and live."""


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


def weights(path: Path) -> list[Any]:
    import keras  # noqa: PLC0415 - takes seconds to import

    return list(keras.models.load_model(path, compile=False).get_weights())


def same(run: Path, other: Path) -> bool:
    """Whether two runs have the same curves and the same kept weights, to the last bit."""
    pairs = zip(weights(run / "model.keras"), weights(other / "model.keras"), strict=True)
    return history(run) == history(other) and all(np.array_equal(a, b) for a, b in pairs)


def test_a_processor_without_half_precision_trains_in_float32_and_says_so(
    drawings: Drawings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    monkeypatch.setattr(processor, "precision", lambda _: "float32")
    heard: list[str] = []
    fit.run(load_recipe("fernet-s", [*TINY, "fit.epochs=1"]), *drawings, tmp_path / "wanted", say=silent)
    changes = [*TINY, "fit.epochs=1", "fit.precision=mixed_bfloat16"]
    fit.run(load_recipe("fernet-s", changes), *drawings, tmp_path / "emulated", say=heard.append)
    assert any("no instructions for mixed_bfloat16" in line for line in heard)
    assert same(tmp_path / "emulated", tmp_path / "wanted")


def test_the_loss_falls(trained_run: Path) -> None:
    losses = [float(row["loss"]) for row in history(trained_run)]
    assert len(losses) == 3
    assert losses[2] < losses[0] - 0.05


@pytest.mark.parametrize("changes", FEATURES.values(), ids=FEATURES)
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    drawings: Drawings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: tuple[str, ...]
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras
    from fer_train.learning import batches  # noqa: PLC0415 - Keras

    monkeypatch.setattr(processor, "precision", str)  # half precision also where the processor emulates it
    recipe = load_recipe("fernet-s", [*TINY, *changes])
    fit.run(recipe, *drawings, tmp_path / "whole", say=silent)
    monkeypatch.setattr(batches, "WORKERS", 3)  # more threads make the same batches, and end with the run
    killed = tmp_path / "killed"
    with pytest.raises(Killed):
        fit.run(recipe, *drawings, killed, say=kill_at("epoch 2", 1))  # within the third epoch
    assert len(history(killed)) == 2
    fit.run(recipe, *drawings, killed, resume=True, say=silent)
    assert same(killed, tmp_path / "whole")


@pytest.mark.parametrize("file", [0, 1], ids=["the history", "the checkpoint"])
def test_a_kill_after_any_file_of_an_epoch_loses_nothing(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: int
) -> None:
    from fer_train import fit, folder  # noqa: PLC0415 - Keras
    from fer_train import history as curves  # noqa: PLC0415 - with the others
    from fer_train.learning import checkpoint, training  # noqa: PLC0415 - Keras

    written: list[str] = []
    real = folder.replace

    def dies(path: Path, write: Callable[[str], None]) -> None:
        real(path, write)
        written.append(path.name)
        if len(written) == file + 1:
            raise Killed

    for module in (checkpoint, curves, training):
        monkeypatch.setattr(module, "replace", dies)
    with pytest.raises(Killed):
        fit.run(recipe, *drawings, tmp_path, say=silent)
    monkeypatch.undo()
    assert written == [fit.HISTORY, fit.CHECKPOINT, fit.BEST][: file + 1]
    fit.run(recipe, *drawings, tmp_path, resume=True, say=silent)
    assert same(tmp_path, trained_run)


def test_fewer_pictures_than_devices_are_refused(recipe: Recipe, drawings: Drawings, tmp_path: Path) -> None:
    from fer_train.learning import parallel, training  # noqa: PLC0415 - Keras

    few = drawings[0].subset([0, 1, 2])
    with pytest.raises(InputError, match="3 pictures are too few for 4 devices"):
        training.Training(recipe, (few, few), tmp_path, [], (parallel.Devices(4), silent))


def test_resuming_a_finished_run_changes_nothing(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    before = history(trained_run), weights(trained_run / fit.MODEL)
    result = fit.run(recipe, *drawings, trained_run, resume=True, say=silent)
    assert history(trained_run) == before[0]
    assert all(np.array_equal(a, b) for a, b in zip(before[1], weights(trained_run / fit.MODEL), strict=True))
    assert len(result.history) == 3


def test_the_kept_model_is_the_best_epoch_in_float32(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    best = max(float(row["val_accuracy"]) for row in history(trained_run))
    assert evaluate(open_trained(trained_run), drawings[1]).scores.top1 == pytest.approx(best, abs=1e-6)


def test_a_run_that_gets_no_better_ends_before_its_last_epoch(drawings: Drawings, tmp_path: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    changes = ("fit.epochs=9", "fit.learning_rate=1e-12", "fit.schedule=constant", "fit.stop_patience=2")
    recipe = load_recipe("fernet-s", [*TINY, *changes])  # a rate that moves no weight: accuracy stays what it was
    told: list[str] = []
    result = fit.run(recipe, *drawings, tmp_path, say=told.append)
    assert (len(result.history), result.epoch) == (3, 1)
    assert told[-1] == "stopping: no better epoch for 2 epochs"


def test_a_loss_that_is_no_number_stops_the_run_at_that_batch_and_keeps_the_last_good_weights(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras
    from fer_train.learning import batches  # noqa: PLC0415 - Keras

    real = batches.Batches.__getitem__

    def poisoned(self: batches.Batches, index: int) -> tuple[Any, Any]:
        tensor, targets = real(self, index)
        return (tensor * np.nan, targets) if (self._epoch, index) == (1, 1) else (tensor, targets)

    monkeypatch.setattr(batches.Batches, "__getitem__", poisoned)
    where = r"epoch 2 at batch 2: the loss is not a number; the weights of epoch 1 are in .*checkpoint.npz$"
    with pytest.raises(fit.Diverged, match=where):
        fit.run(recipe, *drawings, tmp_path, say=silent)
    assert history(tmp_path) == history(trained_run)[:1]
    monkeypatch.undo()
    fit.run(recipe, *drawings, tmp_path, resume=True, say=silent)
    assert same(tmp_path, trained_run)


def test_weights_that_the_last_batch_ruined_are_not_kept(drawings: Drawings, tmp_path: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    changes = ("fit.epochs=1", "fit.batch=84", "fit.learning_rate=1e38", "fit.warmup_epochs=0")  # one step, too far
    with pytest.raises(fit.Diverged, match="after epoch 1: the validation loss is not a number; no epoch was finished"):
        fit.run(load_recipe("fernet-s", [*TINY, *changes]), *drawings, tmp_path, say=silent)
    assert not (tmp_path / fit.CHECKPOINT).exists()


def test_a_folder_that_holds_a_run_is_refused(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match="already holds a run; pass --resume"):
        fit.run(recipe, *drawings, trained_run, say=silent)


def test_a_run_of_another_recipe_is_not_resumed(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    other = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"seed": 2})})
    with pytest.raises(InputError, match="holds a run of another recipe"):
        fit.run(other, *drawings, trained_run, resume=True, say=silent)


def test_frozen_layers_stay_as_they_were_drawn_also_after_a_resume(drawings: Drawings, tmp_path: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras
    from fer_train.learning import network  # noqa: PLC0415 - Keras

    recipe = load_recipe("fernet-s", [*TINY, "model.frozen=1"])
    with pytest.raises(Killed):
        fit.run(recipe, *drawings, tmp_path, say=kill_at("epoch 1", 0))
    result = fit.run(recipe, *drawings, tmp_path, resume=True, say=silent)
    drawn = network.fresh_model(recipe)
    network.draw_weights(drawn, recipe.fit.seed)
    kept = [np.array_equal(a, b) for a, b in zip(result.model.get_weights(), drawn.get_weights(), strict=True)]
    assert kept[0]
    assert not all(kept)


def test_a_run_started_from_weights_begins_with_them(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    changes = {"model": recipe.model.model_copy(update={"weights": str(trained_run / "model.keras")})}
    fit.run(recipe.model_copy(update=changes), *drawings, tmp_path, say=silent)
    first = [float(history(run)[0]["loss"]) for run in (tmp_path, trained_run)]
    assert first[0] < first[1] - 0.05


def test_the_history_names_the_rate_of_every_epoch(trained_run: Path) -> None:
    with (trained_run / "history.csv").open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        assert table.fieldnames is not None
        assert table.fieldnames[-1] == "learning_rate"
        rates = [float(row["learning_rate"]) for row in table]
    assert rates[0] < rates[1]  # the first epoch warms up
    assert rates[2] < rates[1]
