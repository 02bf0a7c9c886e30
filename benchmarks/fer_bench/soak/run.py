"""How fast a machine still is when it is as warm as the work makes it: the first minute against the last.

One long process does the work, unlike in `latency`, where each round has a fresh one. Starting a process is a pause in
which the machine cools, and what differs from process to process (memory layout, above all) would hide what heat does;
within one process the first minute and the last have all of that in common. What one process cannot tell is the spread
between processes: for that there is `latency`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from fer_bench import stats
from fer_bench.machine import energy, stability
from fer_bench.machine.environment import ROOT, Conditions, conditions, describe
from fer_bench.pipeline.paced import growth
from fer_bench.pipeline.run import is_clip
from fer_bench.results.report import Report
from fer_bench.soak.load import Job
from fer_bench.soak.loads import Work, opened
from fer_bench.soak.rows import SoakRow
from fer_bench.soak.watch import BLIND_S, COMPARE_S, MOST_S, STEADY_C_PER_MIN, STEADY_WINDOW_S, Load, Point, Say, Soak
from fer_bench.soak.words import text
from fer_edge.bundle import Artifact, Bundle
from fer_edge.clock import Clock, SystemClock
from fer_edge.errors import ExitCode, InputError
from fer_edge.runtimes import engine_for, engines_for

__all__ = ["Bench", "Plan", "SoakRow", "exit_code", "run", "text"]

CLOCK_FELL = 0.95
"""Of the clock of the first minute, below which the last one's is worth a sentence."""


@dataclass(frozen=True)
class Plan:
    """Which artifact to run (None: what the device would take), on what, and for how long (None: until steady)."""

    bundle: str
    minutes: float | None = None
    source: str | None = None
    runtime: str | None = None
    format: str | None = None
    precision: str | None = None
    threads: int = 1
    weights: str | None = None
    settings: tuple[str, ...] = ()
    start_s: float = 60.0


@dataclass(frozen=True)
class Bench:
    """What a soak stands on: where files are read, the clock, and how the load is begun."""

    root: Path = ROOT
    clock: Clock = field(default_factory=SystemClock)
    opened: Callable[[Work], AbstractContextManager[Load]] = opened


def run(plan: Plan, say: Say, bench: Bench | None = None) -> Report:
    """Warm up and watch; Ctrl-C ends it early with what there is.

    Raises the errors of `Bundle.open`, RuntimeUnavailable or UsageError when nothing runs the artifact, InputError for
    a clip that does not exist. A load that fails is a row with its reason.
    """
    bench = bench or Bench()
    bundle = Bundle.open(plan.bundle)
    artifact, runtime = chosen(plan, bundle)
    work = _work(plan, bundle, artifact, runtime)
    found = energy.find(bench.root)
    soak = Soak(plan.minutes, bench.root, energy.Recorder(found.meter) if found.meter else None)
    started, before = bench.clock.wall(), conditions(bench.root)
    _tell_blind(plan, before, say)
    row = SoakRow(
        format=artifact.format,
        precision=artifact.precision,
        runtime=runtime,
        threads=plan.threads,
        size_bytes=artifact.size_bytes,
        load=str(work),
    )
    row, complete = _soaked(row, soak, work, bench, before, say)
    row = judged(row, soak, before)
    return _report(plan, bundle, row, soak, (started, before, found.why), bench.root, complete=complete)


def chosen(plan: Plan, bundle: Bundle) -> tuple[Artifact, str]:
    """One artifact and what runs it, as the device would choose where the plan leaves it open."""
    if plan.format is None:
        formats = tuple(dict.fromkeys(engine.format for engine in engines_for(plan.runtime)))
    else:
        formats = (engine_for(plan.format, plan.runtime).format,)
    artifact = bundle.pick(formats, plan.precision)
    return artifact, engine_for(artifact.format, plan.runtime).name


def judged(row: SoakRow, soak: Soak, before: Conditions) -> SoakRow:
    """The row with what the curve says."""
    if not soak.points:
        return replace(row, error=row.error or soak.error)
    held = [point for point in soak.points if point.held_back is not None]
    degrees = [point.temperature_c for point in soak.points if point.temperature_c is not None]
    resident = [point.rss_bytes for point in soak.points if point.rss_bytes is not None]
    taken = soak.recorder.result() if soak.recorder is not None else None
    row = replace(
        row,
        n=sum(point.n for point in soak.points),
        seconds=soak.points[-1].t_s,
        error=row.error or soak.error,
        valid=not held,
        held_back=held[0].held_back if held else None,
        held_back_after_s=held[0].t_s if held else None,
        steady=soak.steady() if degrees and soak.slope() is not None else None,
        slope_c_per_min=soak.slope(),
        temperature_before_c=before.temperature_c,
        temperature_max_c=max(degrees, default=None),
        growth_bytes=growth(resident),
        energy=asdict(taken) if taken is not None else None,
    )
    return _compared(row, soak)


