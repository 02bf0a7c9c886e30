"""What looks on while a network trains: it tells how far it is, notes each step's loss, stops when there is none."""

from __future__ import annotations

import csv
import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from fer_edge.clock import perf_s
from fer_edge.errors import FerEdgeError, RuntimeUnavailable
from fer_train.folder import replace
from fer_train.history import Row
from fer_train.progress import Say, Step, clock

STEP_COLUMNS = ("epoch", "step", "loss")


class Diverged(FerEdgeError):  # noqa: N818 - what happened to the run
    """The loss is no longer a number; the last good checkpoint is kept."""


class Pace(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells of every step with the time left, and raises Diverged at the first whose loss is not a number."""

    def __init__(self, epoch: int, epochs: int, steps: int, say: Say) -> None:
        """epoch: of `epochs`, counted from 0, `steps` long."""
        super().__init__()
        self._epoch, self._epochs, self._steps, self._say = epoch, epochs, steps, say
        self._began = perf_s()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002 - Keras' signature
        """Begin to count."""
        self._began = perf_s()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras' signature
        """Look at the mean over the epoch so far: a loss that is not a number stays in it."""
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"training stopped in epoch {self._epoch + 1} at batch {batch + 1}: the loss is not a number"
            )
        per_step = (perf_s() - self._began) / (batch + 1)
        left = per_step * (self._steps - batch - 1)
        all_left = left + per_step * self._steps * (self._epochs - self._epoch - 1)
        self._say(
            Step(
                f"epoch {self._epoch + 1}/{self._epochs} {(batch + 1) / self._steps:4.0%}: "
                f"loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.4f}; "
                f"{clock(left)} left of it, {clock(all_left)} of all",
                batch + 1,
                self._steps,
            )
        )


class Steps(keras.callbacks.Callback):  # type: ignore[misc]
    """Each batch's own loss in `steps.csv`, to see how a run begins and to compare two that should begin alike."""

    def __init__(self, path: Path, epochs: int) -> None:
        """epochs: how many the run has behind it; what the file says of later ones is of a run that was cut short."""
        super().__init__()
        self._path = path
        self._rows = [row for row in _rows(path) if row["epoch"] <= epochs]
        self.sizes: Sequence[int] = ()
        """Samples of each batch of the epoch."""
        self._seen, self._sum = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002 - Keras' signature
        """Begin a new mean, as Keras does."""
        self._seen, self._sum = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras' signature
        """Keras tells the mean over the epoch's samples so far; the batch's own is what it adds."""
        size = self.sizes[batch]
        total = logs["loss"] * (self._seen + size)
        self._rows.append({"epoch": self.params["epochs"], "step": batch + 1, "loss": (total - self._sum) / size})
        self._seen, self._sum = self._seen + size, total

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002 - Keras' signature
        """Write all of them."""
        replace(self._path, self._write)

    def _write(self, where: str) -> None:
        with Path(where).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, STEP_COLUMNS)
            table.writeheader()
            table.writerows({**row, "epoch": int(row["epoch"]), "step": int(row["step"])} for row in self._rows)


class Board:
    """The curves as TensorBoard's event files."""

    def __init__(self, folder: Path) -> None:
        """Into `folder`; raises RuntimeUnavailable when the writer is not installed."""
        try:
            summary = importlib.import_module("tensorboard.summary")
        except ImportError:
            raise RuntimeUnavailable(
                "--tensorboard needs TensorBoard's writer of event files: pip install 'fer-edge[tensorboard]'"
            ) from None
        self._writer = summary.Writer(str(folder))

    def add(self, row: Row) -> None:
        """One epoch: a curve per column, against the number of the epoch."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
