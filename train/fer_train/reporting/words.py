"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

NONE = "–"  # noqa: RUF001 - an empty cell of a table, not a minus sign


def percent(share: float, digits: int = 1) -> str:
    """0.654 as `65.4%`."""
    return f"{share:.{digits}%}"


def interval(ends: Sequence[float], digits: int = 1) -> str:
    """Two shares as `63.9% to 67.0%`."""
    return f"{percent(ends[0], digits)} to {percent(ends[1], digits)}"


def duration(seconds: float) -> str:
    """Seconds, from two minutes on minutes, from two hours on hours."""
    for unit, name in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.{1 if name == 'hours' else 0}f} {name}"
    return f"{seconds:.0f} seconds"


def amount(count: int) -> str:
    """A large number with three digits: `1.23 M`."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return str(count)


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100.0 * difference:+.1f} points"
