"""Calm expressions: per track, probabilities averaged over time, and a label that does not flicker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fer_edge.strict import StrictModel
from fer_edge.types import Expression

Seconds = Annotated[float, Field(ge=0.0, le=60.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SmootherOptions(StrictModel):
    """How calm; times are of the source's clock, so that the frame rate does not matter.

    average_s: time constant of the average over probabilities; 0 takes each frame as it is.
    first_s: a track's first frame weighs as if its face had been seen for this long already.
    margin: lead in probability with which another label replaces the held one at once.
    dwell_s: time for which another label must lead, however little, to replace it.
    band: the confidence must fall this far below the calibrated threshold before a label is given up for `uncertain`,
    and rise this far above it before `uncertain` is given up for a label.
    """

    average_s: Seconds = 0.5
    first_s: Seconds = 0.1
    margin: Share = 0.1
    dwell_s: Seconds = 0.5
    band: Share = 0.03


class Smoother:
    """State of every track's expression. Deterministic, and bounded by the number of tracks."""

    def __init__(
        self, labels: Sequence[str], uncertain_below: float = 0.0, options: SmootherOptions | None = None
    ) -> None:
        """Labels in the order of the probabilities. uncertain_below: the artifact's calibrated threshold, 0 to 1."""
        self.labels, self.uncertain_below, self.options = tuple(labels), uncertain_below, options or SmootherOptions()
        self._states: dict[int, _State] = {}
        self._held: dict[int, Expression] = {}

    def update(self, track_id: int, raw: Expression, now_s: float) -> Expression:
        """Take in one frame's expression of a track and give the smoothed one.

        Its probabilities are the average; its label is the held one (for `dwell_s` not always the likeliest), or None
        while uncertain.
        """
        state = self._states.setdefault(track_id, _State(len(self.labels)))
        state.average(raw.probabilities, now_s, self.options)
        state.hold(now_s, self.uncertain_below, self.options)
        label = None if state.label is None else self.labels[state.label]
        self._held[track_id] = Expression(tuple(state.probabilities.tolist()), label)
        return self._held[track_id]

    def held(self, track_id: int) -> Expression:
        """The last result for a track; KeyError before its first `update` and after `drop`."""
        return self._held[track_id]

    def drop(self, track_ids: Iterable[int]) -> None:
        """Forget tracks that ended."""
        for track_id in track_ids:
            self._states.pop(track_id, None)
            self._held.pop(track_id, None)


class _State:
    """One track: the weighted average of what was seen, and the index of the label that is held (None: uncertain)."""

    def __init__(self, count: int) -> None:
        self.probabilities: NDArray[np.float64] = np.full(count, 1.0 / count)
        self.label: int | None = None
        self._weight = 0.0
        self._seen_s: float | None = None
        self._fresh = True
        self._rival: int | None = None
        self._rival_s = 0.0

    def average(self, row: Sequence[float], now_s: float, options: SmootherOptions) -> None:
        """Average exponentially; a frame weighs as the time for which it stands, so the first one does not dominate."""
        elapsed_s = options.first_s if self._seen_s is None else max(now_s - self._seen_s, 0.0)
        self._seen_s = now_s
        kept = math.exp(-elapsed_s / options.average_s) if options.average_s > 0.0 else 0.0
        old, new = self._weight * kept, 1.0 - kept
        if old + new > 0.0:
            self.probabilities = (old * self.probabilities + new * np.asarray(row, dtype=np.float64)) / (old + new)
            self._weight = old + new

    def hold(self, now_s: float, threshold: float, options: SmootherOptions) -> None:
        """Keep, replace or give up the label."""
        leader = int(self.probabilities.argmax())
        confidence = float(self.probabilities[leader])
        band = 0.0 if self._fresh else options.band
        self._fresh = False
        if self.label is None:
            self.label = leader if confidence >= min(threshold + band, 1.0) else None
        elif confidence < threshold - band:
            self.label = None
        else:
            self.label = self._challenged(self.label, leader, now_s, options)
        if self.label in {leader, None}:
            self._rival = None

    def _challenged(self, held: int, leader: int, now_s: float, options: SmootherOptions) -> int:
        """The held label, or its rival when that leads by enough or for long enough."""
        if leader == held:
            return held
        if leader != self._rival:
            self._rival, self._rival_s = leader, now_s
        lead = float(self.probabilities[leader] - self.probabilities[held])
        return held if lead < options.margin and now_s - self._rival_s < options.dwell_s else leader
