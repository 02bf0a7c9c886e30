"""The plot of a soak: how long the work takes and how warm the machine is, second by second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_bench.page import svg
from fer_bench.page.figure import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Figure, horizontal, vertical
from fer_bench.page.scale import Scale, fitted
from fer_bench.verdict.words import number

S_PER_MIN = 60.0
MAX_POINTS = 400
"""Of a curve; more would lie on the same pixels."""
CURVES = (
    ("p50_ms", "Time under load", "p50, ms", "s0"),
    ("temperature_c", "Temperature", "°C", "s1"),
    ("clock_mhz", "Clock", "MHz", "s2"),
)

Point = Mapping[str, Any]


def curves(points: Sequence[Point]) -> list[Figure | None]:
    """Time of the work, temperature and clock; None for what the machine does not tell."""
    return [_curve(points, *each) for each in CURVES]


def _curve(points: Sequence[Point], key: str, title: str, unit: str, color: str) -> Figure | None:
    known = [(point["t_s"] / S_PER_MIN, float(point[key])) for point in points if point.get(key) is not None]
    if len(known) < 2:
        return None
    x = Scale(0.0, known[-1][0] or 1.0, LEFT, WIDTH - RIGHT)
    y = fitted([value for _, value in known], HEIGHT - BOTTOM, TOP + 8, log=False)
    step = -(-len(known) // MAX_POINTS)
    trace = svg.path([(x(minute), y(value)) for minute, value in known[::step]], "trace")
    parts = [
        *vertical(x, "minutes", HEIGHT - BOTTOM),
        *horizontal(y, unit),
        svg.group(color, [trace, *_held(points, x)]),
    ]
    values = [value for _, value in known]
    ends = f"at least {number(min(values))}, at most {number(max(values))}"
    alt = f"from {number(values[0])} to {number(values[-1])} {unit}, {ends}"
    note = "Marks at the bottom: the board was held back." if any(point.get("held_back") for point in points) else ""
    return Figure(title, svg.drawing(WIDTH, HEIGHT, parts, f"{title}: {alt}"), alt, note)


def _held(points: Sequence[Point], x: Scale) -> list[str]:
    """A mark for every second in which the board was slower than it can be."""
    at = HEIGHT - BOTTOM
    return [
        svg.line((x(point["t_s"] / S_PER_MIN), at - 8), (x(point["t_s"] / S_PER_MIN), at), "far")
        for point in points
        if point.get("held_back")
    ][:MAX_POINTS]
