"""How long one inference takes, and whether a lower precision pays: fresh processes, interleaved rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from fer_bench import stats
from fer_bench.latency.worker import Job
from fer_bench.machine import stability
from fer_bench.machine.environment import conditions, describe
from fer_bench.processes.children import ChildFailed, Json, ask
from fer_bench.results.report import Report
from fer_bench.results.rows import LatencyRow
from fer_bench.table import MISSING, figure, render
from fer_bench.variants import Choice, Variant, pairs
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock

REFERENCE = "float32"
WORKER = (sys.executable, "-m", "fer_bench.latency.worker")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure, and how long: `rounds` processes per variant, each for `min_seconds` and `min_runs` at least."""

    bundle: str
    choice: Choice = field(default_factory=Choice)
    threads: tuple[int, ...] = (1,)
    min_seconds: float = 2.0
    min_runs: int = 200
    rounds: int = 3
    timeout_s: float = 600.0


@dataclass
class Trial:
    """A variant and what its processes answered so far; `error` ends it."""

    variant: Variant
    answers: list[Json] = field(default_factory=list)
    error: str | None = None


def run(plan: Plan, say: Say, worker: Sequence[str] = WORKER) -> Report:
    """Measure; Ctrl-C ends it early with what there is and `complete` False.

    Raises the errors of `Bundle.open` and `variants.pairs`; what goes wrong in a worker is a row with its reason.
    """
    bundle = Bundle.open(plan.bundle)
    chosen, notes = pairs(bundle, plan.choice, every_runtime=True)
    trials = [Trial(Variant(artifact, name, threads)) for artifact, name in chosen for threads in plan.threads]
    started, before = SystemClock().wall(), conditions()
    complete = True
    try:
        interleave(plan, bundle, trials, say, worker)
    except KeyboardInterrupt:
        complete = False
    environment, after = describe(), conditions()
    rows = judged([row_of(trial) for trial in trials if trial.answers or trial.error])
    notes += stability.of_machine(environment, before, after, max(plan.threads)) + stability.of_plan(plan.rounds)
    for row in rows:
        notes += stability.of_rounds(row.name, row.samples_ns)
    return Report(
        kind="latency",
        options={**asdict(plan), "worker": list(worker)},
        bundle=bundle,
        environment=environment,
        started=started,
        before=before,
        after=after,
        rows=rows,
        notes=notes,
        complete=complete,
    )


def interleave(plan: Plan, bundle: Bundle, trials: Sequence[Trial], say: Say, worker: Sequence[str]) -> None:
    """A B C, A B C, ...: what changes on the machine while one measures falls on all variants alike."""
    for number in range(1, plan.rounds + 1):
        for trial in trials:
            if trial.error is None:
                say(f"round {number} of {plan.rounds}: {trial.variant}: {_once(plan, bundle, trial, worker)}")


def _once(plan: Plan, bundle: Bundle, trial: Trial, worker: Sequence[str]) -> str:
    """One process; its answer goes into the trial, its essence is returned."""
    artifact = trial.variant.artifact
    job = Job(
        str(bundle.path.resolve()),
        artifact.format,
        artifact.precision,
        trial.variant.runtime,
        trial.variant.threads,
        plan.min_seconds,
        plan.min_runs,
    )
    try:
        answer = ask(worker, asdict(job), plan.timeout_s)
    except ChildFailed as reason:
        trial.error = f"round {len(trial.answers) + 1} {reason}"
        return trial.error
    trial.answers.append(answer)
    return f"p50 {stats.percentile(np.asarray(answer['samples_ns']), 50) / stats.NS_PER_MS:.3f} ms"


