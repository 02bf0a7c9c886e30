"""What the rules look at: the rows of a result, whichever kind it is, and whether they may be believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.scenarios import SINGLE
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.results.kinds import ALL
from fer_bench.results.rows import AccuracyRow, CorruptionRow
from fer_bench.soak.rows import SoakRow
from fer_train.metrics import wilson

BUSY = "the machine was busy"
"""How `machine.stability` begins to tell that others were at work too."""
INVALID = "INVALID"
"""How a note or an error begins that takes figures away."""

Json = Mapping[str, Any]
Tone = Literal["invalid", "warning", "advice", "fact"]
R = TypeVar("R")


@dataclass(frozen=True)
class Sentence:
    """One thing that the figures say, and the figures that it stands on.

    tone: do not believe it, look out, do this, know this.
    """

    claim: str
    figures: str = ""
    tone: Tone = "fact"

    @property
    def text(self) -> str:
        """Both, for a line of text."""
        return f"{self.claim} ({self.figures})" if self.figures else self.claim


@dataclass(frozen=True)
class Facts:
    """The rows of all parts, by kind.

    notes: of each part. incomplete: parts that were interrupted. max_drop_pp: percentage points of top-1 that may be
    lost.
    """

    latency: Sequence[ScenarioRow] = ()
    accuracy: Sequence[AccuracyRow] = ()
    pipeline: Sequence[PipelineRow] = ()
    soak: Sequence[SoakRow] = ()
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    incomplete: Sequence[str] = ()
    max_drop_pp: float = 1.0

    @property
    def single(self) -> list[ScenarioRow]:
        """Variants that answered one query after the other; the times of other scenarios mean something else."""
        return [row for row in self.latency if row.scenario == SINGLE and row.n]

    @property
    def timed(self) -> list[ScenarioRow]:
        """Those of them with a p50 that may be believed."""
        if self.spoilt("latency"):
            return []
        return [row for row in self.single if row.valid and row.p50_ms and row.p50_ci95_ms]

    def busy(self, part: str) -> bool:
        """Whether others were at work when a part began."""
        return any(note.startswith(BUSY) for note in self.notes.get(part, ()))

    def spoilt(self, part: str) -> bool:
        """Whether a part says of itself that it is not to be believed."""
        return any(note.startswith(INVALID) for note in self.notes.get(part, ()))


def facts(document: Json, max_drop_pp: float) -> Facts:
    """From a result as it is written; `all` has its parts within."""
    parts = dict(parts_of(document))
    return Facts(
        latency=[typed(ScenarioRow, row) for row in _rows(parts, "latency")],
        accuracy=[_judged(row) for row in _rows(parts, "accuracy")],
        pipeline=[typed(PipelineRow, row) for row in _rows(parts, "pipeline")],
        soak=[typed(SoakRow, row) for row in _rows(parts, "soak")],
        notes={kind: part.get("notes", ()) for kind, part in parts.items()},
        incomplete=[kind for kind, part in parts.items() if not part.get("complete", True)],
        max_drop_pp=max_drop_pp,
    )


def parts_of(document: Json) -> Iterator[tuple[str, Json]]:
    """The documents with rows of their own: the document itself, or those within one of kind `all`."""
    if document["kind"] == ALL:
        yield from document["parts"].items()
    else:
        yield str(document["kind"]), document


def typed(kind: type[R], row: Json) -> R:
    """A row as its dataclass; keys that it does not know are of a later version and are left alone."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # every row is a dataclass
    return kind(**{key: value for key, value in row.items() if key in known})


def _judged(row: Json) -> AccuracyRow:
    """With the intervals of recall, which earlier results do not have."""
    found = typed(AccuracyRow, row)
    spans = {
        label: wilson(round(share * found.support.get(label, 0)), found.support.get(label, 0))
        for label, share in found.recall.items()
    }
    steps = tuple(typed(CorruptionRow, step) for step in row.get("corruptions", ()))
    return replace(found, corruptions=steps, recall_ci95=found.recall_ci95 or spans)


def _rows(parts: Mapping[str, Json], kind: str) -> Sequence[Json]:
    return parts[kind].get("rows", ()) if kind in parts else ()
