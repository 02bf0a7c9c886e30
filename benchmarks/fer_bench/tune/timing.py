"""The latency room: a short round of all, from which the hopeless leave, and full rounds of those who stay.

Rules of the short round (one process each): out goes who fails, who holds more memory than allowed, and whose median
is more than CLOSE above the bound for p95; of the rest the better half stays, FEWEST at least, and with it who is no
more than CLOSE behind the last of it. Better is who keeps the bound, and then who takes fewer core-milliseconds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace

from fer_bench.latency import run as latency
from fer_bench.latency.rows import ScenarioRow
from fer_bench.tune.candidates import Candidate
from fer_bench.tune.plan import Limits, Plan, Say
from fer_edge.bundle import Bundle

WORKER = (sys.executable, "-m", "fer_bench.latency.worker")
SHORT_SECONDS = 0.5
SHORT_RUNS = 50
FEWEST = 4
"""So many stay after the short round, if so many are fit."""
CLOSE = 1.10
"""A short round cannot tell 10 % apart, so nobody leaves for that."""
FINALISTS = 3
"""So many go on into the pipeline room."""
MB = 1e6


def inside(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Who has not left."""
    return [each for each in candidates if not each.left]


def short_round(bundle: Bundle, plan: Plan, candidates: Sequence[Candidate], say: Say, worker: Sequence[str]) -> None:
    """One short process for each, then the rules above."""
    wanted = latency.Plan(
        bundle=plan.bundle,
        min_seconds=min(SHORT_SECONDS, plan.min_seconds),
        min_runs=min(SHORT_RUNS, plan.min_runs),
        rounds=1,
        timeout_s=plan.timeout_s,
    )
    trials = [each.short for each in inside(candidates)]
    latency.interleave(wanted, bundle, trials, lambda line: say(f"short {line}"), worker)
    for each in inside(candidates):
        row = latency.row_of(each.short)
        _fit(each, row, plan.limits, "short round")
        if not each.left and plan.limits.p95_ms is not None and (row.p50_ms or 0.0) > CLOSE * plan.limits.p95_ms:
            each.leave(
                "short round", f"takes {_ms(row.p50_ms)} in half of its inferences, far above {plan.limits.p95_ms:g}"
            )
            each.misses["p95"] = (row.p95_ms or 0.0) / plan.limits.p95_ms - 1
    halve(inside(candidates), plan.limits)


def halve(candidates: Sequence[Candidate], limits: Limits) -> None:
    """The worse half leaves, but not who is close to the last that stays."""
    ranked = sorted(candidates, key=lambda each: _rank(latency.row_of(each.short), limits))
    stay = max(math.ceil(len(ranked) / 2), FEWEST)
    if len(ranked) <= stay:
        return
    slow, bar = _rank(latency.row_of(ranked[stay - 1].short), limits)
    for each in ranked[stay:]:
        beyond, cost = _rank(latency.row_of(each.short), limits)
        if beyond > slow or cost > bar * CLOSE:
            row = latency.row_of(each.short)
            each.leave(
                "short round",
                f"takes {cost:.3g} core-ms (p50 {_ms(row.p50_ms)} x {row.threads}); the better half takes {bar:.3g} "
                "at most" + (f", and its p95 of {_ms(row.p95_ms)} is beyond the bound" if beyond > slow else ""),
            )


def full_rounds(bundle: Bundle, plan: Plan, candidates: Sequence[Candidate], say: Say, worker: Sequence[str]) -> None:
    """Interleaved rounds of those who stayed; beyond a bound is out, and so is who is not among the best few."""
    wanted = latency.Plan(
        bundle=plan.bundle,
        min_seconds=plan.min_seconds,
        min_runs=plan.min_runs,
        rounds=plan.rounds,
        timeout_s=plan.timeout_s,
    )
    latency.interleave(wanted, bundle, [each.full for each in inside(candidates)], say, worker)
    for each in inside(candidates):
        row = latency.row_of(each.full)
        _fit(each, row, plan.limits, "latency")
        if plan.limits.p95_ms is not None and (row.p95_ms or 0.0) > plan.limits.p95_ms:
            each.misses["p95"] = (row.p95_ms or 0.0) / plan.limits.p95_ms - 1
            each.leave("latency", f"has a p95 of {_ms(row.p95_ms)} (n {row.n}), more than {plan.limits.p95_ms:g}")
    ranked = sorted(inside(candidates), key=lambda each: core_ms(latency.row_of(each.full)))
    for place, each in enumerate(ranked[FINALISTS:], start=FINALISTS + 1):
        cost, bar = (core_ms(latency.row_of(one.full)) for one in (each, ranked[FINALISTS - 1]))
        each.leave("latency", f"takes {cost:.3g} core-ms, place {place}; the best {FINALISTS} take {bar:.3g} at most")


def told(candidate: Candidate) -> ScenarioRow:
    """The figures to show: of the full rounds where there were any, else of the short one."""
    trial = candidate.full if candidate.full.answers else candidate.short
    return replace(latency.row_of(trial), error=candidate.full.error or candidate.short.error)


def core_ms(row: ScenarioRow) -> float:
    """How long one inference keeps cores busy at most, milliseconds; infinite where there is no figure."""
    return math.inf if row.p50_ms is None else row.p50_ms * row.threads


def _fit(candidate: Candidate, row: ScenarioRow, limits: Limits, stage: str) -> None:
    """Out is who failed and who held too much memory."""
    if row.error is not None or row.p50_ms is None:
        candidate.leave(stage, f"failed: {row.error}")
    elif limits.rss_mb is not None and row.peak_rss_bytes is None:
        candidate.leave(stage, "holds nobody knows how much memory, and there is a bound for it")
    elif limits.rss_mb is not None and (row.peak_rss_bytes or 0) > limits.rss_mb * MB:
        held = (row.peak_rss_bytes or 0) / MB
        candidate.misses["memory"] = held / limits.rss_mb - 1
        candidate.leave(stage, f"holds {held:.0f} MB with nothing but the model, more than {limits.rss_mb:g}")


def _rank(row: ScenarioRow, limits: Limits) -> tuple[bool, float]:
    return limits.p95_ms is not None and (row.p95_ms or 0.0) > limits.p95_ms, core_ms(row)


def _ms(value: float | None) -> str:
    return "no figure" if value is None else f"{value:.3f} ms"
