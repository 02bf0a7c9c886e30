"""The figures as tables: those that people ask for first, and every figure of every row in a fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.scenarios import SINGLE
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.results.rows import AccuracyRow
from fer_bench.soak.rows import SoakRow
from fer_bench.table import MISSING, figure, percent, span
from fer_bench.verdict.facts import Json
from fer_train.reporting import markup

MANY = 12
"""A longer list is told by how many it has."""
NAME_KEYS = ("name", "format", "precision", "runtime", "threads")

Columns = Sequence[tuple[str, Callable[[Any], str]]]

LATENCY: Columns = (
    ("variant", lambda row: row.name),
    ("computes", lambda row: row.effective_precision or MISSING),
    ("p50 ms", lambda row: figure(row.p50_ms, 3)),
    ("95 % interval", lambda row: span(row.p50_ci95_ms, 3)),
    ("p90", lambda row: figure(row.p90_ms, 3)),
    ("p95", lambda row: figure(row.p95_ms, 3)),
    ("p99", lambda row: figure(row.p99_ms, 3)),
    ("inferences/s", lambda row: MISSING if row.scenario == SINGLE else figure(row.per_second, 0)),
    ("to float32", lambda row: figure(row.ratio_to_float32) + (" *" if row.significant is False else "")),
    ("load ms", lambda row: figure(_median(row.load_ms), 0)),
    ("first ms", lambda row: figure(_median(row.first_ms), 2)),
    ("RSS MB", lambda row: figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0)),
    ("file KiB", lambda row: figure(row.size_bytes / 1024, 0)),
    ("n", lambda row: f"{row.n:,}"),
)
ACCURACY: Columns = (
    ("artifact", lambda row: f"{row.format}/{row.precision} with {row.runtime}"),
    ("computes", lambda row: row.effective_precision or MISSING),
    ("top-1 %", lambda row: percent(row.top1)),
    ("95 % interval", lambda row: span(row.top1_ci95, 1, 100.0)),
    ("drop, points", lambda row: MISSING if row.drop_pp is None else f"{row.drop_pp:+.2f}"),
    ("95 % interval", lambda row: span(row.drop_pp_ci95)),
    ("McNemar p", lambda row: figure(row.mcnemar_p, 4)),
    ("agreement %", lambda row: percent(row.agreement)),
    ("macro recall %", lambda row: percent(row.macro_recall)),
    ("ECE", lambda row: figure(row.ece, 4)),
    ("n", lambda row: f"{row.n:,}"),
)
PIPELINE: Columns = (
    ("contender", lambda row: row.name),
    ("CPU ms a frame", lambda row: figure(row.cpu_ms_per_frame)),
    ("to bare loop", lambda row: figure(row.ratio_to_bare)),
    ("lowest to highest", lambda row: span(_ends(row.ratio_to_bare_rounds))),
    ("frames/s", lambda row: figure(row.fps, 1)),
    ("capture to event, p50 ms", lambda row: figure(row.latency_p50_ms, 1)),
    ("p95", lambda row: figure(row.latency_p95_ms, 1)),
    ("p99", lambda row: figure(row.latency_p99_ms, 1)),
    ("first face s", lambda row: figure(row.first_face_s)),
    ("frames", lambda row: MISSING if row.frames is None else f"{row.frames:,}"),
    ("faces", lambda row: MISSING if row.faces is None else f"{row.faces:,}"),
    ("RSS MB", lambda row: figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0)),
    ("rounds", lambda row: str(row.n)),
)


def latency(rows: Sequence[ScenarioRow]) -> str:
    """One inference, fastest first."""
    ordered = sorted(rows, key=lambda row: row.p50_ms or float("inf"))
    return _table("One inference; * not significantly different from float32", LATENCY, ordered)


def accuracy(rows: Sequence[AccuracyRow]) -> str:
    """How right each artifact is; a drop is paired, against float32 on the same pictures."""
    return _table("Accuracy; a positive drop is a loss against float32 on the same pictures", ACCURACY, rows)


def pipeline(rows: Sequence[PipelineRow]) -> str:
    """The whole daemon."""
    return _table("The whole daemon, medians of the rounds", PIPELINE, rows)


def soak(rows: Sequence[SoakRow]) -> str:
    """Cold against hot."""
    lines = [
        (
            f"{row.name}, {when}",
            figure(row.compare_s, 0),
            figure(degrees, 1),
            figure(clock, 0),
            figure(p50, 3),
            span(ends, 3),
            figure(p95, 3),
            f"{sum(map(len, raw)):,}",
        )
        for row in rows
        for when, degrees, clock, p50, ends, p95, raw in _moments(row)
        if p50 is not None
    ]
    head = ("", "seconds", "°C", "MHz", "p50 ms", "95 % interval", "p95", "n")
    return markup.table("Cold against hot", head, lines) if lines else ""


def _moments(row: SoakRow) -> tuple[tuple[Any, ...], ...]:
    cold = (row.temperature_cold_c, row.clock_cold_mhz, row.cold_p50_ms, row.cold_p50_ci95_ms, row.cold_p95_ms)
    hot = (row.temperature_hot_c, row.clock_hot_mhz, row.hot_p50_ms, row.hot_p50_ci95_ms, row.hot_p95_ms)
    return ("cold", *cold, row.cold_ns), ("hot", *hot, row.hot_ns)


def failures(rows: Sequence[Any]) -> str:
    """What gave no figures, and why."""
    failed = [(row.name, row.error) for row in rows if row.error]
    return markup.table("Failed", ("what", "why"), failed) if failed else ""


def raw(kind: str, rows: Sequence[Json]) -> str:
    """Every figure of every row, a row per figure; long lists are in the result's own file."""
    if not rows:
        return ""
    names = [row_name(row) for row in rows]
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in NAME_KEYS]
    lines = [(key, *[plain(row.get(key)) for row in rows]) for key in keys]
    return markup.table(f"All figures of {kind}, as the result has them", ("figure", *names), lines)


def row_name(row: Json) -> str:
    """Whatever a row calls itself."""
    if "name" in row:
        return str(row["name"])
    if "format" in row:
        return f"{row['format']}/{row['precision']} {row['runtime']} {row['threads']} t"
    return str(next(iter(row.values()), ""))


def plain(value: object) -> str:
    """Any value of a result as a cell; of much, how much."""
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {plain(each)}" for key, each in value.items()) if value else MISSING
    if isinstance(value, (list, tuple)):
        return _listed(value)
    return str(value)


def _listed(values: Sequence[object]) -> str:
    if not values:
        return MISSING
    if isinstance(values[0], (list, tuple)):
        return (
            f"{len(values)} lists of {plain([len(each) for each in values if isinstance(each, (list, tuple))])} values"
        )
    if len(values) > MANY or isinstance(values[0], Mapping):
        return f"{len(values):,} values"
    return ", ".join(plain(each) for each in values)


def _table(caption: str, columns: Columns, rows: Sequence[Any]) -> str:
    shown = [row for row in rows if row.n]
    kept = [(head, cell) for head, cell in columns if any(cell(row) != MISSING for row in shown)]
    if not shown:
        return ""
    return markup.table(caption, [head for head, _ in kept], [[cell(row) for _, cell in kept] for row in shown])


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _ends(values: Sequence[float]) -> tuple[float, float] | None:
    return (min(values), max(values)) if values else None
