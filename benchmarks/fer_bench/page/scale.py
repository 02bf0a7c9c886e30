"""From figures to places on an axis, and the round figures to mark there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
LOG_FROM = 8.0
"""Figures that differ by more than this factor are laid out by their logarithm."""
MARGIN = 0.06
DIGITS = 9
"""To which a tick is a multiple of its step, and no 0.30000000000000004."""


@dataclass(frozen=True)
class Scale:
    """low to high lie at start to end; log: by the logarithm, for figures above 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a figure lies; what is beyond an end lies on it."""
        low, high, at = self._bent(self.low), self._bent(self.high), self._bent(value)
        share = (min(max(at, low), high) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round figures from end to end."""
        return self._decades(about) if self.log else _even(self.low, self.high, about)

    def _bent(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.log else value

    def _decades(self, about: int) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**power for power in powers for step in steps]
            found = [value for value in found if self.low <= value <= self.high]
            if len(found) <= about + 1:
                break
        thinned = found[:: -(-len(found) // (about + 1)) or 1]
        return thinned if len(thinned) > 1 else _even(self.low, self.high, about)


def fitted(values: Iterable[float], start: float, end: float, *, zero: bool = False, log: bool | None = None) -> Scale:
    """A scale with room for all values; zero: from 0 on; log: None is where they differ by much."""
    found = [value for value in values if math.isfinite(value)]
    low, high = min(found), max(found)
    if zero:
        return Scale(0.0, _some(high) * (1 + MARGIN), start, end)
    if low > 0 and (log if log is not None else high > LOG_FROM * low):
        edge = max((high / low) ** MARGIN, 1.01)
        return Scale(low / edge, high * edge, start, end, log=True)
    edge = MARGIN * (high - low) or 0.05 * _some(abs(high))
    return Scale(low - edge, high + edge, start, end)


def shown(value: float) -> str:
    """A tick in as few digits as it has."""
    return f"{value:,.10g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"


def _some(value: float) -> float:
    return value if value > 0 else 1.0


def _even(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in STEPS if each * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    digits = DIGITS - math.floor(math.log10(step))
    return [round(k * step, digits) for k in range(first, math.floor(high / step + 1e-9) + 1)]
