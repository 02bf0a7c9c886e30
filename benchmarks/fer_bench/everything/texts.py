"""Any result as text: the tables that its room makes, the verdict, and what was not measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from fer_bench.results.kinds import ALL, MEASURED, named, row_type
from fer_bench.results.report import Report
from fer_bench.verdict import run as verdict
from fer_bench.verdict.facts import Facts, Json, Sentence, facts, parts_of, typed

TEXTS = {kind: f"fer_bench.{kind}.run:text" for kind in MEASURED if kind != ALL}
"""Kind to what makes its tables; named and not imported, for each needs libraries of its own."""
STANDARD = frozenset({each.name for each in fields(Report)} | {"schema_version", "time"})


@dataclass(frozen=True)
class Told:
    """As much of a report as the tables of a room look at."""

    kind: str
    options: Json
    rows: Sequence[Any]
    notes: Sequence[str]
    complete: bool
    extra: Json


def text_of(document: Json, max_drop_pp: float | None = None) -> str:
    """All parts, then the verdict; max_drop_pp as in `verdict.run.judge`."""
    sentences = verdict.judge(document, max_drop_pp)
    found = facts(document, verdict.limit_of(document, max_drop_pp))
    several = document["kind"] == ALL
    parts = []
    for kind, part in parts_of(document):
        table = _without(_table(kind, part, found), sentences)
        notes = [f"note: {note}" for note in part.get("notes", ())] if several else []
        parts.append("\n".join([*([f"== {kind}"] if several else []), table, *notes]))
    parts += _missing(document)
    if sentences:
        parts.append("\n".join(["== verdict", verdict.text(sentences)]))
    return "\n\n".join(part for part in parts if part)


def _table(kind: str, part: Json, found: Facts) -> str:
    told = Told(
        kind=kind,
        options=part.get("options", {}),
        rows=_rows(kind, part, found),
        notes=part.get("notes", ()),
        complete=part.get("complete", True),
        extra={key: value for key, value in part.items() if key not in STANDARD},
    )
    make = cast("Callable[[Report], str]", named(TEXTS[kind]))
    return make(cast("Report", told))  # the rooms' tables look at what `Told` has, and at nothing else


def _rows(kind: str, part: Json, found: Facts) -> Sequence[Any]:
    """Without the sentences that the latency room gave its rows: the verdict has them."""
    rows: Mapping[str, Sequence[Any]] = {
        "latency": [replace(row, verdict=None) for row in found.latency],
        "accuracy": found.accuracy,
        "pipeline": found.pipeline,
        "soak": found.soak,
    }
    return rows[kind] if kind in rows else [typed(row_type(kind), row) for row in part["rows"]]


def _without(table: str, sentences: Sequence[Sentence]) -> str:
    """Less the lines that the verdict says again."""
    said = {sentence.claim for sentence in sentences} | {sentence.text for sentence in sentences}
    return "\n".join(line for line in table.split("\n") if not line or line not in said).rstrip("\n")


def _missing(document: Json) -> list[str]:
    if document["kind"] != ALL:
        return []
    return [f"== {row['part']}\nnot measured: {row['why']}" for row in document["rows"] if row["why"]]
