"""What is told and noted while a network trains."""

from __future__ import annotations

import csv
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fer_edge.errors import RuntimeUnavailable
from fer_train.data import Dataset
from fer_train.recipe import Recipe
from support.tiny_training import history

pytestmark = pytest.mark.usefixtures("keras_ready")


def test_every_step_is_told_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_train.learning import watch  # noqa: PLC0415 - Keras

    now = iter([100.0, 100.0, 102.0])
    monkeypatch.setattr(watch, "perf_s", lambda: next(now))
    told: list[str] = []
    pace = watch.Pace(1, 4, 10, told.append)
    pace.on_epoch_begin(1)
    pace.on_train_batch_end(1, {"loss": 1.25, "accuracy": 0.5})
    assert told == ["  epoch 2/4  20%: loss 1.2500, accuracy 0.5000; 0:08 left of it, 0:28 of all"]
    assert (told[0].done, told[0].total) == (2, 10)  # type: ignore[attr-defined] # a line that knows it


def test_steps_hold_each_batchs_own_loss(tmp_path: Path) -> None:
    from fer_train.learning.watch import Steps  # noqa: PLC0415 - Keras

    steps = Steps(tmp_path / "steps.csv", 0)
    steps.sizes = [4, 4, 2]
    steps.set_params({"epochs": 1})
    steps.on_epoch_begin(0)
    for batch, mean in enumerate((2.0, 1.5, 1.4)):
        steps.on_train_batch_end(batch, {"loss": mean})
    steps.on_epoch_end(0)
    with (tmp_path / "steps.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "1"), ("1", "2"), ("1", "3")]
    assert [float(row["loss"]) for row in rows] == pytest.approx([2.0, 1.0, 1.0])
    assert Steps(tmp_path / "steps.csv", 0)._rows == []
    assert len(Steps(tmp_path / "steps.csv", 1)._rows) == 3


def test_tensorboard_that_is_missing_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_train.learning.watch import Board  # noqa: PLC0415 - Keras

    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'fer-edge\[tensorboard\]'"):
        Board(tmp_path)


def test_a_curve_per_column_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_train.learning.watch import Board  # noqa: PLC0415 - Keras

    seen: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            seen.append((name, value, step))

        def flush(self) -> None:
            """Nothing is held back."""

        close = flush

    monkeypatch.setitem(sys.modules, "tensorboard.summary", SimpleNamespace(Writer=Writer))
    Board(tmp_path).add({"epoch": 3.0, "loss": 0.5, "learning_rate": 0.1})
    assert seen == [("loss", 0.5, 3), ("learning_rate", 0.1, 3)]


def test_event_files_and_steps_of_a_run(
    recipe: Recipe, drawings: tuple[Dataset, Dataset], trained_run: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install 'fer-edge[tensorboard]'")
    from fer_train import fit  # noqa: PLC0415 - Keras

    fit.run(recipe, *drawings, tmp_path, say=lambda _: None, options=fit.Options(tensorboard=True, steps=True))
    assert history(tmp_path) == history(trained_run)
    assert len((tmp_path / "steps.csv").read_text(encoding="utf-8").splitlines()) == 1 + 3 * 3
    accumulator = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [event.step for event in events.Tensors("loss")] == [1, 2, 3]
