"""Tracks: a face keeps its number from frame to frame, and has a place also in frames where nobody looked for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from fer_edge.strict import StrictModel
from fer_edge.types import Box, Face

Seconds = Annotated[float, Field(ge=0.0, le=60.0)]


class TrackerOptions(StrictModel):
    """What makes and keeps a track; times are of the source's clock.

    min_iou: overlap with the place where a track should be, above which a face is that track's.
    sure_score, min_hits: a face of this score is a track at once, any other when it was found this often in a row.
    show_s: how long a track is shown after it was last found. keep_s: how long it can still come back under its id.
    velocity_s, size_s: time constants over which velocity and size are averaged. On real clips the latter halves the
    jitter of the size at no loss of overlap; averaging the position lags behind the face, so it is taken as found.
    coast_s: how far ahead the velocity is trusted.
    max_tracks: no more are begun.
    """

    min_iou: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    sure_score: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75
    min_hits: Annotated[int, Field(ge=1, le=10)] = 2
    show_s: Seconds = 0.4
    keep_s: Seconds = 1.0
    velocity_s: Seconds = 0.1
    size_s: Seconds = 0.15
    coast_s: Seconds = 0.2
    max_tracks: Annotated[int, Field(ge=1, le=1000)] = 32


@dataclass(frozen=True, slots=True)
class Track:
    """One face in one frame. track_id: from 1, never given twice. box: where it was found or should be, pixels.

    found: in this very frame, not merely carried on.
    """

    track_id: int
    box: Box
    score: float
    found: bool


@dataclass(frozen=True, slots=True)
class Tracked:
    """What to show of one frame, oldest track first, and the ids that ended with it."""

    tracks: tuple[Track, ...]
    left: tuple[int, ...] = ()


class Tracker:
    """Matches faces with tracks by overlap, greedily, best first. Deterministic: equal input gives equal ids."""

    def __init__(self, options: TrackerOptions | None = None) -> None:
        """Start with no track; ids count from 1."""
        self.options = options or TrackerOptions()
        self._faces: list[_Followed] = []
        self._ids = 0

    def known(self, now_s: float) -> list[Box]:
        """Where the faces that are not given up should be now, pixels, with those just begun and those not shown."""
        return [face.at(now_s, self.options.coast_s) for face in self._faces if not self._expired(face, now_s)]

    def update(self, faces: Sequence[Face], now_s: float, *, looked: bool = True, cut: bool = False) -> Tracked:
        """Take in the faces of the next frame.

        looked: whether this frame was searched; if not, tracks are carried on and none is begun. cut: the picture does
        not continue the last one, so that nobody in it can be told to be the same person: all tracks end.
        """
        ended = [face for face in self._faces if cut or self._expired(face, now_s)]
        self._faces = [face for face in self._faces if face not in ended]
        if looked:
            self._match(faces, now_s)
        shown = [
            Track(face.track_id, face.at(now_s, self.options.coast_s), face.score, face.found_s == now_s)
            for face in self._faces
            if face.track_id and now_s - face.found_s <= self.options.show_s
        ]
        return Tracked(tuple(shown), tuple(face.track_id for face in ended if face.track_id))

    def _expired(self, face: _Followed, now_s: float) -> bool:
        return now_s - face.found_s > self.options.keep_s

    def _match(self, faces: Sequence[Face], now_s: float) -> None:
        """Give each face to a track or begin one; a track that was only begun and is not found again was none."""
        pairs = self._pairs(faces, now_s)
        for followed, face in pairs:
            followed.find(face, now_s, self.options)
        found = [followed for followed, _ in pairs]
        self._faces = [followed for followed in self._faces if followed.track_id or followed in found]
        taken = [face for _, face in pairs]
        for face in faces:
            if not any(face is other for other in taken) and len(self._faces) < self.options.max_tracks:
                self._faces.append(_Followed(face, now_s))
        for followed in self._faces:
            sure = followed.score >= self.options.sure_score or followed.hits >= self.options.min_hits
            if not followed.track_id and sure:
                self._ids += 1
                followed.track_id = self._ids

    def _pairs(self, faces: Sequence[Face], now_s: float) -> list[tuple[_Followed, Face]]:
        """Tracks with the faces that are theirs: of all overlaps the greatest first, the older track on a tie."""
        places = [followed.at(now_s, self.options.coast_s) for followed in self._faces]
        overlaps = [(place.iou(face.box), i, j) for i, place in enumerate(places) for j, face in enumerate(faces)]
        tracks: set[int] = set()
        used: set[int] = set()
        pairs = []
        for iou, i, j in sorted(overlaps, key=lambda overlap: (-overlap[0], overlap[1], overlap[2])):
            if iou > self.options.min_iou and i not in tracks and j not in used:
                tracks.add(i)
                used.add(j)
                pairs.append((self._faces[i], faces[j]))
        return pairs


class _Followed:
    """A face that is followed; without an id (0) until it is sure to be one."""

    __slots__ = ("_box", "_velocity", "found_s", "hits", "score", "track_id")

    def __init__(self, face: Face, now_s: float) -> None:
        self.track_id, self.hits, self.score, self.found_s = 0, 1, face.score, now_s
        self._box = face.box
        self._velocity = (0.0, 0.0)

    def at(self, now_s: float, coast_s: float) -> Box:
        """Where it should be; it is taken to stop after `coast_s`."""
        ahead_s = min(max(now_s - self.found_s, 0.0), coast_s)
        return self._box.shifted(self._velocity[0] * ahead_s, self._velocity[1] * ahead_s) if ahead_s else self._box

    def find(self, face: Face, now_s: float, options: TrackerOptions) -> None:
        """It is here now."""
        elapsed_s = now_s - self.found_s
        (x0, y0), (x1, y1), (vx, vy) = self._box.center, face.box.center, self._velocity
        if elapsed_s > 0.0:
            weight = _weight(elapsed_s, options.velocity_s)
            self._velocity = (
                vx + weight * ((x1 - x0) / elapsed_s - vx),
                vy + weight * ((y1 - y0) / elapsed_s - vy),
            )
        weight = _weight(elapsed_s, options.size_s)
        width = self._box.w + weight * (face.box.w - self._box.w)
        height = self._box.h + weight * (face.box.h - self._box.h)
        self._box = Box(x1 - width / 2, y1 - height / 2, width, height)
        self.score, self.found_s = face.score, now_s
        self.hits += 1


def _weight(elapsed_s: float, constant_s: float) -> float:
    """Of the new value in an average with this time constant."""
    return 1.0 - math.exp(-max(elapsed_s, 0.0) / constant_s) if constant_s > 0.0 else 1.0
