"""Runs side by side: a table, best first, and what may be said of their differences. Needs no Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.errors import ConfigError, UsageError
from fer_train.metrics import mcnemar, paired_drop
from fer_train.reporting import document, predictions
from fer_train.reporting.document import Document
from fer_train.reporting.predictions import Predictions
from fer_train.reporting.words import NONE, amount, duration, interval, percent, points

SCHEMA_VERSION = 1
ALPHA = 0.05
"""A difference with a smaller p is called significant."""


LEANING = {
    "Judged by pictures that chose the epoch, so leaning a little to the good side": ("chosen_on", "partly_chosen_on"),
    "Judged by the very pictures it was trained on": ("trained_on",),
}


@dataclass(frozen=True)
class Entry:
    """A run: its name in the table, its figures, and what it said of each picture where that is stored."""

    name: str
    document: Document
    predictions: Predictions | None


@dataclass(frozen=True)
class Pair:
    """Two runs on the same n pictures. difference_pp: how much better the first is, in percentage points.

    ci95_pp: its interval (Agresti and Min 2005). p: McNemar's exact test.
    """

    better: str
    other: str
    n: int
    difference_pp: float
    ci95_pp: tuple[float, float]
    p: float

    @property
    def sentence(self) -> str:
        """The difference in words."""
        low, high = self.ci95_pp
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3f}"
        basis = f"on the same {self.n:,} pictures (95% interval {low:+.1f} to {high:+.1f}, McNemar {p})"
        if self.p < ALPHA:
            return f"{self.better} is {self.difference_pp:.1f} points better than {self.other} {basis}: significant."
        return f"{self.better} and {self.other} differ by {self.difference_pp:.1f} points {basis}: not significant."


@dataclass(frozen=True)
class Comparison:
    """entries: by accuracy, best first. notes: sentences on what the table does not show."""

    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """One row per run in the keys of `metrics.json`, then the pairs and the sentences."""
        return {
            "schema_version": SCHEMA_VERSION,
            "rows": [_json_row(entry) for entry in self.entries],
            "pairs": [{**asdict(pair), "ci95_pp": list(pair.ci95_pp)} for pair in self.pairs],
            "notes": [*self.notes],
        }


def read(runs: Sequence[Path]) -> list[Entry]:
    """Figures and predictions of run folders, as their last report wrote them.

    Raises InputError for a folder without them, ConfigError when they are damaged or do not fit together.
    """
    return [_read(name, run) for name, run in zip(names(runs), runs, strict=True)]


def names(runs: Sequence[Path]) -> list[str]:
    """The folders' names, or whole paths where those would be mixed up; raises UsageError for the same run twice."""
    places = [run.resolve() for run in runs]
    twice = next((run for run, place in zip(runs, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice")
    short = [place.name for place in places]
    return [name if short.count(name) == 1 else str(run) for name, run in zip(short, runs, strict=True)]


def compare(entries: Sequence[Entry]) -> Comparison:
    """Sort by accuracy and say what the figures allow to be said."""
    ordered = sorted(entries, key=lambda entry: -entry.document.row.top1)
    groups = _groups(ordered)
    notes: list[str] = []
    if len(groups) > 1:
        notes.append(f"Not comparable, for the pictures differ: {'; '.join(map(_basis, groups))}.")
    pairs: list[Pair] = []
    for best, *others in groups:
        for other in others:
            found = _pair(best, other)
            if isinstance(found, Pair):
                pairs.append(found)
            else:
                notes.append(found)
    if len(pairs) > 1:
        notes.append(f"Each p is of its pair alone; {len(pairs)} were looked at.")
    return Comparison(tuple(ordered), tuple(pairs), (*notes, *_leaning(ordered)))


def cells(entry: Entry) -> dict[str, str]:
    """A run's line of the table, by column."""
    found, row = entry.document, entry.document.row
    trained, reported = found.training, found.reported
    return {
        "run": entry.name,
        "recipe": found.recipe,
        "n": f"{row.n:,}",
        "accuracy": percent(row.top1, 2),
        "95%": interval(row.top1_ci95),
        "macro F1": percent(row.macro_f1, 2),
        "loss": f"{row.loss:.4f}",
        "trained in": duration(trained.train_s) if trained else NONE,
        "epochs": str(trained.epochs) if trained else NONE,
        "weights": amount(found.weights),
        "MACs": amount(found.macs),
        "reported": percent(reported.accuracy) if reported else NONE,
        "difference": points(row.top1 - reported.accuracy) if reported else NONE,
    }


def text(found: Comparison) -> str:
    """The table for people, and below it one sentence per line."""
    lines = [cells(entry) for entry in found.entries]
    widths = {name: max(len(name), *(len(line[name]) for line in lines)) for name in lines[0]}
    left = ("run", "recipe")

    def row(line: dict[str, str]) -> str:
        return "  ".join(f"{line[k]:{'<' if k in left else '>'}{width}}" for k, width in widths.items()).rstrip()

    table = [row({name: name for name in widths}), *map(row, lines)]
    said = [pair.sentence for pair in found.pairs] + [*found.notes]
    return "\n".join([*table, *([""] if said else []), *said])


def _read(name: str, run: Path) -> Entry:
    found, path = document.read(run), run / predictions.FILE
    if not path.exists():
        return Entry(name, found, None)
    said = predictions.read(path)
    hits = sum(said.right.values())
    if (len(said.true), hits) != (found.row.n, round(found.row.top1 * found.row.n)):
        raise ConfigError(
            f"{path} has {hits} right of {len(said.true)} and does not fit {document.FILE} beside it; "
            f"fer-train report {run} --data D writes both anew"
        )
    return Entry(name, found, said)


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Runs that were evaluated on the same pictures, in the order of the entries."""
    groups: list[list[Entry]] = []
    for entry in entries:
        data = entry.document.data
        known = next((group for group in groups if group[0].document.data.same_as(data)), None)
        if known is None:
            groups.append([entry])
        else:
            known.append(entry)
    return groups


def _basis(group: Sequence[Entry]) -> str:
    found = group[0].document
    whose = ", ".join(entry.name for entry in group)
    return f"{whose} on {found.data.n:,} of {found.data.name}, split {found.split}, SHA-256 {found.data.sha256[:8]}…"


def _pair(best: Entry, other: Entry) -> Pair | str:
    """The paired difference, or why there is none."""
    both = (best, other)
    silent = [entry.name for entry in both if entry.predictions is None]
    if best.predictions is None or other.predictions is None:
        return f"No paired test of {best.name} and {other.name}: no {predictions.FILE} of {' and '.join(silent)}."
    if best.predictions.true != other.predictions.true:
        return f"No paired test of {best.name} and {other.name}: their {predictions.FILE} name other pictures."
    order = sorted(best.predictions.true)
    first, second = (
        np.array([right[name] for name in order]) for right in (best.predictions.right, other.predictions.right)
    )
    difference, ends = paired_drop(first, second)
    return Pair(best.name, other.name, len(order), difference, ends, mcnemar(first, second))


def _leaning(entries: Sequence[Entry]) -> list[str]:
    """Whose pictures had a say in the training."""
    found = [(entry.name, entry.document.training.seen) for entry in entries if entry.document.training]
    return [
        f"{said}: {', '.join(whose)}."
        for said, kinds in LEANING.items()
        if (whose := [name for name, seen in found if seen in kinds])
    ]


def _json_row(entry: Entry) -> dict[str, Any]:
    found = entry.document.model_dump(mode="json", exclude={"rows", "schema_version", "labels", "versions"})
    row = entry.document.row.model_dump(mode="json", exclude={"confusion", "reliability"})
    reported = entry.document.reported
    gap = None if reported is None else 100.0 * (entry.document.row.top1 - reported.accuracy)
    return {"run": entry.name, **found, **row, "reported_difference_pp": gap}
