"""The curves of a run, one row per epoch, and what follows from them: the best epoch, the rate, whether to go on.

Whatever can be worked out from these rows is not stored anywhere else, so that a resumed run cannot disagree with them.
"""

from __future__ import annotations

import csv
from pathlib import Path

from fer_edge.errors import InputError
from fer_train.folder import replace
from fer_train.recipe import Fit

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
"""What every history has; loss and accuracy are means over the epoch's augmented pictures while the weights moved."""
RATE = "learning_rate"
"""Of the epoch's last step; older histories have no such column."""

Row = dict[str, float]


def write(path: Path, history: list[Row]) -> None:
    """All rows, with all digits; raises OutputError."""

    def table(where: str) -> None:
        with Path(where).open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, (*COLUMNS, RATE))
            rows.writeheader()
            rows.writerows({**row, "epoch": int(row["epoch"])} for row in history)

    replace(path, table)


def read(path: Path) -> list[Row]:
    """All rows; none when there is no file. Raises InputError for a file that is not a history."""
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (TypeError, ValueError):
        raise InputError(f"{path} is not a training history: it has a row that is not all numbers") from None


def best_epoch(history: list[Row], fit: Fit) -> int:
    """The number, from 1, of the first epoch that was best by `fit.choose`; `history` has a row at least."""
    sign = 1.0 if fit.choose == "val_accuracy" else -1.0
    return 1 + max(range(len(history)), key=lambda i: (sign * history[i][fit.choose], -i))


def stopped(history: list[Row], fit: Fit) -> bool:
    """Whether `stop_patience` epochs have passed without a better one."""
    if not fit.stop_patience or not history:
        return False
    return len(history) - best_epoch(history, fit) >= fit.stop_patience


def drops(history: list[Row], patience: int) -> int:
    """How often a rate has been lowered that falls after `patience` epochs without a lower validation loss."""
    lowest, waited, count = float("inf"), 0, 0
    for row in history:
        if row["val_loss"] < lowest:
            lowest, waited = row["val_loss"], 0
            continue
        waited += 1
        if waited == patience:
            waited, count = 0, count + 1
    return count
