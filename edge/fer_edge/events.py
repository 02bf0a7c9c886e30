"""What leaves the daemon: observations become versioned events, plain dictionaries ready for JSON.

An event never holds pixels. Every event has `schema_version`, `type`, `time` (wall, UTC, ISO 8601) and, where it
belongs to a frame, `t_s` (seconds on the source's clock) and `frame` (its number). docs/reference/events.md describes
each type.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fer_edge.types import Observation, TrackedFace

SCHEMA_VERSION = 1
UNCERTAIN = "uncertain"
TYPES = (
    "started",
    "face_entered",
    "expression",
    "expression_changed",
    "face_left",
    "counts",
    "camera_lost",
    "camera_back",
    "state_changed",
    "frame_failed",
    "model_changed",
    "model_refused",
    "statistics",
    "stopped",
)

Event = dict[str, Any]


class EventStream:
    """Turns observations into events, and decides how often a face that does not change is told of.

    rate_hz: `expression` events per face and second of the source's clock: `inf` is every frame, 0.0 none at all, so
    that changes alone are told. What changes is always told at once.
    """

    def __init__(self, labels: Sequence[str], rate_hz: float) -> None:
        """Start with no face known."""
        self._period_s = float("inf")
        self._labels = tuple(labels)
        self.tell_at(rate_hz)
        self._shown: dict[int, str] = {}
        self._told_s: dict[int, float] = {}

    def tell_at(self, rate_hz: float) -> None:
        """Another rate, from the next frame on."""
        self._period_s = 1.0 / rate_hz if rate_hz > 0 else float("inf")

    def events(self, observation: Observation) -> list[Event]:
        """What to tell of one frame, in order: who left, who came, what changed, what goes on."""
        found = [self._left(observation, track_id) for track_id in observation.left if track_id in self._shown]
        for face in observation.faces:
            found.extend(self._of_face(observation, face))
        return found

    def _left(self, observation: Observation, track_id: int) -> Event:
        label = self._shown.pop(track_id)
        self._told_s.pop(track_id, None)
        return {**_head("face_left", observation), "track": track_id, "label": label}

    def _of_face(self, observation: Observation, face: TrackedFace) -> list[Event]:
        label = face.expression.label or UNCERTAIN
        before = self._shown.get(face.track_id)
        self._shown[face.track_id] = label
        found = []
        if before is None:
            found.append({**_head("face_entered", observation), **self._body(face, label)})
        elif before != label:
            found.append({**_head("expression_changed", observation), "from": before, **self._body(face, label)})
        told = self._told_s.get(face.track_id)
        if told is None or observation.captured_s - told >= self._period_s * 0.999:
            self._told_s[face.track_id] = observation.captured_s
            if self._period_s != float("inf"):
                found.append({**_head("expression", observation), **self._body(face, label)})
        return found

    def _body(self, face: TrackedFace, label: str) -> Event:
        expression = face.expression
        return {
            "track": face.track_id,
            "label": label,
            "confidence": round(expression.confidence, 4),
            "probabilities": {
                name: round(value, 4) for name, value in zip(self._labels, expression.probabilities, strict=True)
            },
            "box": [round(value, 1) for value in (face.box.x, face.box.y, face.box.w, face.box.h)],
            "score": round(face.score, 4),
        }


def plain(kind: str, wall: datetime, **fields: Any) -> Event:  # noqa: ANN401 - JSON values
    """An event that belongs to no frame."""
    return {"schema_version": SCHEMA_VERSION, "type": kind, "time": stamp(wall), **fields}


def stamp(wall: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z."""
    return wall.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _head(kind: str, observation: Observation) -> Event:
    head = {
        "schema_version": SCHEMA_VERSION,
        "type": kind,
        "time": stamp(observation.wall),
        "t_s": round(observation.captured_s, 4),
        "frame": observation.seq,
    }
    if observation.origin:
        head["file"] = observation.origin
    return head
