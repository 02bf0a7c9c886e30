"""Rows as aligned text that reads the same on a terminal, in a log and in a pull request."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "  "
MISSING = "-"


def render(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; figures to the right, words to the left."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = [all(_figure(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(_line(line, widths, right) for line in [lines[0], ["-" * width for width in widths], *lines[1:]])


def figure(value: float | None, digits: int = 2, suffix: str = "") -> str:
    """A number with fixed digits, or a dash."""
    return MISSING if value is None else f"{value:.{digits}f}{suffix}"


def percent(value: float | None, digits: int = 2) -> str:
    """A share of 0 to 1 in percent, or a dash."""
    return figure(None if value is None else 100.0 * value, digits)


def span(interval: tuple[float, float] | None, digits: int = 2, scale: float = 1.0) -> str:
    """An interval as `low..high`, or a dash."""
    return MISSING if interval is None else f"{interval[0] * scale:.{digits}f}..{interval[1] * scale:.{digits}f}"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]
    return GAP.join(padded).rstrip()


def _figure(cell: str) -> bool:
    return cell == MISSING or cell[:1] in "+-.0123456789"
