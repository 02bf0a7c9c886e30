"""What a run folder says of its model: figures, a table per class, pictures of both, and the card."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from fer_edge.errors import InputError, OutputError
from fer_train import backend, crop, plots, provenance
from fer_train.card import Story, card
from fer_train.evaluate import Evaluation, Trained
from fer_train.fit import COLUMNS, HISTORY
from fer_train.metrics import Scores

SCHEMA_VERSION = 1
METRICS, TABLE, CARD = "metrics.json", "report.txt", "card.md"
CURVES, CONFUSION = "curves.png", "confusion.png"


def write(run: Path, trained: Trained, evaluation: Evaluation, split: str) -> list[Path]:
    """Write metrics.json, report.txt, curves.png, confusion.png and card.md into the run folder; returns their paths.

    Raises InputError when the run has no history, OutputError when something cannot be written.
    """
    history = read_history(run)
    scores = evaluation.scores
    known = run / crop.FILE
    story = Story(
        recipe=trained.recipe,
        weights=int(trained.model.count_params()),
        history=tuple(history),
        provenance=provenance.read(run),
        data=provenance.pictures(evaluation.data),
        split=split,
        scores=scores,
        crops=crop.read(known).detectors if known.exists() else {},
    )
    _write(run / METRICS, json.dumps(as_json(trained, evaluation, split), indent=2) + "\n")
    _write(run / TABLE, table(scores) + "\n")
    _write(run / CARD, card(story))
    plots.curves(history, run / CURVES)
    plots.confusion(scores.confusion, evaluation.data.labels, run / CONFUSION)
    return [run / name for name in (METRICS, TABLE, CARD, CURVES, CONFUSION)]


def as_json(trained: Trained, evaluation: Evaluation, split: str) -> dict[str, Any]:
    """The evaluation as one document with a single row, in the keys that every command of the project uses."""
    row = {
        "format": "keras",
        "precision": "float32",
        "effective_precision": "float32",
        "runtime": "keras",
        "runtime_version": backend.versions()["keras"],
        **evaluation.scores.as_json(),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "recipe": trained.recipe.name,
        "labels": list(trained.recipe.labels),
        "data": provenance.pictures(evaluation.data).model_dump(),
        "split": split,
        "versions": backend.versions(),
        "rows": [row],
    }


def table(scores: Scores) -> str:
    """Per-class figures for people, in percent."""
    wide = max(len("weighted mean"), *(len(name) for name in scores.support))
    lines = [f"{'':{wide}}  precision  recall      F1  pictures"]
    for name, count in scores.support.items():
        shares = f"{scores.precision[name]:9.1%}  {scores.recall[name]:6.1%}  {scores.f1[name]:6.1%}"
        lines.append(f"{name:{wide}}  {shares}  {count:8d}")
    low, high = scores.top1_ci95
    lines += [
        f"{'mean of classes':{wide}}  {'':9}  {scores.macro_recall:6.1%}  {scores.macro_f1:6.1%}",
        f"{'weighted mean':{wide}}  {'':9}  {scores.top1:6.1%}  {scores.weighted_f1:6.1%}  {scores.n:8d}",
        "",
        (
            f"top-1 {scores.top1:.2%} of {scores.n} (95% interval {low:.2%} to {high:.2%}), "
            f"expected calibration error {scores.ece:.3f}"
        ),
    ]
    return "\n".join(lines)


def read_history(run: Path) -> list[dict[str, float]]:
    """`history.csv` as rows of numbers; raises InputError when there is none or it is not one."""
    path = run / HISTORY
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{column: float(row[column]) for column in COLUMNS} for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; a run folder is what fer-train run wrote") from None
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path} is not a training history: expected the columns {', '.join(COLUMNS)}") from None
    if not rows:
        raise InputError(f"{path} holds no epoch yet")
    return rows


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
