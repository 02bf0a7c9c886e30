"""A tuning for people: two tables, a sentence per candidate, the winner, and what was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_bench.results.report import Report
from fer_bench.table import MISSING, figure, render, span
from fer_bench.tune.plan import TuneRow

HEAD_LATENCY = ("artifact", "computes", "runtime", "threads", "drop", "p50 ms", "95 % interval", "p95", "core-ms")
HEAD_PIPELINE = ("artifact", "runtime", "threads", "period s", "CPU ms/frame", "min..max", "faces", "lost points")
HEAD_SIZES = ("RSS MB", "n", "left")
WINNER = "winner"


def text(report: Report) -> str:
    """All of it."""
    rows = [row for row in report.rows if isinstance(row, TuneRow)]
    timed, driven = ([row for row in rows if row.room == room] for room in ("latency", "pipeline"))
    parts = []
    if timed:
        parts.append(render((*HEAD_LATENCY, *HEAD_SIZES), [_timed(row) for row in timed]))
    if driven:
        parts.append(render((*HEAD_PIPELINE, *HEAD_SIZES), [_driven(row) for row in driven]))
    reasons = [f"{_name(row)}: {row.why}" for row in rows if row.left]
    if reasons:
        parts.append("\n".join(reasons))
    if report.complete:
        parts.append(_end(report.extra))
    return "\n\n".join(parts)


def _end(extra: Mapping[str, Any]) -> str:
    if extra["winner"] is None:
        lines = ["nothing fits; nearest:", *extra["nearest"]] if extra["nearest"] else ["nothing fits"]
        return "\n".join(lines)
    lines = [f"winner: {extra['winner']['why']}"]
    change = extra["change"]
    if change is None:
        keys = ", ".join(f"{key} = {_toml(value)}" for key, value in extra["winner"]["values"].items())
        lines.append(f"not written; name the daemon's file with --config, or set: {keys}")
    elif "error" in change:
        lines.append(f"not written: {change['error']}")
    else:
        lines.append(change["diff"] or "the configuration says so already")
        backup = f"; the file as it was is {change['backup']}" if change["backup"] else ""
        lines.append(f"written to {change['file']}{backup}" if change["written"] else "dry run: nothing is written")
    return "\n".join(lines)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _name(row: TuneRow) -> str:
    return row.name if row.period_s is None else f"{row.name}, whole picture every {row.period_s:g} s"


def _timed(row: TuneRow) -> tuple[str, ...]:
    return (
        f"{row.format}/{row.precision}",
        row.effective_precision or MISSING,
        f"{row.runtime} {row.runtime_version or ''}".strip(),
        str(row.threads),
        MISSING if row.drop_pp is None else f"{row.drop_pp:+.2f}",
        figure(row.p50_ms, 3),
        span(row.p50_ci95_ms, 3),
        figure(row.p95_ms, 3),
        figure(row.core_ms, 3),
        *_sizes(row),
    )


def _driven(row: TuneRow) -> tuple[str, ...]:
    rounds = row.cpu_ms_per_frame_rounds
    return (
        f"{row.format}/{row.precision}",
        row.runtime,
        str(row.threads),
        f"{row.period_s:g}",
        figure(row.cpu_ms_per_frame),
        span((min(rounds), max(rounds))) if rounds else MISSING,
        MISSING if row.faces is None else f"{row.covered}/{row.faces}",
        MISSING if row.lost_pp is None else f"{row.lost_pp:+.2f}",
        *_sizes(row),
    )


def _sizes(row: TuneRow) -> tuple[str, ...]:
    left = WINNER if row.winner else row.left or MISSING
    return figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0), str(row.n), left
