"""Several results of like runs as one, each run's rounds as further rounds; unlike ones are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from fer_bench import stats
from fer_bench.results.kinds import by_key
from fer_bench.results.provenance import Difference, differences, held_back
from fer_bench.results.reading import Result
from fer_edge.errors import UsageError

MUST_AGREE = ("min_seconds", "min_runs")
"""Options that `compare` lets differ: rounds of unlike length are not pooled."""
CONCLUDED = ("ratio_to_float32", "significant", "verdict", "per_second", "per_second_ci95", "profile")
"""What a row says that is of its own rounds alone."""


def pooled(results: Sequence[Result]) -> Result:
    """All of them as one, in the order of time; raises UsageError when they are not of the same thing."""
    ordered = sorted(results, key=lambda result: result.time)
    first = ordered[0]
    if len(ordered) == 1:
        return first
    _check(ordered)
    rows = [[table[key] for table in (by_key(result.rows) for result in ordered)] for key in by_key(first.rows)]
    return replace(
        first,
        complete=all(result.complete for result in ordered),
        environment=replace(first.environment, after=ordered[-1].environment.after),
        notes=tuple(dict.fromkeys(note for result in ordered for note in result.notes)),
        rows=tuple(POOLS[first.kind](same) for same in rows),
        sources=tuple(source for result in ordered for source in result.sources),
    )


def _check(results: Sequence[Result]) -> None:
    first = results[0]
    _check_files(results)
    for other in results[1:]:
        if other.kind != first.kind:
            raise UsageError(
                f"{other.name} is of kind {other.kind} and {first.name} of {first.kind}: they cannot be merged"
            )
        unlike = [*differences(first, other), *_lengths(first, other)]
        if unlike:
            more = f", and {len(unlike) - 1} more" if len(unlike) > 1 else ""
            raise UsageError(f"{first.name} and {other.name} are not runs of the same: {unlike[0]}{more}")
        if by_key(first.rows).keys() != by_key(other.rows).keys():
            raise UsageError(f"{first.name} and {other.name} have not measured the same rows: they cannot be merged")
    if first.kind not in POOLS:
        raise UsageError(f"{first.kind} results are not merged: name one file instead of a folder")


def _check_files(results: Sequence[Result]) -> None:
    seen: dict[str, str] = {}
    for result in results:
        digest = result.sources[0].sha256
        if digest in seen:
            raise UsageError(f"{result.name} and {seen[digest]} are the same result: its samples would count twice")
        seen[digest] = result.name
        if held_back(result):
            raise UsageError(
                f"{result.name} was measured on a board that was held back ({held_back(result)}): leave it out"
            )


def _lengths(first: Result, other: Result) -> list[Difference]:
    values = [(f"option {name}", first.options.get(name), other.options.get(name)) for name in MUST_AGREE]
    return [Difference(name, str(a), str(b)) for name, a, b in values if a != b]


def _joined(rows: Sequence[Any]) -> Any:  # noqa: ANN401 - rows of one kind, and one of the same
    """The first row with everything that comes per round from all of them, and the first error."""
    names = [
        each.name
        for each in fields(rows[0])
        if isinstance(getattr(rows[0], each.name), tuple) and _per_round(each.name)
    ]
    values = {name: tuple(value for row in rows for value in getattr(row, name)) for name in names}
    return replace(
        rows[0], **values, n=sum(row.n for row in rows), error=next((row.error for row in rows if row.error), None)
    )


def _per_round(name: str) -> bool:
    return name.endswith(("_ns", "_rounds")) or name in {"load_ms", "first_ms", "held_back", "conditions"}


def _latency(rows: Sequence[Any]) -> Any:  # noqa: ANN401 - LatencyRow
    """Percentiles anew over all rounds; what was concluded from fewer is left out."""
    row = _joined(rows)
    row = replace(row, **{name: None for name in CONCLUDED if hasattr(row, name)})
    if not row.samples_ns or row.p50_ms is None:
        return _with_peak(row, rows)
    found = stats.summarize([np.asarray(samples) for samples in row.samples_ns])
    return _with_peak(replace(row, **_percentiles(row, found)), rows)


def _percentiles(row: Any, found: stats.Latency) -> dict[str, Any]:  # noqa: ANN401 - LatencyRow
    """The figures of `found` under the names that this row has."""
    values = {f"{name}_ms": getattr(found, name) for name in ("p50", "p90", "p95", "p99")}
    values |= {f"{name}_ci95_ms": getattr(found, f"{name}_ci95", None) for name in ("p50", "p90", "p95", "p99")}
    values["needed"] = getattr(found, "needed", {})
    return {name: value for name, value in values.items() if hasattr(row, name)}


def _with_peak(row: Any, rows: Sequence[Any]) -> Any:  # noqa: ANN401 - a row of any kind, and the same
    """The largest peak of memory of all."""
    peaks = [each.peak_rss_bytes for each in rows if each.peak_rss_bytes is not None]
    return replace(row, peak_rss_bytes=max(peaks, default=None))


def _pipeline(rows: Sequence[Any]) -> Any:  # noqa: ANN401 - PipelineRow, which lives in its own room
    """Medians anew over all rounds."""
    row = _joined(rows)
    medians = {
        name: float(np.median(getattr(row, f"{name}_rounds")))
        for name in ("cpu_ms_per_frame", "ratio_to_bare", "fps", "first_face_s")
        if getattr(row, f"{name}_rounds")
    }
    return _with_peak(replace(row, **medians), rows)


POOLS: dict[str, Callable[[Sequence[Any]], Any]] = {"latency": _latency, "pipeline": _pipeline}
"""Accuracy is not among them: the same pictures give the same answers."""
