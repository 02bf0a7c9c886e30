"""What a plot is to the page, and the frame that all plots share: axes, ticks, series with colour and shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fer_bench.page import svg
from fer_bench.page.scale import Scale, shown
from fer_bench.results.rows import Row
from fer_bench.verdict.words import artifact

WIDTH, HEIGHT = 440.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 12.0, 42.0
COLORS = 8
"""As many as the style sheet has `s0`, `s1`, ...; then they come again with another shape."""


@dataclass(frozen=True)
class Series:
    """How something looks in every plot of the page."""

    name: str
    number: int

    @property
    def color(self) -> str:
        """A class of the style sheet."""
        return f"s{self.number % COLORS}"

    @property
    def shape(self) -> str:
        """Told apart without colours too."""
        return svg.MARKERS[(self.number + self.number // COLORS) % len(svg.MARKERS)]


@dataclass(frozen=True)
class Figure:
    """title and note: what is shown, and how to read it. alt: what can be read off it. legend: the series shown.

    tall: as high as two others.
    """

    title: str
    svg: str
    alt: str
    note: str = ""
    legend: Sequence[Series] = ()
    tall: bool = False


def series_of(rows: Iterable[Row]) -> dict[tuple[str, str], Series]:
    """One per artifact and runtime, in the order of the rows: the same in all plots."""
    keys = list(dict.fromkeys(key(row) for row in rows))
    return {each: Series(f"{each[0]}, {each[1]}", number) for number, each in enumerate(keys)}


def key(row: Row) -> tuple[str, str]:
    """(artifact, runtime)."""
    return artifact(row), row.runtime


def plane(x: Scale, y: Scale, across: str, up: str) -> list[str]:
    """Grid, ticks and the names of both axes."""
    return [*vertical(x, across, HEIGHT - BOTTOM), *horizontal(y, up)]


def vertical(x: Scale, name: str, bottom: float, top: float = TOP) -> list[str]:
    """Grid lines up from the ticks of the axis at the bottom, and its name."""
    parts = [svg.line((x(tick), top), (x(tick), bottom), "grid") for tick in x.ticks()]
    parts += [svg.text((x(tick), bottom + 14), shown(tick), anchor="middle") for tick in x.ticks()]
    name += ", logarithmic" if x.log else ""
    return [*parts, svg.text(((x.start + x.end) / 2, bottom + 32), name, anchor="middle", class_="axis")]


def horizontal(y: Scale, name: str) -> list[str]:
    """Grid lines across from the ticks of the axis at the left, and its name above them."""
    parts = [svg.line((LEFT, y(tick)), (WIDTH - RIGHT, y(tick)), "grid") for tick in y.ticks()]
    parts += [svg.text((LEFT - 6, y(tick) + 4), shown(tick), anchor="end") for tick in y.ticks()]
    return [*parts, svg.text((4, TOP - 1), name, class_="axis")]


def across_bar(x: Scale, y: float, ends: tuple[float, float]) -> list[str]:
    """An interval, lying."""
    low, high = x(ends[0]), x(ends[1])
    caps = [svg.line((at, y - 3), (at, y + 3), "whisker") for at in (low, high)]
    return [svg.line((low, y), (high, y), "whisker"), *caps]


def upright_bar(x: float, y: Scale, ends: tuple[float, float]) -> list[str]:
    """An interval, standing."""
    low, high = y(ends[0]), y(ends[1])
    caps = [svg.line((x - 3, at), (x + 3, at), "whisker") for at in (low, high)]
    return [svg.line((x, low), (x, high), "whisker"), *caps]
