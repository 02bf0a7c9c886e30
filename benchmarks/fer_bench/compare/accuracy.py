"""Two models on the same pictures: McNemar's test and the interval of the drop, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from fer_bench.compare.significance import LEVEL, POWER
from fer_train import metrics


@dataclass(frozen=True)
class Shift:
    """Percentage points by which `new` is right more often than `base`; smallest: what would have shown, in points."""

    n: int
    base: float
    new: float
    points: float
    interval: tuple[float, float]
    p: float
    smallest: float


def compare(targets: Sequence[int], base: Sequence[int], new: Sequence[int]) -> Shift:
    """targets, base, new: indices of labels, one per picture; raises ValueError for unlike lengths."""
    truth, a, b = (np.asarray(values, dtype=np.int64) for values in (targets, base, new))
    if not len(truth) == len(a) == len(b) > 0:
        raise ValueError(f"{len(a)} and {len(b)} predictions for {len(truth)} pictures")
    was, now = a == truth, b == truth
    drop, (low, high) = metrics.paired_drop(was, now)
    normal = NormalDist()
    reach = 1 + normal.inv_cdf(POWER) / normal.inv_cdf((1 + LEVEL) / 2)
    return Shift(
        n=len(truth),
        base=100.0 * float(was.mean()),
        new=100.0 * float(now.mean()),
        points=-drop + 0.0,
        interval=(-high, -low),
        p=metrics.mcnemar(was, now),
        smallest=(high - low) / 2 * reach,
    )
