"""How many pictures an interval of some width needs."""

from __future__ import annotations

import math

from fer_edge.errors import UsageError
from fer_train.metrics import Z95


def widest_pp(n: int) -> float:
    """Width in percentage points of the Wilson interval of `n` pictures at a top-1 of 50 %, where it is widest."""
    return 100.0 * Z95 / math.sqrt(n + Z95 * Z95)


def needed(width_pp: float) -> int:
    """How many pictures make the interval at most so wide (0 to 100 points), whatever top-1 turns out to be."""
    return max(1, math.ceil((100.0 * Z95 / width_pp) ** 2 - Z95 * Z95))


def require(width_pp: float, n: int, where: str) -> None:
    """Raise UsageError, with the number that is missing, when `n` pictures cannot promise the interval."""
    if n < needed(width_pp):
        raise UsageError(
            f"an interval of top-1 that is {width_pp:g} points wide needs {needed(width_pp)} pictures and {where} has "
            f"{n}, which allow {math.ceil(10 * widest_pp(n)) / 10:g} points: take more pictures or ask for a wider one"
        )
