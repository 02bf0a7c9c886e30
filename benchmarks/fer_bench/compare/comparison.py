"""A whole comparison: what was asked, the two sides, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fer_bench.compare.conditions import FAILED, UNSURE
from fer_bench.compare.rows import ComparedRow, GateResult
from fer_bench.results.kinds import ALL
from fer_bench.results.provenance import Difference, as_json
from fer_bench.results.reading import Result
from fer_bench.results.report import SCHEMA_VERSION
from fer_edge.errors import ExitCode
from fer_edge.events import stamp


@dataclass(frozen=True)
class Plan:
    """Two result files, or folders of them that are pooled; what to fail on; what to let pass."""

    base: str
    new: str
    fail_on: tuple[str, ...] = ()
    fail_on_unsure: bool = False
    across_machines: bool = False


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of it. interleaved: rounds were measured by turns, and compared in pairs."""

    plan: Plan
    kind: str
    time: datetime
    base: Result
    new: Result
    differences: Sequence[Difference]
    interleaved: bool
    rows: Sequence[ComparedRow]
    gates: Sequence[GateResult]
    notes: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Plain values under the published names."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "compare",
            "complete": self.base.complete and self.new.complete,
            "time": stamp(self.time),
            "options": asdict(self.plan),
            "of": self.kind,
            "base": _side(self.base),
            "new": _side(self.new),
            "interleaved": self.interleaved,
            "differences": as_json(list(self.differences)),
            "conditions": [asdict(gate) for gate in self.gates],
            "notes": list(self.notes),
            "rows": [asdict(row) for row in self.rows],
        }


def exit_code(comparisons: Sequence[Comparison]) -> ExitCode:
    """1 when a condition failed, or is unsure and was asked not to be."""
    failed = any(
        gate.outcome == FAILED or (gate.outcome == UNSURE and comparison.plan.fail_on_unsure)
        for comparison in comparisons
        for gate in comparison.gates
    )
    return ExitCode.GATE_NOT_MET if failed else ExitCode.OK


def as_one(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Plain values under the published names; several are the parts of one, which has the rows of all."""
    documents = [each.as_json() for each in comparisons]
    first = documents[0]
    if len(documents) == 1:
        return first

    def all_of(name: str) -> list[Any]:
        """Each once, in the order of the parts."""
        listed = [value for document in documents for value in document[name]]
        return [value for i, value in enumerate(listed) if value not in listed[:i]]

    joined = {name: all_of(name) for name in ("differences", "conditions", "notes", "rows")}
    together = {name: all(document[name] for document in documents) for name in ("complete", "interleaved")}
    return {**first, "of": ALL, **together, **joined, "parts": {document["of"]: document for document in documents}}


def _side(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "time": stamp(result.time),
        "bundle": {"name": result.bundle.name, "sha256": result.bundle.sha256},
        "sources": [{"path": each.path, "sha256": each.sha256, "time": stamp(each.time)} for each in result.sources],
    }
