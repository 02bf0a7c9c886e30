"""The candidates: every artifact in every runtime on some threads, less those that are too wrong to be tried."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from fer_bench.latency.rows import Trial
from fer_bench.results.rows import AccuracyRow
from fer_bench.tune.plan import Limits, Plan, Say
from fer_bench.variants import Variant, pairs
from fer_edge.bundle import Artifact, Bundle
from fer_edge.config import MAX_THREADS
from fer_edge.errors import UsageError

THREADS = (1, 2, 4)
FLOAT32 = "float32"
REFERENCE = "it is what drops are counted from"
WHOLE_POINT_PP = 1.0
"""A drop beyond its bound is told as a share of the bound, or of one point where the bound is smaller."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Drop:
    """Top-1 below float32 in percentage points; None where nobody measured it. source: where the figure is from."""

    pp: float | None
    ci95: Interval | None
    n: int
    source: str

    def __str__(self) -> str:
        """As sentences speak of it."""
        if self.pp is None:
            return f"a drop that nobody knows ({self.source})"
        if self.n == 0:
            return f"no drop ({self.source})"
        span = "" if self.ci95 is None else f"95 % {self.ci95[0]:.2f}..{self.ci95[1]:.2f}, "
        return f"a drop of {self.pp:.2f} points ({span}n {self.n}, {self.source})"


@dataclass
class Candidate:
    """A variant, what is known of it, and where and why it left; `left` is "" while it is in."""

    variant: Variant
    drop: Drop
    short: Trial
    full: Trial
    left: str = ""
    why: str = ""
    misses: dict[str, float] = field(default_factory=dict)

    def leave(self, stage: str, why: str) -> None:
        """Out, for this reason."""
        self.left, self.why = stage, why


def candidates(bundle: Bundle, plan: Plan, say: Say) -> tuple[list[Candidate], list[str]]:
    """All of them, those that are beyond the bound for drops marked as gone, and sentences for what cannot run here.

    Raises the errors of `variants.pairs` and of the accuracy room, and UsageError for too many threads.
    """
    chosen, notes = pairs(bundle, plan.choice, every_runtime=True)
    threads = plan.threads or usual_threads()
    if max(threads) > MAX_THREADS:
        raise UsageError(f"the daemon takes {MAX_THREADS} threads at most, found {max(threads)}")
    measured = _measured(plan, tuple(dict.fromkeys(name for _, name in chosen)), say) if plan.data else None
    found = []
    for artifact, name in chosen:
        drop = stated(artifact) if measured is None else _of_rows(artifact, name, measured)
        for number in threads:
            variant = Variant(artifact, name, number)
            found.append(Candidate(variant, drop, Trial(variant), Trial(variant)))
    for each in found:
        gate(each, plan.limits)
    return found, notes


def usual_threads() -> tuple[int, ...]:
    """1, 2 and 4, as far as this process has CPUs."""
    cpus = len(os.sched_getaffinity(0))
    return tuple(number for number in THREADS if number <= max(cpus, 1))


def stated(artifact: Artifact) -> Drop:
    """The drop that the manifest states; float32 is what drops are counted from."""
    quality = artifact.quality
    if quality is None or quality.drop_pp is None:
        if artifact.precision == FLOAT32:
            return Drop(0.0, None, 0, REFERENCE)
        return Drop(None, None, 0, "the manifest has no figure")
    return Drop(quality.drop_pp, quality.drop_pp_ci95, quality.n, "the manifest")


def gate(candidate: Candidate, limits: Limits) -> None:
    """Out before anything is timed when the drop is beyond the bound, or unknown: an unproven artifact wins nothing."""
    drop, bound = candidate.drop, limits.max_drop_pp
    if drop.pp is None:
        candidate.leave("drop", f"has {drop}: measure it with --data")
    elif drop.pp > bound:
        candidate.misses["drop"] = (drop.pp - bound) / max(bound, WHOLE_POINT_PP)
        candidate.leave("drop", f"has {drop}, more than {bound:g}")


def _measured(plan: Plan, runtimes: tuple[str, ...], say: Say) -> Sequence[AccuracyRow]:
    from fer_bench.accuracy import run as accuracy  # noqa: PLC0415 - takes scipy to import, which a board may not have
    from fer_bench.variants import Choice  # noqa: PLC0415 - with it

    choice = Choice(plan.choice.formats, plan.choice.precisions, runtimes)
    report = accuracy.run(accuracy.Plan(plan.bundle, plan.data or "", plan.split, plan.limit, choice), say)
    if not report.complete:
        raise KeyboardInterrupt
    return [row for row in report.rows if isinstance(row, AccuracyRow)]


def _of_rows(artifact: Artifact, runtime: str, rows: Sequence[AccuracyRow]) -> Drop:
    for row in rows:
        if (row.format, row.precision, row.runtime) == (artifact.format, artifact.precision, runtime):
            if row.error:
                return Drop(None, None, 0, row.error)
            if row.drop_pp is None and row.precision == FLOAT32:
                return Drop(0.0, None, 0, REFERENCE)
            return Drop(row.drop_pp, row.drop_pp_ci95, row.n, "measured here")
    return Drop(None, None, 0, "it was not measured")
