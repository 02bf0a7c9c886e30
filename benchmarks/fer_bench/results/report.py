"""What a benchmark found, as versioned JSON: rows, what was asked, where it was measured, and what to think of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fer_bench.machine.environment import Conditions, Environment
from fer_edge.errors import ExitCode
from fer_edge.events import stamp

if TYPE_CHECKING:  # it takes OpenCV and pydantic to import, which `--help` does not need
    from fer_edge.bundle import Bundle

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run of a command.

    rows: dataclasses of one kind, each with `n` and `error`. complete: False when it was interrupted; what was measured
    until then is there. extra: figures that belong to no row.
    """

    kind: str
    options: Mapping[str, Any]
    bundle: Bundle
    environment: Environment
    started: datetime
    before: Conditions
    after: Conditions
    rows: Sequence[Any]
    notes: Sequence[str]
    complete: bool
    extra: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values under the published names."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "complete": self.complete,
            "time": stamp(self.started),
            "options": dict(self.options),
            "bundle": {
                "name": self.bundle.manifest.name,
                "path": str(self.bundle.path),
                "sha256": self.bundle.sha256,
                "labels": list(self.bundle.manifest.labels),
                "preprocess": self.bundle.manifest.preprocess.model_dump(mode="json"),
            },
            "environment": {
                **asdict(self.environment),
                "before": asdict(self.before),
                "after": asdict(self.after),
            },
            "notes": list(self.notes),
            **self.extra,
            "rows": [asdict(row) for row in self.rows],
        }


def exit_code(report: Report) -> ExitCode:
    """1 when something could not be measured, 69 when nothing could."""
    if not any(row.n for row in report.rows):
        return ExitCode.UNAVAILABLE
    return ExitCode.GATE_NOT_MET if any(row.error for row in report.rows) else ExitCode.OK
