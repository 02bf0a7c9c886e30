"""Tries what could run on this board, drops what is beyond a bound, and writes the winner into the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fer_bench.machine import stability
from fer_bench.machine.environment import Conditions, Environment, conditions, describe
from fer_bench.results.report import Report
from fer_bench.results.rows import LatencyRow, count
from fer_bench.tune import timing, writing
from fer_bench.tune.candidates import Candidate, candidates, usual_threads
from fer_bench.tune.choosing import Chosen, choose, nearest
from fer_bench.tune.frames import Daemon, Drive, drives, run_all
from fer_bench.tune.plan import Plan, Say, TuneRow
from fer_bench.tune.words import text
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock
from fer_edge.config import Settings
from fer_edge.errors import ConfigError, ExitCode, FerEdgeError, InputError
from fer_edge.events import stamp

__all__ = ["Plan", "exit_code", "run", "text"]

PERIOD_KEY = "pipeline.search.full_every_s"
DEMO = "demo"


@dataclass
class Found:
    """What there is so far."""

    candidates: list[Candidate] = field(default_factory=list)
    drives: list[Drive] = field(default_factory=list)
    chosen: Chosen | None = None
    notes: list[str] = field(default_factory=list)
    complete: bool = True
    change: dict[str, Any] = field(default_factory=dict)


def run(plan: Plan, say: Say, worker: Sequence[str] = timing.WORKER) -> Report:
    """Try all; Ctrl-C ends it early with what there is, and then nothing is written.

    Raises the errors of `Bundle.open`, `candidates` and `writing.prepared`, InputError for a clip that is not there,
    and ConfigError for a configuration that does not allow this bundle. What goes wrong in a candidate is its reason.
    """
    bundle, settings = Bundle.open(plan.bundle), _settings(plan)
    if plan.source != DEMO and not Path(plan.source).is_file():
        raise InputError(f"no such clip: {plan.source}")
    if settings.model_sha256 and bundle.sha256 not in settings.model_sha256:
        raise ConfigError(f"{plan.config} does not allow this bundle: {bundle.sha256} is not among model_sha256")
    found, started, before = Found(), SystemClock().wall(), conditions()
    try:
        _try_all(plan, bundle, settings, found, say, worker)
    except KeyboardInterrupt:
        found.complete = False
    environment, after = describe(), conditions()
    found.notes += stability.of_machine(environment, before, after, max(plan.threads or usual_threads()))
    if found.chosen is not None and found.complete:
        found.notes += _governor(found, settings)
        if stability.held_back(before, after) is not None or _held_back(found):
            found.notes.append("the board was held back, so the winner is not written: cool it, and tune again")
        elif plan.config is not None:
            reason = _reason(found.chosen, bundle, plan, environment)
            found.change = _written(plan, _values(found.chosen, bundle, settings), reason)
    return _report(plan, bundle, found, (environment, before, after), stamp_of=started)


def _settings(plan: Plan) -> Settings:
    if plan.config is None:
        return Settings()
    return writing.prepared(Path(plan.config), dry_run=plan.dry_run)[1]


def _try_all(plan: Plan, bundle: Bundle, settings: Settings, found: Found, say: Say, worker: Sequence[str]) -> None:
    found.candidates, notes = candidates(bundle, plan, say)
    found.notes += notes
    say(f"{count(len(found.candidates), 'candidate')}, {len(timing.inside(found.candidates))} of them within the drop")
    timing.short_round(bundle, plan, found.candidates, say, worker)
    say(f"{count(len(timing.inside(found.candidates)), 'candidate')} left after the short round")
    timing.full_rounds(bundle, plan, found.candidates, say, worker)
    finalists = sorted(timing.inside(found.candidates), key=lambda each: timing.core_ms(timing.told(each)))
    if finalists:
        found.drives = drives(finalists, plan, settings.pipeline.search.full_every_s)
        found.notes += run_all(Daemon(plan, settings, bundle.path), plan, found.drives, say)
        found.chosen = choose(found.drives, plan.limits)


def _held_back(found: Found) -> bool:
    """Whether the board was slower than it can be in any of the rounds that count."""
    return any(reason for each in found.candidates for reason in timing.told(each).held_back)


def _values(chosen: Chosen, bundle: Bundle, settings: Settings) -> dict[str, Any]:
    """The keys to set: what the winner is, the rest only where it differs."""
    variant = chosen.drive.candidate.variant
    values: dict[str, Any] = {
        "runtime": variant.runtime,
        "precision": variant.artifact.precision,
        "threads": variant.threads,
    }
    if settings.format not in {None, variant.artifact.format}:
        values["format"] = variant.artifact.format
    if not _same_model(settings.model, bundle):
        values["model"] = str(bundle.path.resolve())
    if settings.pipeline.search.full_every_s != chosen.drive.period_s:
        values[PERIOD_KEY] = chosen.drive.period_s
    return values


def _same_model(name: str, bundle: Bundle) -> bool:
    try:
        return Bundle.open(name).sha256 == bundle.sha256
    except FerEdgeError:
        return False


def _written(plan: Plan, values: dict[str, Any], reason: str) -> dict[str, Any]:
    """What became of the file; a failure is told beside the figures, which took minutes."""
    try:
        change = writing.apply(Path(plan.config or ""), values, reason, dry_run=plan.dry_run)
    except FerEdgeError as error:
        return {"file": plan.config, "values": values, "written": False, "error": str(error)}
    return {**asdict(change), "values": values}


def _reason(chosen: Chosen, bundle: Bundle, plan: Plan, environment: Environment) -> str:
    where = environment.board or environment.cpu or environment.machine
    when = stamp(SystemClock().wall())[:10]
    return f"{when}, {where}, bundle {bundle.manifest.name} ({bundle.sha256[:12]}), on {plan.source}: {chosen.why}"


def _governor(found: Found, settings: Settings) -> list[str]:
    """A board that is hot is given governor.precision; where that is the slower one, it gets hotter."""
    if found.chosen is None or not settings.governor.enabled:
        return []
    variant, lighter = found.chosen.drive.candidate.variant, settings.governor.precision
    mine = timing.told(found.chosen.drive.candidate)
    for each in found.candidates:
        row = timing.told(each)
        same = (row.format, row.runtime, row.threads) == (mine.format, mine.runtime, mine.threads)
        if same and row.precision == lighter != variant.artifact.precision and _slower(row, mine):
            times = (row.p50_ms or 0.0) / (mine.p50_ms or 1.0)
            found_slower = (
                f"governor.precision is {lighter!r}, which a hot board is given, and {row.name} is {times:.1f} times "
                'slower than the winner: set it to ""'
            )
            return [found_slower]
    return []


def _slower(row: LatencyRow, mine: LatencyRow) -> bool:
    return bool(row.p50_ci95_ms and mine.p50_ci95_ms and row.p50_ci95_ms[0] > mine.p50_ci95_ms[1])


def _report(
    plan: Plan,
    bundle: Bundle,
    found: Found,
    machine: tuple[Environment, Conditions, Conditions],
    *,
    stamp_of: Any,  # noqa: ANN401 - a datetime
) -> Report:
    winner = None
    if found.chosen is not None and found.complete:
        winner = {"values": _plain(found.chosen), "why": found.chosen.why}
    return Report(
        kind="tune",
        options=asdict(plan),
        bundle=bundle,
        environment=machine[0],
        started=stamp_of,
        before=machine[1],
        after=machine[2],
        rows=[*map(_latency_row, found.candidates), *map(_pipeline_row, found.drives)],
        notes=found.notes,
        complete=found.complete,
        extra={
            "winner": winner,
            "nearest": [] if winner or not found.complete else nearest(found.candidates, found.drives),
            "change": found.change or None,
        },
    )


def _plain(chosen: Chosen) -> dict[str, Any]:
    variant = chosen.drive.candidate.variant
    return {
        "runtime": variant.runtime,
        "precision": variant.artifact.precision,
        "threads": variant.threads,
        PERIOD_KEY: chosen.drive.period_s,
    }


def _latency_row(candidate: Candidate) -> TuneRow:
    row = timing.told(candidate)
    return TuneRow(
        **_identity(row),
        n=row.n,
        error=row.error,
        drop_pp=candidate.drop.pp,
        drop_pp_ci95=candidate.drop.ci95,
        drop_n=candidate.drop.n,
        drop_from=candidate.drop.source,
        p50_ms=row.p50_ms,
        p50_ci95_ms=row.p50_ci95_ms,
        p95_ms=row.p95_ms,
        core_ms=None if row.p50_ms is None else timing.core_ms(row),
        peak_rss_bytes=row.peak_rss_bytes,
        left=candidate.left,
        why=candidate.why or "went on into the pipeline room",
        misses=candidate.misses,
        samples_ns=row.samples_ns,
    )


def _pipeline_row(drive: Drive) -> TuneRow:
    coverage = drive.coverage
    return TuneRow(
        **_identity(timing.told(drive.candidate)),
        room="pipeline",
        n=len(drive.answers),
        error=drive.error,
        period_s=drive.period_s,
        cpu_ms_per_frame=drive.median_ms if drive.answers else None,
        cpu_ms_per_frame_rounds=drive.cpu_ms,
        peak_rss_bytes=drive.peak_rss_bytes or None,
        faces=coverage.faces if coverage else None,
        covered=coverage.covered if coverage else None,
        lost_pp=drive.lost_pp,
        left=drive.left,
        why=drive.why,
        misses=drive.misses,
        winner=not drive.left and bool(drive.why),
    )


def _identity(row: LatencyRow) -> dict[str, Any]:
    names = "format precision runtime threads size_bytes effective_precision runtime_version"
    return {name: getattr(row, name) for name in names.split()}


def exit_code(report: Report) -> ExitCode:
    """0 with a winner (written where that was asked for), 1 when nothing fits, 69 when nothing could be measured."""
    if not any(row.n for row in report.rows) and any(row.error for row in report.rows):
        return ExitCode.UNAVAILABLE
    if report.extra["winner"] is None or "error" in (report.extra["change"] or {}):
        return ExitCode.GATE_NOT_MET
    asked = report.options["config"] is not None and not report.options["dry_run"]
    return ExitCode.OK if not asked or (report.extra["change"] or {}).get("written") else ExitCode.GATE_NOT_MET
