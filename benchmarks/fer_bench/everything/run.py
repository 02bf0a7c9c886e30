"""All parts one after the other, as one report; what one part cannot do does not end the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from fer_bench.everything.parts import PARTS, Part
from fer_bench.everything.plan import PartRow, Plan, Say
from fer_bench.everything.texts import text_of
from fer_bench.machine.environment import conditions, describe
from fer_bench.results.kinds import ALL
from fer_bench.results.report import Report
from fer_bench.variants import artifacts, engines
from fer_bench.verdict.run import judge
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock
from fer_edge.errors import ExitCode, FerEdgeError

INTERRUPTED = "it was interrupted before there was anything to tell"
NOT_BEGUN = "it was not begun: the run was interrupted before"


def run(
    plan: Plan,
    say: Say,
    parts: Mapping[str, Part] = PARTS,
    keep: Callable[[Report], None] | None = None,
) -> Report:
    """Measure everything that was asked for; Ctrl-C keeps what is done and begins nothing more.

    keep: is given the report after every part, so that a power cut loses one part and not all. Raises the errors of
    `Bundle.open` and `variants.artifacts`, for with those no part would run.
    """
    bundle = Bundle.open(plan.bundle)
    artifacts(bundle, plan.choice)
    engines(plan.choice)
    report = _begun(plan, bundle)
    for name, part in parts.items():
        report = _with(report, name, part, plan, say)
        if keep is not None:
            keep(report)
    return report


def exit_code(report: Report) -> ExitCode:
    """69 when no part gave figures, 1 when one that was asked for did not or has a gap, else 0."""
    if not any(row.n for row in report.rows):
        return ExitCode.UNAVAILABLE
    return ExitCode.GATE_NOT_MET if any(row.error or row.status for row in report.rows) else ExitCode.OK


def text(report: Report) -> str:
    """The tables and the verdict."""
    return text_of(report.as_json())


def _begun(plan: Plan, bundle: Bundle) -> Report:
    environment, before = describe(), conditions()
    return Report(
        kind=ALL,
        options=asdict(plan),
        bundle=bundle,
        environment=environment,
        started=SystemClock().wall(),
        before=before,
        after=before,
        rows=(),
        notes=(),
        complete=True,
        extra={"parts": {}, "verdict": []},
    )


def _with(report: Report, name: str, part: Part, plan: Plan, say: Say) -> Report:
    """The report with one part more, or with why there is none."""
    lacks = part.lacks(plan)
    if lacks is not None:
        say(f"{name}: {lacks}")
        return _added(report, PartRow(part=name, why=lacks))
    if not report.complete:
        return _added(report, PartRow(part=name, why=NOT_BEGUN, error=NOT_BEGUN))
    try:
        found = part.run(plan, lambda sentence: say(f"{name}: {sentence}"))
    except FerEdgeError as error:
        say(f"{name}: {error}")
        return _added(report, PartRow(part=name, why=str(error), error=str(error), status=int(error.exit_code)))
    except ImportError as error:
        why = f"it needs {error.name or 'a library'}, which is not installed: pip install 'fer-edge[train]'"
        say(f"{name}: {why}")
        return _added(report, PartRow(part=name, why=why, error=why, status=int(ExitCode.UNAVAILABLE)))
    except KeyboardInterrupt:
        return replace(_added(report, PartRow(part=name, why=INTERRUPTED, error=INTERRUPTED)), complete=False)
    measured = sum(bool(row.n) for row in found.rows)
    none = None if measured else "none of its rows has figures"
    row = PartRow(part=name, n=measured, status=int(part.status(found)), why=none, error=none)
    return replace(_added(report, row, found.as_json()), complete=report.complete and found.complete)


def _added(report: Report, row: PartRow, document: dict[str, Any] | None = None) -> Report:
    """One row more; the verdict is drawn anew, from what is there by now."""
    parts = {**report.extra["parts"], **({row.part: document} if document is not None else {})}
    fresh = replace(report, rows=(*report.rows, row), extra={"parts": parts, "verdict": []}, after=conditions())
    verdict = [asdict(sentence) for sentence in judge(fresh.as_json())]
    return replace(fresh, extra={"parts": parts, "verdict": verdict})
