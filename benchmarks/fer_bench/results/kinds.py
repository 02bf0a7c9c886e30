"""The kinds of result: which dataclass the rows of each are, and what tells two rows of one result apart.

Rows are named, not imported: they live in the rooms that make them, and reading one kind needs no other's libraries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any

ALL = "all"
"""The kind whose results hold results of other kinds as their parts."""
ROWS = {
    "latency": "fer_bench.latency.rows:ScenarioRow",
    "accuracy": "fer_bench.results.rows:AccuracyRow",
    "pipeline": "fer_bench.pipeline.plan:PipelineRow",
    "soak": "fer_bench.soak.rows:SoakRow",
    "tune": "fer_bench.tune.plan:TuneRow",
    ALL: "fer_bench.everything.plan:PartRow",
    "compare": "fer_bench.compare.rows:ComparedRow",
}
"""Kind, as results call it, to the dataclass of its rows."""
GATES = "fer_bench.compare.rows:GateResult"
"""What came of a condition, in results of `compare`."""
MEASURED = tuple(kind for kind in ROWS if kind != "compare")
"""The kinds that were measured on one machine with one bundle."""
KEYS = ("format", "precision", "runtime", "threads", "scenario", "streams", "batch")
"""What a row is of; rows without any of these are told apart by their `name`."""
MODELS = ("model", "label")
"""What tells rows apart whose keys are the same, because several models were measured at once."""

Key = tuple[tuple[str, Any], ...]


def row_type(kind: str) -> type[Any]:
    """The dataclass of a kind's rows; KeyError for a kind that there is not."""
    return named(ROWS[kind])


def named(place: str) -> type[Any]:
    """A class by `module:Name`."""
    module, _, name = place.partition(":")
    found: type[Any] = getattr(import_module(module), name)
    return found


def by_key(rows: Sequence[Any]) -> dict[Key, Any]:
    """The rows by what tells them apart within this result, which is what matches them with those of another.

    The model's name is left out where it can be: what `compare` is asked most is one model against another.
    """
    often = Counter(_key(row, KEYS) for row in rows)
    return {_key(row, KEYS) if often[_key(row, KEYS)] == 1 else _key(row, (*MODELS, *KEYS)): row for row in rows}


def _key(row: Any, names: Sequence[str]) -> Key:  # noqa: ANN401 - a row of any kind
    found = tuple((name, getattr(row, name)) for name in names if hasattr(row, name))
    return found or (("name", row.name),)
