"""What a conversion found, as a table for people and as rows for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_convert.options import Job
from fer_convert.quantize.sensitivity import Layer
from fer_convert.verify import Measured, Reference
from fer_edge.bundle import Artifact, Format, Precision
from fer_train.provenance import data_name

SCHEMA_VERSION = 1
MISSING = "-"
GAP = "  "
HEAD = (
    "artifact",
    "computes in",
    "KiB",
    "p50",
    "top-1 %",
    "95 %",
    "drop pp",
    "95 %",
    "agreement %",
    "max error",
    "ECE",
    "worst class pp",
)
"""p50: of one inference on one thread, as a share of TFLite float32's (else of the first row's). max error: of any
output, in the outputs' own unit."""


@dataclass(frozen=True)
class Step:
    """One rung of the int8 ladder and what it brought; reason: why it brought no artifact."""

    name: str
    drop_pp: float = 0.0
    agreement: float = 0.0
    worst_class: str = ""
    worst_class_drop_pp: float = 0.0
    size_bytes: int = 0
    p50_ms: float = 0.0
    passed: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One artifact: what was measured of it, and why it is refused, if it is.

    p50_ms: of one inference on this machine, with `threads`; 0 where there was none. artifact and measured: None when
    it came not so far. reasons: empty when every gate is met. notes: what would be slow, though it is right. steps: of
    the int8 ladder, where one was climbed, and layers: by how much each suffers from eight bits, where that was asked.
    """

    format: Format
    precision: Precision
    runtime: str = ""
    runtime_version: str = ""
    threads: int = 1
    effective_precision: str = ""
    size_bytes: int = 0
    p50_ms: float = 0.0
    artifact: Artifact | None = None
    measured: Measured | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def name(self) -> str:
        """As manifests name it."""
        return f"{self.format}/{self.precision}"

    @property
    def passed(self) -> bool:
        """Whether it may be written."""
        return self.measured is not None and not self.reasons


@dataclass(frozen=True)
class Again:
    """How a conversion by recipe compares: artifacts whose files have the same bytes, others, and tools that changed.

    tools: (then, now) by name.
    """

    same: tuple[str, ...]
    other: tuple[str, ...]
    tools: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Outcome:
    """One conversion's end.

    bundle: where it was written, None when it was not; sha256: of its manifest. again: where a recipe was followed.
    """

    job: Job
    name: str
    reference: Reference
    data: str
    data_sha256: str
    rows: tuple[Row, ...]
    bundle: Path | None = None
    sha256: str = ""
    again: Again | None = None

    @property
    def passed(self) -> bool:
        """Whether every artifact that was asked for met every gate."""
        return all(row.passed for row in self.rows)


def text(outcome: Outcome) -> str:
    """The table, what failed and why, and where the bundle is."""
    scores = outcome.reference.scores
    source = ("source", "float32", "", "", _percent(scores.top1), _span(scores.top1_ci95, 100.0), *[""] * 6)
    lines = [
        f"{outcome.name} on {scores.n} pictures of {outcome.data}:",
        "",
        _table([HEAD, source, *[_cells(row, _yardstick(outcome.rows)) for row in outcome.rows]]),
        "",
    ]
    lines += [f"{row.name} is refused: {reason}" for row in outcome.rows for reason in row.reasons]
    lines += [f"{row.name}: {note}" for row in outcome.rows for note in row.notes]
    for row in outcome.rows:
        lines += _ladder(row)
    lines += _compared(outcome.again)
    if outcome.bundle is not None:
        lines.append(f"written: {outcome.bundle} (manifest SHA-256 {outcome.sha256})")
    else:
        lines.append("no bundle is written" + _hint(outcome.rows))
    return "\n".join(lines)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Plain values under the names that every command of the project uses."""
    scores = outcome.reference.scores
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "conversion",
        "name": outcome.name,
        "passed": outcome.passed,
        "bundle": None if outcome.bundle is None else {"path": str(outcome.bundle), "sha256": outcome.sha256},
        "data": {"source": outcome.data, "n": scores.n, "sha256": outcome.data_sha256},
        "gates": asdict(outcome.job.gates),
        "source": source_json(outcome),
        "rows": [row_json(row) for row in outcome.rows],
        **({"again": asdict(outcome.again)} if outcome.again else {}),
    }


def source_json(outcome: Outcome) -> dict[str, Any]:
    """The float32 source's figures, from its own framework."""
    scores = outcome.reference.scores
    return {"n": scores.n, "top1": scores.top1, "top1_ci95": list(scores.top1_ci95), "recall": scores.recall}


