"""The curves of a run as a report needs them: there, whole, and with at least one epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_edge.errors import InputError
from fer_train import folder, history
from fer_train.history import COLUMNS, Row
from fer_train.recipe import Fit

Epochs = Sequence[Row]
"""One row per epoch, its numbers by column; a number that was not measured is NaN."""


def read(run: Path) -> list[Row]:
    """All columns of `history.csv`; raises InputError when there is none or it is not one."""
    path = run / folder.HISTORY
    if not path.exists():
        raise InputError(f"{path} does not exist; a run folder is what fer-train run wrote")
    rows = history.read(path)
    if not rows:
        raise InputError(f"{path} holds no epoch yet")
    if any(column not in rows[0] for column in COLUMNS):
        raise InputError(f"{path} is not a training history: expected the columns {', '.join(COLUMNS)}")
    return rows


def kept(epochs: Epochs, wanted: Fit) -> Row:
    """The row of the epoch whose weights were kept."""
    return epochs[history.best_epoch(list(epochs), wanted) - 1]


def seconds(epochs: Epochs) -> float:
    """What all epochs took together."""
    return sum(row["seconds"] for row in epochs)
