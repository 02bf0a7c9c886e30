"""Numbers and lists as the sentences write them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fer_bench.results.rows import LatencyRow, Row, count

DIGITS = 3
REFERENCE = "float32"


def number(value: float) -> str:
    """Three digits that count: 0.312, 12.3, 1,234."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def ms(value: float | None) -> str:
    """With its unit."""
    return "no time" if value is None else f"{number(value)} ms"


def reach(low: float, high: float, digits: int = 0) -> str:
    """`3 to 5`, or `3` where both read the same."""
    first, last = f"{low:.{digits}f}", f"{high:.{digits}f}"
    return first if first == last else f"{first} to {last}"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else ""


def points(value: float) -> str:
    """`1 point`, `0.14 points`; whatever the sign, for the verb tells it."""
    text = f"{abs(value):.2f}".rstrip("0").rstrip(".")
    return f"{text} point" if text == "1" else f"{text} points"


def threads(number_of: int) -> str:
    """`1 thread`, `2 threads`."""
    return count(number_of, "thread")


def artifact(row: Row) -> str:
    """What the bundle calls it, or the name of a single file."""
    return getattr(row, "label", "") or f"{row.format}/{row.precision}"


def pays(precision: str, ratios: Sequence[float], where: str, *, significant: bool, what: str = "p50") -> str:
    """What a precision's ratios to float32 say; several are of several numbers of threads, all of one kind."""
    low, high = min(ratios), max(ratios)
    if not significant:
        return (
            f"{precision} against {REFERENCE} {where}: not significant, "
            f"the intervals of the two {what} overlap (ratio {reach(low, high, 2)})"
        )
    if high < 1.0:
        return f"{precision} takes {reach(low, high, 2)} of {REFERENCE}'s time {where}"
    return f"{precision} is {reach(low, high, 1)} times slower than {REFERENCE} {where}: use {REFERENCE}"


def measured(row: LatencyRow) -> str:
    """A p50 with what it stands on."""
    low, high = row.p50_ci95_ms or (0.0, 0.0)
    return f"p50 {ms(row.p50_ms)}, 95 % {number(low)} to {number(high)}, n = {row.n:,}"