def row_json(row: Row, *, timed: bool = True) -> dict[str, Any]:
    """One artifact's figures; what was not measured is absent, and times too where they would differ in every run."""
    known: dict[str, Any] = {
        "format": row.format,
        "precision": row.precision,
        "passed": row.passed,
        "reasons": list(row.reasons),
    }
    if row.runtime:
        known |= {
            "effective_precision": row.effective_precision,
            "runtime": row.runtime,
            "runtime_version": row.runtime_version,
            "threads": row.threads,
            "size_bytes": row.size_bytes,
            **({"p50_ms": row.p50_ms} if timed else {}),
        }
    if row.artifact is not None:
        known["files"] = [file.model_dump(mode="json") for file in row.artifact.files]
    if row.measured is not None:
        known |= figures(row.measured)
    if row.notes:
        known["notes"] = list(row.notes)
    if row.steps:
        known["steps"] = [_step(step, timed=timed) for step in row.steps]
    return known


def _step(step: Step, *, timed: bool) -> dict[str, Any]:
    return {key: value for key, value in asdict(step).items() if timed or key != "p50_ms"}


def _ladder(row: Row) -> list[str]:
    """One line per rung that was climbed, with what it brought."""
    if not row.steps:
        return []
    lines = [f"{row.name}, rung by rung:"]
    for step in row.steps:
        if step.reason:
            lines.append(f"  {step.name}: {step.reason}")
            continue
        told = f"drop {step.drop_pp:+.2f} points, agreement {step.agreement:.2%}, "
        told += f"{step.worst_class} {step.worst_class_drop_pp:+.1f}, {step.size_bytes / 1024:.0f} KiB"
        lines.append(f"  {step.name}: {told}" + (", passes" if step.passed else ""))
    return lines


def _compared(again: Again | None) -> list[str]:
    if again is None:
        return []
    lines = [f"the same bytes as the recipe's: {', '.join(again.same)}"] if again.same else []
    if again.other:
        tools = "; ".join(f"{name} was {then} and is {now}" for name, (then, now) in again.tools.items())
        lines.append(f"other bytes than the recipe's: {', '.join(again.other)}" + (f" ({tools})" if tools else ""))
    return lines


def figures(found: Measured) -> dict[str, Any]:
    """What was measured; shares 0 to 1, drops in percentage points."""
    return {
        "n": found.scores.n,
        "top1": found.scores.top1,
        "top1_ci95": list(found.scores.top1_ci95),
        "recall": found.scores.recall,
        "drop_pp": found.drop_pp,
        "drop_pp_ci95": list(found.drop_pp_ci95),
        "class_drop_pp": found.class_drop_pp,
        "agreement": found.agreement,
        "output_error": found.output_error,
        "ece": found.ece,
        "temperature": found.temperature,
        "uncertain_below": found.uncertain_below,
    }


def evaluation_name(job: Job) -> str:
    """The data judged by, without this machine's folders."""
    return data_name(str(job.evaluate or job.calibrate))


def _hint(rows: Sequence[Row]) -> str:
    if any(row.passed for row in rows) and not all(row.passed for row in rows):
        return "; --keep-passing writes one with the artifacts that pass"
    return ""


def _yardstick(rows: Sequence[Row]) -> float:
    """The time that others are told in shares of; 0 where nothing was timed."""
    timed = [row for row in rows if row.p50_ms]
    first = next((row for row in timed if row.name == "tflite/float32"), timed[0] if timed else None)
    return first.p50_ms if first else 0.0


def _cells(row: Row, yardstick_ms: float) -> tuple[str, ...]:
    size = f"{row.size_bytes / 1024:.0f}" if row.size_bytes else MISSING
    found = row.measured
    if found is None:
        return (row.name, row.effective_precision or MISSING, size, *[MISSING] * 9)
    label, drop = found.worst_class
    return (
        row.name,
        row.effective_precision,
        size,
        f"{row.p50_ms / yardstick_ms:.2f}" if row.p50_ms and yardstick_ms else MISSING,
        _percent(found.scores.top1),
        _span(found.scores.top1_ci95, 100.0),
        f"{found.drop_pp:+.2f}",
        _span(found.drop_pp_ci95),
        _percent(found.agreement),
        f"{found.output_error:.2g}",
        f"{found.ece:.4f}",
        f"{label} {drop:+.1f}",
    )


def _percent(share: float) -> str:
    return f"{100.0 * share:.2f}"


def _span(interval: tuple[float, float], scale: float = 1.0) -> str:
    return f"{interval[0] * scale:.2f}..{interval[1] * scale:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; words at the ends to the left, figures between them to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    words = (0, 1, len(HEAD) - 1)

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return GAP.join(cells).rstrip()

    return "\n".join([line(rows[0]), GAP.join("-" * width for width in widths), *map(line, rows[1:])])
