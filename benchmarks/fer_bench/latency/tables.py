"""The rows of the latency room as text: a table per scenario, what lies apart from it, verdicts, failures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_bench import stats
from fer_bench.latency.profile import words
from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.scenarios import MULTI, OFFLINE, SCENARIOS, SINGLE
from fer_bench.results.report import Report
from fer_bench.table import MISSING, figure, render, span

WHAT = ("artifact", "computes", "runtime", "threads")
TIMES = ("p50 ms", "95 %", "p90", "95 %", "p95", "95 %", "p99", "95 %")
RATE = ("per s", "95 %")
APART = ("load ms", "first ms", "RSS MB", "file KiB", "harness us")
HEADS = {
    SINGLE: (*WHAT, *TIMES, "/float32", "n"),
    MULTI: (*WHAT, "streams", *TIMES, *RATE, "/float32", "n"),
    OFFLINE: (*WHAT, "streams", "batch", *RATE, "/float32", "n"),
}
MEANINGS = {
    SINGLE: "single-stream: one inference after the other",
    MULTI: "multi-stream: a query is one inference per stream, all at once; times are of queries, rates of inferences",
    OFFLINE: "offline: nobody waits for an answer; rates of inferences, all streams together",
}
MARK = " INVALID"
NS_PER_US = 1e3


def text(report: Report) -> str:
    """All that a person wants to read."""
    rows = [row for row in report.rows if isinstance(row, ScenarioRow)]
    measured = [row for row in rows if row.n]
    parts = [part for scenario in SCENARIOS for part in _scenario(scenario, measured)]
    parts += [row.verdict for row in rows if row.verdict]
    parts += [words.text(row.name, row.profile) for row in rows if row.profile is not None]
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    if rows and not measured:
        parts.append(f"nothing of {' and '.join(dict.fromkeys(row.model for row in rows))} runs here")
    return "\n".join(parts)


def _scenario(scenario: str, measured: Sequence[ScenarioRow]) -> list[str]:
    """Steady figures, then those that lie apart from them."""
    rows = [row for row in measured if row.scenario == scenario]
    if not rows:
        return []
    several = scenario != SINGLE or any(row.scenario != SINGLE for row in measured)
    title = [MEANINGS[scenario]] if several else []
    steady = render(HEADS[scenario], [_steady(row) for row in rows])
    apart = render((*WHAT, *APART), [(*_what(row), *_apart(row)) for row in rows])
    return [*title, steady, "", apart, ""]


def _what(row: ScenarioRow) -> tuple[str, ...]:
    name = row.label or f"{row.format}/{row.precision}"
    return (
        name + ("" if row.valid else MARK),
        row.effective_precision or MISSING,
        f"{row.runtime} {row.runtime_version}",
        str(row.threads),
    )


def _steady(row: ScenarioRow) -> tuple[str, ...]:
    ratio = figure(row.ratio_to_float32) + ("" if row.significant is not False else " (not significant)")
    rate = (figure(row.per_second, 1), span(row.per_second_ci95, 1))
    if row.scenario == SINGLE:
        return (*_what(row), *_times(row), ratio, str(row.n))
    if row.scenario == MULTI:
        return (*_what(row), str(row.streams), *_times(row), *rate, ratio, str(row.n))
    return (*_what(row), str(row.streams), str(row.batch), *rate, ratio, str(row.n))


def _times(row: ScenarioRow) -> tuple[str, ...]:
    """Each percentile with its interval; a dash for what the samples cannot give."""
    figures = {50: row.p50_ms, 90: row.p90_ms, 95: row.p95_ms, 99: row.p99_ms}
    spans = {50: row.p50_ci95_ms, 90: row.p90_ci95_ms, 95: row.p95_ci95_ms, 99: row.p99_ci95_ms}
    cells: list[str] = []
    for q in stats.PERCENTILES:
        shown = figures[q] if row.n >= stats.needed_for_percentile(q) else None
        cells += [figure(shown, 3), span(None if f"p{q}" in row.needed else spans[q], 3)]
    return tuple(cells)


def _apart(row: ScenarioRow) -> tuple[str, ...]:
    overhead = row.harness_overhead_ns
    return (
        figure(float(np.median(row.load_ms)), 0),
        figure(float(np.median(row.first_ms)), 2),
        figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0),
        figure(row.size_bytes / 1024, 0),
        figure(float(np.median(overhead)) / NS_PER_US if overhead else None, 1),
    )
