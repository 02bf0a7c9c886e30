"""The plots of accuracy: top-1 with its interval, the recall of each class, and the curves under what a camera does."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.page import svg
from fer_bench.page.figure import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Figure,
    Series,
    across_bar,
    horizontal,
    key,
    upright_bar,
    vertical,
)
from fer_bench.page.plots import Looks
from fer_bench.page.scale import Scale, fitted, shown
from fer_bench.results.rows import AccuracyRow, CorruptionRow

LANE, NAME = 34.0, 13.0
CELL, ROW_NAME = 22.0, 70.0
FULL, EMPTY = 1.0, 0.06


def accuracies(rows: Sequence[AccuracyRow], looks: Looks) -> Figure | None:
    """Top-1 of each artifact; None where nothing was judged."""
    found = [row for row in rows if row.n and row.top1 is not None and row.top1_ci95 is not None]
    if not found:
        return None
    x = fitted([100 * end for row in found for end in row.top1_ci95 or ()], 10.0, WIDTH - RIGHT, log=False)
    bottom = TOP + LANE * len(found)
    parts = vertical(x, "top-1, %", bottom)
    for i, row in enumerate(found):
        parts.append(svg.group(looks[key(row)].color, _dot(row, looks[key(row)], x, TOP + LANE * i)))
    alt = "; ".join(f"{row.format}/{row.precision} with {row.runtime} {_top1(row)}" for row in found)
    title = "Accuracy"
    note = "Bars: 95 % intervals, each artifact on its own; the paired drop tells more than whether two bars overlap."
    return Figure(title, svg.drawing(WIDTH, bottom + BOTTOM, parts, f"{title}: {alt}"), alt, note)


def recalls(rows: Sequence[AccuracyRow], looks: Looks) -> Figure | None:
    """Recall of each class, an artifact a column of cells; None where nothing was judged."""
    found = [row for row in rows if row.n and row.recall]
    if not found:
        return None
    labels = list(found[0].recall)
    width = min(90.0, (WIDTH - LEFT - ROW_NAME) / len(found))
    height = TOP + CELL * len(labels) + 16
    parts = [svg.text((4, TOP + CELL * i + 15), label, class_="lane") for i, label in enumerate(labels)]
    for column, row in enumerate(found):
        left = ROW_NAME + width * column
        cells = [_cell(row, label, (left, TOP + CELL * i), width) for i, label in enumerate(labels)]
        parts.append(svg.group(looks[key(row)].color, cells))
        parts.append(
            svg.group(looks[key(row)].color, [svg.marker((left + (width - 2) / 2, height - 6), looks[key(row)].shape)])
        )
    alt = "; ".join(
        f"{row.format}/{row.precision}: "
        + ", ".join(f"{name} {100 * share:.0f} %" for name, share in row.recall.items())
        for row in found
    )
    title = "Recall of each class, %"
    drawn = svg.drawing(WIDTH, height, parts, f"{title}: {alt}")
    return Figure(title, drawn, alt, "", [looks[key(row)] for row in found])


def curves(rows: Sequence[AccuracyRow], looks: Looks, units: dict[str, str]) -> list[Figure]:
    """One per corruption: top-1 from the clean pictures to the harshest step. units: of the levels, by corruption."""
    names = dict.fromkeys(step.corruption for row in rows for step in row.corruptions)
    return [_curve(name, [row for row in rows if _steps(row, name)], looks, units.get(name, "")) for name in names]


def _curve(name: str, rows: Sequence[AccuracyRow], looks: Looks, unit: str) -> Figure:
    levels = [step.level for step in _steps(rows[0], name)]
    x = Scale(0.0, float(len(levels)), LEFT + 22, WIDTH - RIGHT - 22)
    ends = [100 * end for row in rows for step in _steps(row, name) for end in step.top1_ci95]
    ends += [100 * end for row in rows for end in row.top1_ci95 or ()]
    y = fitted(ends, HEIGHT - BOTTOM, TOP + 8, log=False)
    bottom = HEIGHT - BOTTOM
    parts = horizontal(y, "top-1, %")
    for i, label in enumerate(["clean", *map(shown, levels)]):
        parts.append(svg.text((x(i), bottom + 14), label, anchor="middle"))
    parts.append(svg.text(((LEFT + WIDTH - RIGHT) / 2, bottom + 32), unit, anchor="middle", class_="axis"))
    for row in rows:
        parts.append(svg.group(looks[key(row)].color, _walk(row, name, x, y, looks[key(row)])))
    alt = "; ".join(
        f"{row.format}/{row.precision} {_top1(row)} clean, then "
        + ", ".join(f"{100 * step.top1:.1f} at {shown(step.level)}" for step in _steps(row, name))
        for row in rows
    )
    title = f"Under {name}"
    drawn = svg.drawing(WIDTH, HEIGHT, parts, f"{title}: {alt}")
    return Figure(title, drawn, alt, "Bars: 95 % intervals.", [looks[key(row)] for row in rows])


def _walk(row: AccuracyRow, name: str, x: Scale, y: Scale, look: Series) -> list[str]:
    aside = 4.0 * ((look.number % 5) - 2)
    shares = [(row.top1 or 0.0, row.top1_ci95 or (0.0, 0.0))]
    shares += [(step.top1, step.top1_ci95) for step in _steps(row, name)]
    spots = [(x(i) + aside, y(100 * share)) for i, (share, _) in enumerate(shares)]
    parts = [svg.path(spots, "trace")]
    for at, (share, (low, high)) in zip(spots, shares, strict=True):
        parts += [
            *upright_bar(at[0], y, (100 * low, 100 * high)),
            svg.marker(at, look.shape, svg.hint(f"{100 * share:.1f} %")),
        ]
    return parts


def _steps(row: AccuracyRow, name: str) -> list[CorruptionRow]:
    return sorted((step for step in row.corruptions if step.corruption == name), key=lambda step: step.severity)


def _dot(row: AccuracyRow, look: Series, x: Scale, top: float) -> list[str]:
    low, high = row.top1_ci95 or (0.0, 1.0)
    at = (x(100 * (row.top1 or 0.0)), top + NAME + 8)
    name = f"{row.format}/{row.precision} with {row.runtime}"
    return [
        svg.text((x.start, top + NAME - 3), svg.clipped(name), class_="lane"),
        svg.text((WIDTH - RIGHT, top + NAME - 3), f"{_top1(row)}, n = {row.n:,}", anchor="end"),
        *across_bar(x, at[1], (100 * low, 100 * high)),
        svg.marker(at, look.shape, svg.hint(f"{name}: {_top1(row)}")),
    ]


def _cell(row: AccuracyRow, label: str, at: tuple[float, float], width: float) -> str:
    share = row.recall.get(label, 0.0)
    fill = svg.tag(
        "rect",
        x=at[0],
        y=at[1],
        width=width - 2,
        height=CELL - 2,
        rx=2.0,
        class_="cell",
        fill_opacity=f"{EMPTY + (FULL - EMPTY) * 0.6 * share:.2f}",
    )
    return fill + svg.text(
        (at[0] + (width - 2) / 2, at[1] + 14), f"{100 * share:.0f}", anchor="middle", class_="tick strong"
    )


def _top1(row: AccuracyRow) -> str:
    return f"{100 * (row.top1 or 0.0):.2f} %"
