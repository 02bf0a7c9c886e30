"""`metrics.json`: what an evaluation found and what the model cost, as one document that other commands read back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from fer_edge.errors import ConfigError, InputError
from fer_edge.strict import StrictModel, loads_json, problems
from fer_train.provenance import Pictures

FILE = "metrics.json"
SCHEMA_VERSION = 2
"""1 had figures of the evaluation alone, and the precision per label in the place of the artifact's."""


class Bin(StrictModel):
    """See `metrics.Bin`."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class Row(StrictModel):
    """The figures, in the keys that every command of the project uses; shares are 0 to 1.

    top1_ci95 is Wilson's interval, the two of the bootstrap come from resampled pictures. class_precision, recall, f1
    and support by label. loss: cross-entropy in nats. macro: plain mean over the labels that occur; weighted: by
    support. confusion: rows are the truth.
    """

    format: str
    precision: str
    effective_precision: str
    runtime: str
    runtime_version: str
    n: int
    top1: float
    top1_ci95: list[float]
    top1_bootstrap95: list[float]
    loss: float
    ece: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_f1_bootstrap95: list[float]
    weighted_precision: float
    weighted_f1: float
    class_precision: dict[str, float]
    recall: dict[str, float]
    f1: dict[str, float]
    support: dict[str, int]
    confusion: list[list[int]]
    reliability: list[Bin]


Seen = Literal["trained_on", "chosen_on", "partly_chosen_on", "unseen"]
"""What the evaluated pictures were to the training: a figure of pictures that had a say in it is too good."""


class Training(StrictModel):
    """How the weights were made. epoch: the one that was kept, from 1. seen: None where no record tells."""

    epochs: int
    epoch: int
    train_s: float
    seen: Seen | None


class Claim(StrictModel):
    """What a report says of the recipe, and which."""

    accuracy: float
    macro_f1: float | None
    loss: float | None
    source: str


class Document(StrictModel):
    """All of `metrics.json`. training: None for a model without its run. macs: of one picture."""

    schema_version: Literal[2]
    recipe: str
    labels: list[str]
    data: Pictures
    split: str
    versions: dict[str, str]
    weights: int
    macs: int
    training: Training | None
    reported: Claim | None
    rows: list[Row]

    @property
    def row(self) -> Row:
        """The figures of the float32 model; there is one row."""
        return self.rows[0]


def read(run: Path) -> Document:
    """`metrics.json` of a run folder; raises InputError without one, ConfigError when it is not what it should be."""
    path = run / FILE
    again = f"fer-train report {run} --data D writes it"
    try:
        found = loads_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {again}") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigError(f"{path} has schema_version {version!r}, and {SCHEMA_VERSION} is needed: {again} anew")
    try:
        document = Document.model_validate(found)
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(problems(error))) from None
    if len(document.rows) != 1:
        raise ConfigError(f"{path} has {len(document.rows)} rows, and one is expected")
    return document
