"""Which range of values each activation tensor gets its 256 steps for, chosen from histograms over calibration faces.

Four ways: `minmax` covers everything that was seen; `percentile` leaves out the outermost 0.01 %; `mse` takes the range
with the least squared error of rounding and clipping; `entropy` the one whose steps tell the most of the distribution
(least Kullback-Leibler divergence, as TensorRT chooses). Zero is always inside, for padding is zero and must be exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Array

Method = Literal["minmax", "percentile", "mse", "entropy"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse", "entropy")
Range = tuple[float, float]
Activations = Mapping[str, Array]
"""Float tensors of one picture or more, by name."""

BINS = 2048
LEVELS = 256
OUTERMOST = 1e-4
"""Share of values that `percentile` leaves out at each end."""
NARROWEST = 0.3
CANDIDATES = 71
"""Ranges tried by `mse` and `entropy`: from all that was seen down to three tenths of it."""
TINY = 1e-12


@dataclass
class Histogram:
    """Of one tensor: `counts` of BINS equal bins from `low` to `high`."""

    low: float
    high: float
    counts: NDArray[np.float64]

    @property
    def centres(self) -> NDArray[np.float64]:
        """Of the bins."""
        width = (self.high - self.low) / len(self.counts)
        return np.asarray(self.low + width * (np.arange(len(self.counts)) + 0.5), dtype=np.float64)


def histograms(observed: Callable[[], Iterable[Activations]]) -> dict[str, Histogram]:
    """Look twice at the same activations: for their limits, then for how they lie between these.

    observed: gives all batches, each time it is called. Tensors that are not finite are left out.
    """
    limits: dict[str, Range] = {}
    for batch in observed():
        for name, values in batch.items():
            low, high = limits.get(name, (0.0, 0.0))
            limits[name] = min(low, float(values.min())), max(high, float(values.max()))
    found = {
        name: Histogram(low, high if high > low else low + TINY, np.zeros(BINS))
        for name, (low, high) in limits.items()
        if np.isfinite([low, high]).all()
    }
    for batch in observed():
        for name, values in batch.items():
            if name in found:
                seen = found[name]
                seen.counts += np.histogram(values, BINS, (seen.low, seen.high))[0]
    return found


def choose(seen: Histogram, method: Method) -> Range:
    """The range (low <= 0 <= high) of one tensor."""
    if method == "minmax" or not seen.counts.any():
        return seen.low, seen.high
    if method == "percentile":
        return _percentile(seen)
    return _best(seen, _squared_error if method == "mse" else _divergence)


def steps(limits: Range) -> tuple[float, int]:
    """Scale and zero point, 0 to 255, of a range that holds zero."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    scale = max(high - low, TINY) / (LEVELS - 1)
    return scale, int(np.clip(round(-low / scale), 0, LEVELS - 1))


def _percentile(seen: Histogram) -> Range:
    share = np.cumsum(seen.counts) / seen.counts.sum()
    width = (seen.high - seen.low) / len(seen.counts)
    low = seen.low + width * int(np.searchsorted(share, OUTERMOST, side="right"))
    high = seen.low + width * (int(np.searchsorted(share, 1.0 - OUTERMOST, side="left")) + 1)
    return min(low, 0.0), max(high, 0.0)


def _best(seen: Histogram, error: Callable[[Histogram, Range], float]) -> Range:
    tried = [(seen.low * share, seen.high * share) for share in np.linspace(1.0, NARROWEST, CANDIDATES)]
    return min(tried, key=lambda limits: error(seen, limits))


def _squared_error(seen: Histogram, limits: Range) -> float:
    scale, zero = steps(limits)
    stored = np.clip(np.round(seen.centres / scale) + zero, 0, LEVELS - 1)
    return float((seen.counts * (seen.centres - (stored - zero) * scale) ** 2).sum())


def _divergence(seen: Histogram, limits: Range) -> float:
    """Of the clipped distribution from what its steps can tell: each step spreads evenly over its non-empty bins."""
    scale, zero = steps(limits)
    stored = np.clip(np.round(seen.centres / scale) + zero, 0, LEVELS - 1).astype(np.int64)
    inside = (seen.centres >= limits[0]) & (seen.centres <= limits[1])
    wanted = np.where(inside, seen.counts, 0.0)
    first, last = np.flatnonzero(inside)[[0, -1]]
    wanted[first] += seen.counts[:first].sum()
    wanted[last] += seen.counts[last + 1 :].sum()
    told = np.bincount(stored[inside], weights=seen.counts[inside], minlength=LEVELS)
    filled = np.bincount(stored[inside], weights=(wanted > 0)[inside], minlength=LEVELS)
    spread = np.where(inside & (wanted > 0), told[stored] / np.maximum(filled[stored], 1.0), 0.0)
    p, q = wanted / wanted.sum(), (spread + TINY) / (spread + TINY).sum()
    return float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())
