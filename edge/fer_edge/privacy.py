"""How much may leave the process: events of each face, or counts of a group and nothing of anybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from fer_edge.events import UNCERTAIN, Event, plain, stamp
from fer_edge.strict import StrictModel
from fer_edge.types import Observation

Mode = Literal["events", "aggregate", "no-frames"]


class PrivacySettings(StrictModel):
    """What leaves the process at most.

    mode: "events" tells of each face, and of pictures only where `http.picture` is on. "no-frames" is the same, and a
    configuration that switches pictures on is refused. "aggregate" tells how many people showed which expression in
    each window of time, and nothing of anybody.
    window_s: length of a window. min_group: fewer people than this are never counted out loud.
    """

    mode: Mode = "events"
    window_s: Annotated[float, Field(ge=10.0, le=86400.0)] = 60.0
    min_group: Annotated[int, Field(ge=2, le=1000)] = 5


class Aggregate:
    """Turns observations into `counts` events, one per window; the only thing that it keeps of a person is a tally.

    Each track counts once, with the label that it showed in most of its frames. A label that fewer than `min_group`
    people showed is null, zero included: beside zeros, a null would tell what one person showed. The total is null
    where there were fewer, and where it would tell of them by subtraction.
    """

    def __init__(self, labels: Sequence[str], settings: PrivacySettings) -> None:
        """Start with an empty window."""
        self._labels = (*labels, UNCERTAIN)
        self._settings = settings
        self._shown: dict[int, Counter[str]] = {}
        self._began_s: float | None = None
        self._began: datetime | None = None

    def events(self, observation: Observation) -> list[Event]:
        """A `counts` event when a window has ended, else nothing."""
        told = []
        if self._over(observation):
            told.append(self._counts(observation))
            self._shown.clear()
            self._began_s = None
        if self._began_s is None:
            self._began_s, self._began = observation.captured_s, observation.wall
        for face in observation.faces:
            self._shown.setdefault(face.track_id, Counter())[face.expression.label or UNCERTAIN] += 1
        return told

    def _over(self, observation: Observation) -> bool:
        if self._began_s is None:
            return False
        passed_s = observation.captured_s - self._began_s
        return passed_s >= self._settings.window_s or passed_s < 0  # a source's clock may begin anew

    def _counts(self, observation: Observation) -> Event:
        people = Counter(tally.most_common(1)[0][0] for tally in self._shown.values())
        few = self._settings.min_group
        counted = {label: people[label] if people[label] >= few else None for label in self._labels}
        total = len(self._shown)
        secret = total < few or any(0 < people[label] < few for label in self._labels)
        return plain(
            "counts",
            observation.wall,
            since=stamp(self._began or observation.wall),
            people=None if secret else total,
            labels=counted,
            min_group=few,
        )