def row_of(trial: Trial) -> LatencyRow:
    """All rounds of a trial as one row; the raw samples stay in it."""
    variant, answers = trial.variant, trial.answers
    row = LatencyRow(
        format=variant.artifact.format,
        precision=variant.artifact.precision,
        runtime=variant.runtime,
        threads=variant.threads,
        size_bytes=variant.artifact.size_bytes,
        error=trial.error,
    )
    if not answers:
        return row
    found = stats.summarize([np.asarray(answer["samples_ns"]) for answer in answers])
    peaks = [answer["peak_rss_bytes"] for answer in answers if answer["peak_rss_bytes"] is not None]
    return replace(
        row,
        n=found.n,
        effective_precision=answers[0]["effective_precision"],
        runtime_version=answers[0]["runtime_version"],
        p50_ms=found.p50,
        p50_ci95_ms=found.p50_ci95,
        p90_ms=found.p90,
        p95_ms=found.p95,
        p99_ms=found.p99,
        peak_rss_bytes=max(peaks, default=None),
        golden_error=max(answer["golden_error"] for answer in answers),
        load_ms=tuple(answer["load_ms"] for answer in answers),
        first_ms=tuple(answer["first_ms"] for answer in answers),
        warmup_ns=tuple(tuple(answer["warmup_ns"]) for answer in answers),
        samples_ns=tuple(tuple(answer["samples_ns"]) for answer in answers),
    )


def judged(rows: Sequence[LatencyRow]) -> list[LatencyRow]:
    """The same rows with their ratio to float32 in the same format, runtime and threads, and the verdict in words."""
    references = {(row.format, row.runtime, row.threads): row for row in rows if row.precision == REFERENCE}
    return [_judge(row, references.get((row.format, row.runtime, row.threads))) for row in rows]


def _judge(row: LatencyRow, reference: LatencyRow | None) -> LatencyRow:
    if row.precision == REFERENCE or row.p50_ms is None or row.p50_ci95_ms is None:
        return row
    if reference is None or reference.p50_ms is None or reference.p50_ci95_ms is None:
        return replace(row, verdict=f"{row.name}: no {REFERENCE} was measured to compare it with")
    ratio = row.p50_ms / reference.p50_ms
    significant = not stats.overlap(row.p50_ci95_ms, reference.p50_ci95_ms)
    return replace(row, ratio_to_float32=ratio, significant=significant, verdict=_words(row, ratio, significant))


def _words(row: LatencyRow, ratio: float, significant: bool) -> str:
    where = f"with {row.runtime} on {row.name.rpartition(' on ')[2]}"
    if not significant:
        return (
            f"{row.precision} against {REFERENCE} {where}: not significant, "
            f"the intervals of the two p50 overlap (ratio {ratio:.2f})"
        )
    if ratio < 1.0:
        return f"{row.precision} takes {ratio:.2f} of {REFERENCE}'s time {where}"
    return f"{row.precision} is {ratio:.1f} times slower than {REFERENCE} {where}: use {REFERENCE}"


HEAD = ("artifact", "computes", "runtime", "threads", "p50 ms", "95 % interval", "p90", "p95", "p99", "/float32")
HEAD_SIZES = ("load ms", "first ms", "RSS MB", "file KiB", "n")


def text(report: Report) -> str:
    """The table, then the verdicts, then every reason why something failed."""
    rows = [row for row in report.rows if isinstance(row, LatencyRow)]
    measured = [row for row in rows if row.n]
    parts = [render((*HEAD, *HEAD_SIZES), [_cells(row) for row in measured])] if measured else []
    parts += [row.verdict for row in rows if row.verdict]
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n".join(parts)


def _cells(row: LatencyRow) -> tuple[str, ...]:
    low, high = row.p50_ci95_ms or (0.0, 0.0)
    ratio = figure(row.ratio_to_float32) + ("" if row.significant is not False else " (not significant)")
    return (
        f"{row.format}/{row.precision}",
        row.effective_precision or MISSING,
        f"{row.runtime} {row.runtime_version}",
        str(row.threads),
        figure(row.p50_ms, 3),
        f"{low:.3f}..{high:.3f}",
        figure(row.p90_ms, 3),
        figure(row.p95_ms, 3),
        figure(row.p99_ms, 3),
        ratio,
        figure(float(np.median(row.load_ms)), 0),
        figure(float(np.median(row.first_ms)), 2),
        figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0),
        figure(row.size_bytes / 1024, 0),
        str(row.n),
    )
