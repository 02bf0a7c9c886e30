"""What a model said of each picture, as a table that lies beside its figures and makes paired comparisons possible."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.errors import InputError
from fer_train.reporting.files import put

if TYPE_CHECKING:
    from fer_train.evaluate import Evaluation

FILE = "predictions.csv"
COLUMNS = ("name", "true", "predicted", "confidence")


@dataclass(frozen=True)
class Predictions:
    """By the picture's name: its label and the label that was predicted."""

    true: dict[str, str]
    predicted: dict[str, str]

    @property
    def right(self) -> dict[str, bool]:
        """By the picture's name: whether both are the same."""
        return {name: self.predicted[name] == label for name, label in self.true.items()}


def of(evaluation: Evaluation) -> Predictions:
    """As `read` would give them."""
    rows = _rows(evaluation)
    return Predictions({row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows})


def write(path: Path, evaluation: Evaluation) -> Path:
    """A row per picture, confidence 0 to 1; names are relative to the data's root. Raises OutputError."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows((*row[:3], f"{row[3]:.4f}") for row in _rows(evaluation))
    return put(path, text.getvalue())


def read(path: Path) -> Predictions:
    """The table again; raises InputError when it is missing or not one."""
    true: dict[str, str] = {}
    predicted: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file, strict=True)
            if tuple(table.fieldnames or ()) != COLUMNS:
                raise InputError(f"{path} is not a table of predictions: expected the columns {', '.join(COLUMNS)}")
            for row in table:
                name, label, guess = _three(row)
                true[name], predicted[name] = label, guess
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is not a table of predictions: a row does not have {len(COLUMNS)} cells") from None
    return Predictions(true, predicted)


def _three(row: dict[str | None, str | None]) -> tuple[str, str, str]:
    """Name and both labels; raises KeyError for a row that is short or long."""
    name, true, predicted = row["name"], row["true"], row["predicted"]
    if name is None or true is None or predicted is None or None in row:
        raise KeyError(name)
    return name, true, predicted


def _rows(evaluation: Evaluation) -> list[tuple[str, str, str, float]]:
    data, shares = evaluation.data, evaluation.probabilities
    best = shares.argmax(axis=1)
    return [
        (name, data.labels[target], data.labels[guess], float(row[guess]))
        for name, target, guess, row in zip(data.names, data.targets, best, shares, strict=True)
    ]
