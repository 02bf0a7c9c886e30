"""Drawing with SVG elements as text: every text and attribute is escaped here, colours come from the page's classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]
MARKERS = ("circle", "square", "triangle", "diamond")
RADIUS = 4.5
LANE_CHARS = 50
"""Of a name above a lane, so that the figures at its end have room."""


def tag(name: str, *children: str, **attributes: str | float | None) -> str:
    """An element; children are markup. `class_` is `class`, underscores are hyphens, None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{''.join(children)}</{name}>"


def text(at: Point, words: str, *, anchor: str = "start", class_: str = "tick") -> str:
    """Words whose baseline starts, centres or ends at a point."""
    return tag("text", escape(words), x=at[0], y=at[1], text_anchor=anchor, class_=class_)


def clipped(words: str, most: int = LANE_CHARS) -> str:
    """With an ellipsis where there would be no room; the tables have it whole."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def line(start: Point, end: Point, class_: str) -> str:
    """From point to point."""
    return tag("path", d=f"M{_at(start)}L{_at(end)}", class_=class_)


def path(points: Sequence[Point], class_: str, *, closed: bool = False) -> str:
    """Through all points."""
    return tag("path", d="M" + "L".join(_at(point) for point in points) + ("Z" if closed else ""), class_=class_)


def rect(at: Point, width: float, height: float, class_: str, *children: str) -> str:
    """By its upper left corner."""
    return tag("rect", *children, x=at[0], y=at[1], width=max(width, 0.5), height=height, rx=2.0, class_=class_)


def marker(at: Point, shape: str, *children: str) -> str:
    """One of MARKERS, about as large as the others."""
    x, y, r = at[0], at[1], RADIUS
    corners: dict[str, list[Point]] = {
        "square": [
            (x - 0.88 * r, y - 0.88 * r),
            (x + 0.88 * r, y - 0.88 * r),
            (x + 0.88 * r, y + 0.88 * r),
            (x - 0.88 * r, y + 0.88 * r),
        ],
        "triangle": [(x, y - 1.15 * r), (x + 1.1 * r, y + 0.85 * r), (x - 1.1 * r, y + 0.85 * r)],
        "diamond": [(x, y - 1.25 * r), (x + 1.25 * r, y), (x, y + 1.25 * r), (x - 1.25 * r, y)],
    }
    if shape not in corners:
        return tag("circle", *children, cx=x, cy=y, r=r, class_="mark")
    return tag("path", *children, d="M" + "L".join(_at(point) for point in corners[shape]) + "Z", class_="mark")


def hint(words: str) -> str:
    """What a pointer that rests on the element is told."""
    return tag("title", escape(words))


def group(class_: str, parts: Iterable[str]) -> str:
    """Elements of one series."""
    return tag("g", *parts, class_=class_)


def drawing(width: float, height: float, parts: Iterable[str], label: str) -> str:
    """The whole; a screen reader hears `label`."""
    box = f"0 0 {_value(width)} {_value(height)}"
    return tag("svg", *parts, viewBox=box, role="img", aria_label=label)


def _at(point: Point) -> str:
    return f"{_value(point[0])} {_value(point[1])}"


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
