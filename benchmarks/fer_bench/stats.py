"""Percentiles and their uncertainty, for samples that come in rounds: one round is one fresh process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
Samples = NDArray[np.int64]

REPLICATES = 1000
MAX_KEPT = 30_000
"""More samples than that enter the bootstrap as so many order statistics, evenly spaced, each worth several."""
SMALLEST_ERROR = 1e-6
"""Relative; samples that are all the same have none, and a gamma distribution needs one."""
SEED = 1
LEVEL = 0.95
PERCENTILES = (50, 90, 95, 99)
NS_PER_MS = 1e6


@dataclass(frozen=True)
class Latency:
    """What the steady samples of all rounds say, milliseconds; intervals by bootstrap over rounds and samples.

    An interval is None where the samples are too few for it; `needed` says, per such percentile, how many would do.
    The median's is always given, and is too narrow where `needed` names it.
    """

    n: int
    p50: float
    p50_ci95: Interval
    p90: float
    p95: float
    p99: float
    p90_ci95: Interval | None = None
    p95_ci95: Interval | None = None
    p99_ci95: Interval | None = None
    needed: Mapping[str, int] = field(default_factory=dict)


def percentile(samples: NDArray[Any], q: float) -> float:
    """The smallest sample that at least q percent of the samples do not exceed: always one that was measured."""
    return float(np.percentile(samples, q, method="inverted_cdf"))


def needed_for_interval(q: float) -> int:
    """The fewest samples of which a 95 % interval of the q-th percentile can be made.

    The largest of n independent samples lies above the true percentile with a probability of 1 - (q/100)^n. Below
    97.5 % no interval whose ends were measured covers it as often as it says. That takes 6 samples for p50, 36 for p90,
    72 for p95 and 368 for p99.
    """
    tail = max(q, 100 - q) / 100
    return math.ceil(math.log((1 - LEVEL) / 2) / math.log(tail))


def needed_for_percentile(q: float) -> int:
    """The fewest samples of which the q-th percentile is not just the largest: 10, 20 and 100 for p90, p95 and p99."""
    return math.ceil(100 / (100 - q))


def intervals(rounds: Sequence[NDArray[Any]], percentiles: Sequence[float], seed: int = SEED) -> list[Interval]:
    """95 % intervals of percentiles of the pooled samples, by a two-stage bootstrap: rounds are drawn, then samples.

    Samples of one process share its memory layout and its neighbours on the machine, so they are not independent;
    drawing whole rounds lets the spread between processes into the interval. Of a single round only the inner spread is
    known.
    """
    rng = np.random.default_rng(seed)
    values, owner, worth = _pooled(rounds)
    drawn = rng.integers(len(rounds), size=(REPLICATES, len(rounds)))
    times = (drawn[:, :, None] == np.arange(len(rounds))).sum(axis=1)
    chosen, which = np.unique(times, axis=0, return_inverse=True)
    found = np.empty((len(percentiles), REPLICATES))
    for number, often in enumerate(chosen):
        where = which.reshape(-1) == number
        heights = np.cumsum((often * worth)[owner])
        for line, q in zip(found, percentiles, strict=True):
            line[where] = values[_places(heights, q, int(where.sum()), rng)]
    edges = np.percentile(found, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)], axis=1)
    return [(float(low), float(high)) for low, high in edges.T]


def median_interval(rounds: Sequence[NDArray[Any]], seed: int = SEED) -> Interval:
    """95 % interval of the pooled median; see `intervals`."""
    return intervals(rounds, (50,), seed)[0]


def mean_interval(rounds: Sequence[NDArray[Any]], seed: int = SEED) -> Interval:
    """95 % interval of the pooled mean of times, in two stages as `intervals`.

    A round's mean is drawn from a gamma distribution of its mean and standard error: nearly normal, never below 0.
    """
    rng = np.random.default_rng(seed)
    sizes = np.asarray([len(samples) for samples in rounds], dtype=np.float64)
    means = np.asarray([np.mean(samples) for samples in rounds])
    errors = np.asarray([np.std(samples) for samples in rounds]) / np.sqrt(sizes)
    drawn = rng.integers(len(rounds), size=(REPLICATES, len(rounds)))
    sure = np.maximum(errors / means, SMALLEST_ERROR)[drawn] ** 2
    found = means[drawn] * rng.gamma(1 / sure) * sure
    pooled = (found * sizes[drawn]).sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(pooled, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return float(low), float(high)


def summarize(rounds_ns: Sequence[Samples]) -> Latency:
    """Percentiles over all rounds' samples, which are nanoseconds; raises ValueError when there are none."""
    pooled = np.concatenate(rounds_ns) if rounds_ns else np.empty(0)
    if pooled.size == 0:
        raise ValueError("there are no samples to summarize")
    needed = {f"p{q}": needed_for_interval(q) for q in PERCENTILES if pooled.size < needed_for_interval(q)}
    p50, p90, p95, p99 = (percentile(pooled, q) / NS_PER_MS for q in PERCENTILES)
    spans = [(low / NS_PER_MS, high / NS_PER_MS) for low, high in intervals(rounds_ns, PERCENTILES)]
    told = {f"p{q}_ci95": span for q, span in zip(PERCENTILES, spans, strict=True) if q == 50 or f"p{q}" not in needed}
    figures: dict[str, Any] = {"p50": p50, "p90": p90, "p95": p95, "p99": p99, **told}
    return Latency(n=int(pooled.size), needed=needed, **figures)


def overlap(a: Interval, b: Interval) -> bool:
    """Whether two intervals share a point."""
    return a[0] <= b[1] and b[0] <= a[1]


def _pooled(rounds: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.float64]]:
    """All samples in order, the round that each is from, and how many samples each of a round's stands for."""
    kept = [_thinned(samples, MAX_KEPT // len(rounds)) for samples in rounds]
    owner = np.repeat(np.arange(len(kept)), [len(each) for each in kept])
    values = np.concatenate(kept)
    order = np.argsort(values, kind="stable")
    worth = np.asarray([len(samples) / len(each) for samples, each in zip(rounds, kept, strict=True)])
    return values[order], owner[order], worth


def _thinned(samples: NDArray[Any], most: int) -> NDArray[Any]:
    most = max(most, 1)
    if len(samples) <= most:
        return samples
    places = ((np.arange(most) + 0.5) * len(samples) / most).astype(np.intp)
    return np.asarray(np.sort(samples)[places])


def _places(heights: NDArray[Any], q: float, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Where the q-th percentiles of `count` resamples lie among samples whose shares add up to `heights`.

    The k-th smallest of n draws from n samples lies at n times a beta variable, so nothing needs to be drawn n times.
    """
    total = float(heights[-1])
    rank = min(max(1.0, math.ceil(q / 100 * total - 1e-9)), total)
    drawn = rng.beta(rank, total - rank + 1, size=count) * total
    return np.minimum(np.searchsorted(heights, drawn), len(heights) - 1)
