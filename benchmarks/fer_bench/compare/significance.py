"""Whether two sets of rounds differ by more than chance: a ratio, its interval, an exact p, and Holm's correction.

The unit is the round, which is one process: samples of one process share its memory layout and its neighbours on the
machine, so ten thousand of them are no more proof than one. A round enters with its percentile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

ALPHA = 0.01
"""Of a difference that is none: a gate that cries wolf at every twentieth change is soon switched off."""
LEVEL = 0.95
REPLICATES = 2000
SEED = 1
POWER = 0.80
"""The smallest difference that is told would have been called significant this often."""
DRIFT_FACTOR = 5.0
"""Runs one after the other: their difference must exceed the drift within either of them this many times.

On a machine that does nothing but wander (a random walk), two runs of the same thing with 10 rounds each come out
different in 5 of 100 comparisons with this factor, in 52 by their ranks alone, and in 1 when they take turns
(simulated: `tests/system/honesty.py --simulate --rounds 10`). A machine that does not drift pays next to nothing."""
MEDIAN_NOISE = math.pi / 2
EXACT_ROUNDS = 60
"""Above this many rounds on both sides together the normal distribution stands in for counting."""
CHUNK = 2_000_000
"""Numbers that are held at a time while a bootstrap runs: 16 MB."""
MAX_ROUNDS = 10_000
"""Where asking for more rounds ends."""


@dataclass(frozen=True)
class Change:
    """How `new` compares with `base`, as a ratio; 1.0 is no change.

    interval: 95 %. p: two-sided, exact up to EXACT_ROUNDS. smallest: the relative change (0.05 is 5 %) that these
    samples would have shown four times out of five; None with too few rounds to show any.
    """

    ratio: float
    interval: Interval
    p: float
    smallest: float | None


def compare(base: Sequence[Floats], new: Sequence[Floats], q: float, *, paired: bool) -> Change:
    """The ratio of the q-th percentiles of two sets of rounds; every array has the samples of one round, above 0.

    paired: round k of one was measured beside round k of the other, so that what the machine did falls on both alike;
    then the ratios of the pairs are what is looked at. Otherwise the two sets were measured one after the other: what
    the machine drifted within them widens the interval, because as much may have happened between them.
    """
    a, b = (np.log([_quantile(samples, q) for samples in rounds]) for rounds in (base, new))
    middle = _shift(a[None], b[None], paired=paired)[0]
    low, high = _bootstrap(base, new, q, paired=paired)
    half = 0.0 if paired else DRIFT_FACTOR * max(_drift(a), _drift(b))
    low, high = min(low, middle - half), max(high, middle + half)
    p = signed_rank(b - a) if paired else rank_sum(a, b)
    enough = rounds_suffice(len(a), len(b), 1, paired=paired)
    return Change(
        math.exp(middle), (math.exp(low), math.exp(high)), p, _smallest(low, middle, high) if enough else None
    )


def rounds_suffice(base: int, new: int, tests: int, *, paired: bool) -> bool:
    """Whether so many rounds could be called different at all when `tests` comparisons are made at once."""
    if min(base, new) < 1:
        return False
    least = 2.0 ** (1 - base) if paired else 2.0 / math.comb(base + new, base)
    return least <= ALPHA / tests


def rounds_needed(tests: int, *, paired: bool) -> int:
    """The rounds that each side needs before any difference can be called significant."""
    return next((n for n in range(2, MAX_ROUNDS) if rounds_suffice(n, n, tests, paired=paired)), MAX_ROUNDS)


def holm(p_values: Sequence[float]) -> list[float]:
    """The same p-values corrected for there being several of them (Holm 1979), in the same order."""
    corrected, worst = [0.0] * len(p_values), 0.0
    for place, i in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = worst
    return corrected


def rank_sum(a: Floats, b: Floats) -> float:
    """Two-sided p that both come from the same distribution (Mann and Whitney 1947), exact with ties too."""
    ranks = _doubled_ranks(np.concatenate([a, b]))
    found, mean = int(ranks[: len(a)].sum()), float(ranks.sum() * len(a) / len(ranks))
    if len(ranks) > EXACT_ROUNDS:
        spread = math.sqrt(len(a) * len(b) / len(ranks) * float(ranks.var(ddof=1)))
        return _normal_p(abs(found - mean), spread)
    ways = np.zeros((len(a) + 1, int(ranks.sum()) + 1))
    ways[0, 0] = 1.0
    for rank in ranks.tolist():
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    return _tail(ways[len(a)], found, mean)


def signed_rank(differences: Floats) -> float:
    """Two-sided p that differences lie evenly around 0 (Wilcoxon 1945), exact with ties too; zeros say nothing."""
    kept = differences[differences != 0]
    if not len(kept):
        return 1.0
    ranks = _doubled_ranks(np.abs(kept))
    found, mean = int(ranks[kept > 0].sum()), float(ranks.sum()) / 2
    if len(ranks) > EXACT_ROUNDS:
        return _normal_p(abs(found - mean), math.sqrt(float((ranks.astype(float) ** 2).sum())) / 2)
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks.tolist():
        ways[rank:] += ways[: len(ways) - rank].copy()
    return _tail(ways, found, mean)


def _quantile(samples: Floats, q: float) -> float:
    return float(np.percentile(samples, q, method="inverted_cdf"))


def _shift(a: Floats, b: Floats, *, paired: bool) -> Floats:
    """How far b (R, N) lies above a (R, M), row by row, by Hodges and Lehmann: one odd round moves nothing."""
    if paired:
        d = b - a
        i, k = np.triu_indices(d.shape[1])
        return np.asarray(np.median((d[:, i] + d[:, k]) / 2, axis=1), dtype=np.float64)
    between = b[:, None, :] - a[:, :, None]
    return np.asarray(np.median(between.reshape(len(a), -1), axis=1), dtype=np.float64)


def _bootstrap(base: Sequence[Floats], new: Sequence[Floats], q: float, *, paired: bool) -> Interval:
    """95 % interval of the shift: rounds are drawn (pairs of them, where they are paired), then samples within each.

    Few rounds make a percentile interval too narrow, so its ends lie as much further out as Student's distribution
    does (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", expanded percentiles).
    """
    rng = np.random.default_rng(SEED)
    size = len(base) * len(new)
    step = max(1, CHUNK // size)
    shifts = []
    for start in range(0, REPLICATES, step):
        count = min(step, REPLICATES - start)
        chosen = rng.integers(len(base), size=(count, len(base)))
        others = chosen if paired else rng.integers(len(new), size=(count, len(new)))
        shifts.append(_shift(_drawn(base, chosen, q, rng), _drawn(new, others, q, rng), paired=paired))
    tail = _expanded_tail(min(len(base), len(new)))
    low, high = np.quantile(np.concatenate(shifts), [tail, 1 - tail])
    return float(low), float(high)


def _drawn(rounds: Sequence[Floats], chosen: NDArray[Any], q: float, rng: np.random.Generator) -> Floats:
    """Logarithms of the percentiles of resampled rounds, in the shape of `chosen`.

    The k-th smallest of n draws from n samples lies at n times a beta variable, so nothing needs to be drawn n times.
    """
    found = np.empty(chosen.shape)
    for number, samples in enumerate(rounds):
        where = chosen == number
        n, k = len(samples), max(1, math.ceil(q / 100 * len(samples)))
        places = (n * rng.beta(k, n - k + 1, size=int(where.sum()))).astype(np.int64)
        found[where] = np.log(np.sort(samples)[np.minimum(places, n - 1)])
    return found


def _expanded_tail(rounds: int) -> float:
    """What lies beyond each end of the interval."""
    if rounds < 2:
        return (1 - LEVEL) / 2
    return NormalDist().cdf(-math.sqrt(rounds / (rounds - 1)) * student(rounds - 1))


def student(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's distribution, by its expansion in 1/freedom (within 2 % from 3 on)."""
    if freedom < 3:
        return {1: 12.706, 2: 4.303}[freedom]
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(sum(term / freedom**k for k, term in enumerate(terms)))


def _drift(rounds: Floats) -> float:
    """How far the second half of a run's rounds lies from its first, beyond what mere noise would make of them.

    Noise is what neighbours differ by (von Neumann 1941): a machine that wanders moves little from one round to the
    next. MEDIAN_NOISE: of a median's variance to a mean's.
    """
    half = len(rounds) // 2
    if half < 2:
        return 0.0
    between = float(np.median(rounds[-half:]) - np.median(rounds[:half]))
    noise = MEDIAN_NOISE * float(np.mean(np.diff(rounds) ** 2)) / half
    return math.sqrt(max(0.0, between**2 - noise))


def _smallest(low: float, middle: float, high: float) -> float:
    normal = NormalDist()
    half = max(high - middle, middle - low)
    return math.expm1(half * float(1 + normal.inv_cdf(POWER) / normal.inv_cdf((1 + LEVEL) / 2)))


def _doubled_ranks(values: Floats) -> NDArray[np.int64]:
    """Twice the ranks, so that ties, which share the mean of theirs, stay whole numbers."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((2 * last - counts + 1)[place.reshape(-1)], dtype=np.int64)


def _tail(ways: Floats, found: int, mean: float) -> float:
    far = np.abs(np.arange(len(ways)) - mean) >= abs(found - mean) - 1e-9
    return float(min(1.0, ways[far].sum() / ways.sum()))


def _normal_p(distance: float, spread: float) -> float:
    return 1.0 if spread == 0 else 2 * NormalDist().cdf(-distance / spread)
