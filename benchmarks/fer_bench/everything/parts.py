"""The parts of `all`: what each needs, and how its own room is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fer_bench.everything.plan import ACCURACY, LATENCY, PIPELINE, Plan, Say
from fer_bench.results.report import Report, exit_code


@dataclass(frozen=True)
class Part:
    """lacks: what has to be given before it can be run, None when nothing is missing. status: of its report."""

    run: Callable[[Plan, Say], Report]
    lacks: Callable[[Plan], str | None]
    status: Callable[[Report], int]


def latency(plan: Plan, say: Say) -> Report:
    """The thread sweep."""
    from fer_bench.latency import run as room  # noqa: PLC0415 - a part that is not asked for needs no library

    asked = room.Plan(
        bundle=plan.bundle,
        choice=plan.choice,
        threads=plan.threads,
        min_seconds=plan.min_seconds,
        min_runs=plan.min_runs,
        rounds=plan.rounds,
        timeout_s=plan.timeout_s,
    )
    return room.run(asked, say)


def accuracy(plan: Plan, say: Say) -> Report:
    """Each artifact in the runtime that the device would take, or in those that were asked for."""
    from fer_bench.accuracy import run as room  # noqa: PLC0415 - takes scipy to import, which a board may not have

    asked = room.Plan(
        bundle=plan.bundle,
        data=plan.data or "",
        split=plan.split,
        limit=plan.limit,
        choice=plan.choice,
        corruptions=plan.corruptions,
    )
    return room.run(asked, say)


def pipeline(plan: Plan, say: Say) -> Report:
    """The daemon with what it would take of the bundle by itself, unless `settings` say otherwise."""
    from fer_bench.pipeline import run as room  # noqa: PLC0415 - a part that is not asked for needs no library

    asked = room.Plan(
        source=plan.source or "",
        model=plan.bundle,
        weights=plan.weights,
        rounds=plan.rounds,
        max_frames=plan.max_frames,
        timeout_s=plan.timeout_s,
        settings=plan.settings,
    )
    return room.run(asked, say)


def _status_of_pipeline(report: Report) -> int:
    from fer_bench.pipeline import run as room  # noqa: PLC0415 - see pipeline

    return room.exit_code(report)


PARTS: Mapping[str, Part] = {
    LATENCY: Part(latency, lambda _plan: None, exit_code),
    ACCURACY: Part(
        accuracy,
        lambda plan: None if plan.data else "no pictures were given: --data fer2013:PATH, or a folder per class",
        exit_code,
    ),
    PIPELINE: Part(
        pipeline,
        lambda plan: None if plan.source else "no clip was given: --source CLIP, or a camera",
        _status_of_pipeline,
    ),
}
"""In this order: what needs least comes first."""
