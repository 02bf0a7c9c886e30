"""Percentiles and their uncertainty, for samples that come in rounds: one round is one fresh process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
Samples = NDArray[np.int64]

REPLICATES = 1000
DRAWS_PER_ROUND = 1000
"""The longest round is resampled with this many, shorter ones in proportion; that widens the interval a little."""
SEED = 1
LEVEL = 0.95
NS_PER_MS = 1e6


@dataclass(frozen=True)
class Latency:
    """What the steady samples of all rounds say, milliseconds; p50_ci95 by bootstrap over rounds and samples."""

    n: int
    p50: float
    p50_ci95: Interval
    p90: float
    p95: float
    p99: float


def percentile(samples: NDArray[Any], q: float) -> float:
    """The smallest sample that at least q percent of the samples do not exceed: always one that was measured."""
    return float(np.percentile(samples, q, method="inverted_cdf"))


def median_interval(rounds: Sequence[NDArray[Any]], seed: int = SEED) -> Interval:
    """95 % interval of the pooled median by a two-stage bootstrap: rounds are drawn, then samples within each.

    Samples of one process share its memory layout and its neighbours on the machine, so they are not independent;
    drawing whole rounds lets the spread between processes into the interval. Of a single round only the inner spread is
    known.
    """
    rng = np.random.default_rng(seed)
    longest = max(len(samples) for samples in rounds)
    share = min(1.0, DRAWS_PER_ROUND / longest)
    medians = np.empty(REPLICATES)
    for i in range(REPLICATES):
        chosen = rng.integers(len(rounds), size=len(rounds))
        pooled = np.concatenate([rng.choice(rounds[k], size=math.ceil(share * len(rounds[k]))) for k in chosen])
        medians[i] = np.median(pooled)
    low, high = np.percentile(medians, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return float(low), float(high)


def summarize(rounds_ns: Sequence[Samples]) -> Latency:
    """Percentiles over all rounds' samples, which are nanoseconds; raises ValueError when there are none."""
    pooled = np.concatenate(rounds_ns) if rounds_ns else np.empty(0)
    if pooled.size == 0:
        raise ValueError("there are no samples to summarize")
    low, high = median_interval(rounds_ns)
    p50, p90, p95, p99 = (percentile(pooled, q) / NS_PER_MS for q in (50, 90, 95, 99))
    return Latency(int(pooled.size), p50, (low / NS_PER_MS, high / NS_PER_MS), p90, p95, p99)


def overlap(a: Interval, b: Interval) -> bool:
    """Whether two intervals share a point."""
    return a[0] <= b[1] and b[0] <= a[1]
