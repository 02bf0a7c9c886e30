"""The soak's result for people: cold against hot, the curve, and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_bench.results.report import Report
from fer_bench.soak.rows import SoakRow
from fer_bench.soak.watch import STEADY_C_PER_MIN, STEADY_WINDOW_S
from fer_bench.table import figure, render, span

HEAD = ("", "seconds", "°C", "MHz", "p50 ms", "95 % interval", "p95", "n")
CURVE_HEAD = ("after s", "°C", "MHz", "p50 ms", "RSS MB")
CURVE_LINES = 12
MB = 1e6


def text(report: Report) -> str:
    """Two lines that are compared, the curve, the verdict."""
    parts = []
    for row in report.rows:
        if not isinstance(row, SoakRow):
            continue
        if row.n:
            parts.append(f"{row.name}: {row.load}")
        if row.ratio is not None:
            parts.append(render(HEAD, _cells(row)))
        if row.n:
            parts += ["", _curve(report.extra["curve"]), ""]
        parts += [*verdict(row), *([f"failed: {row.name}: {row.error}"] if row.error else [])]
    return "\n".join(parts)


def verdict(row: SoakRow) -> list[str]:
    """Sentences, the one that forbids to believe the rest first."""
    found = []
    if not row.valid:
        found.append(
            f"INVALID: the board was held back after {row.held_back_after_s:.0f} s ({row.held_back}); "
            "cool it or feed it, and measure again"
        )
    if row.steady is not None:
        word = "steady" if row.steady else "NOT steady"
        found.append(
            f"the temperature is {word}: {row.slope_c_per_min:+.2f} °C a minute over the last "
            f"{STEADY_WINDOW_S:.0f} s (limit {STEADY_C_PER_MIN:g})"
        )
    if row.ratio is not None:
        found.append(_compared(row))
    if row.growth_bytes is not None:
        found.append(f"resident memory changed by {row.growth_bytes / MB:+.1f} MB over the run")
    if row.energy is not None:
        found.append(
            f"{row.energy['watts']:.2f} W on average, by {row.energy['meter']}, which covers {row.energy['covers']}"
        )
    return found


def _compared(row: SoakRow) -> str:
    """Without a thermometer nobody knows that it was heat."""
    warm = row.temperature_hot_c is not None
    last, first = ("hot", "cold") if warm else ("the end", "the beginning")
    if not row.significant:
        return (
            f"{last} against {first}: not significant, the intervals of the two p50 overlap (ratio {figure(row.ratio)})"
        )
    ratio = row.ratio or 1.0
    why = "" if ratio >= 1.0 else ": the machine was busier, or its clock lower, at the start"
    return f"{last} against {first}: one takes {ratio:.2f} of the time{why}"


def _cells(row: SoakRow) -> list[tuple[str, ...]]:
    return [
        (
            name,
            figure(row.compare_s, 0),
            figure(degrees, 1),
            figure(mhz, 0),
            figure(p50, 3),
            span(interval, 3),
            figure(p95, 3),
            str(sum(len(each) for each in raw)),
        )
        for name, degrees, mhz, p50, interval, p95, raw in (
            (
                "cold",
                row.temperature_cold_c,
                row.clock_cold_mhz,
                row.cold_p50_ms,
                row.cold_p50_ci95_ms,
                row.cold_p95_ms,
                row.cold_ns,
            ),
            (
                "hot",
                row.temperature_hot_c,
                row.clock_hot_mhz,
                row.hot_p50_ms,
                row.hot_p50_ci95_ms,
                row.hot_p95_ms,
                row.hot_ns,
            ),
        )
    ]


def _curve(points: Sequence[Mapping[str, Any]]) -> str:
    """At most CURVE_LINES moments, evenly; the last one always."""
    step = -(-len(points) // CURVE_LINES)
    shown = points[::-1][::step][::-1]
    return render(
        CURVE_HEAD,
        [
            (
                figure(point["t_s"], 0),
                figure(point["temperature_c"], 1),
                figure(point["clock_mhz"], 0),
                figure(point["p50_ms"], 3),
                figure(None if point["rss_bytes"] is None else point["rss_bytes"] / MB, 0),
            )
            for point in shown
        ],
    )