def _compared(row: SoakRow, soak: Soak) -> SoakRow:
    cold_ns, hot_ns, span_s = soak.compared()
    if not cold_ns or not hot_ns:
        return row
    # Seconds stand where `latency` has processes: samples of one second resemble each other, so whole ones are drawn.
    cold, hot = (
        stats.summarize([np.asarray(each, dtype=np.int64) for each in batches]) for batches in (cold_ns, hot_ns)
    )
    end_s = soak.points[-1].t_s
    first = [point for point in soak.points if point.t_s <= span_s]
    last = [point for point in soak.points if point.t_s > end_s - span_s]
    return replace(
        row,
        compare_s=span_s,
        cold_p50_ms=cold.p50,
        cold_p50_ci95_ms=cold.p50_ci95,
        cold_p95_ms=cold.p95,
        hot_p50_ms=hot.p50,
        hot_p50_ci95_ms=hot.p50_ci95,
        hot_p95_ms=hot.p95,
        ratio=hot.p50 / cold.p50,
        significant=not stats.overlap(cold.p50_ci95, hot.p50_ci95),
        temperature_cold_c=_median(first, "temperature_c"),
        temperature_hot_c=_median(last, "temperature_c"),
        clock_cold_mhz=_median(first, "clock_mhz"),
        clock_hot_mhz=_median(last, "clock_mhz"),
        cold_ns=tuple(tuple(each) for each in cold_ns),
        hot_ns=tuple(tuple(each) for each in hot_ns),
    )


def exit_code(report: Report) -> ExitCode:
    """1 when the board was held back, the load failed, or it never became steady; 69 when nothing was measured."""
    row = report.rows[0]
    if not row.n:
        return ExitCode.UNAVAILABLE
    late = report.options["minutes"] is None and row.steady is False
    return ExitCode.GATE_NOT_MET if row.error or not row.valid or late else ExitCode.OK


def _work(plan: Plan, bundle: Bundle, artifact: Artifact, runtime: str) -> Work:
    if plan.source is not None:
        is_clip(plan.source)  # a clip that is missing is told before anything starts
    if plan.weights is not None and not Path(plan.weights).is_file():
        raise InputError(f"no such detector weights: {plan.weights}")
    job = Job(str(bundle.path.resolve()), artifact.format, artifact.precision, runtime, plan.threads)
    return Work(job, plan.source, plan.weights, plan.settings, plan.start_s)


def _soaked(row: SoakRow, soak: Soak, work: Work, bench: Bench, before: Conditions, say: Say) -> tuple[SoakRow, bool]:
    """The row with who did the work or why nobody did, and whether it was left to its end."""
    try:
        with bench.opened(work) as load:
            identity = load.identity
            row = replace(
                row,
                runtime_version=identity.get("runtime_version")
                or str(identity.get("runtime") or "").rpartition(" ")[2],
                effective_precision=identity.get("effective_precision"),
            )
            soak.watch(load, bench.clock, before, say)
    except KeyboardInterrupt:
        return row, False
    except InputError as reason:
        return replace(row, error=str(reason)), True
    return row, True


def _tell_blind(plan: Plan, before: Conditions, say: Say) -> None:
    if plan.minutes is None and before.temperature_c is None:
        say(f"this machine tells no temperature, so this takes {BLIND_S / 60:.0f} minutes; --minutes sets another time")


def _report(  # noqa: PLR0913 - what a report is made of
    plan: Plan,
    bundle: Bundle,
    row: SoakRow,
    soak: Soak,
    told: tuple[datetime, Conditions, str],
    root: Path,
    *,
    complete: bool,
) -> Report:
    started, before, no_energy = told
    environment, after = describe(root), conditions(root)
    notes = [note for note in stability.of_machine(environment, before, after, plan.threads) if "INVALID" not in note]
    return Report(
        kind="soak",
        options=asdict(plan),
        bundle=bundle,
        environment=environment,
        started=started,
        before=before,
        after=after,
        rows=[row],
        notes=[*_notes(row, soak, no_energy), *notes],
        complete=complete,
        extra={
            "limits": {
                "steady_c_per_min": STEADY_C_PER_MIN,
                "steady_window_s": STEADY_WINDOW_S,
                "most_s": MOST_S,
                "blind_s": BLIND_S,
                "compare_s": COMPARE_S,
            },
            "curve": [asdict(point) for point in soak.points],
        },
    )


def _notes(row: SoakRow, soak: Soak, no_energy: str) -> list[str]:
    notes = []
    if row.n and not soak.thermometer():
        notes.append("this machine tells no temperature, so nobody knows whether it was steady; the time was taken")
    if row.compare_s is not None and row.compare_s < COMPARE_S:
        notes.append(
            f"the run was too short to compare minutes, so its first and last {row.compare_s:.0f} s are compared"
        )
    if row.clock_cold_mhz and row.clock_hot_mhz and row.clock_hot_mhz < CLOCK_FELL * row.clock_cold_mhz:
        notes.append(f"the clock fell from {row.clock_cold_mhz:.0f} to {row.clock_hot_mhz:.0f} MHz")
    if row.n and row.energy is None:
        notes.append(f"no energy: {no_energy or 'the meter gave no number'}")
    return notes


def _median(points: Sequence[Point], name: str) -> float | None:
    values = [getattr(point, name) for point in points if getattr(point, name) is not None]
    return float(np.median(values)) if values else None
