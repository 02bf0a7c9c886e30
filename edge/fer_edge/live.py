"""What can be seen of a running daemon: the newest faces, the last minutes, speed, counts and health; never a pixel."""

from __future__ import annotations

import itertools
import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fer_edge.clock import Clock
from fer_edge.events import UNCERTAIN, Event, stamp
from fer_edge.health import Health
from fer_edge.privacy import PrivacySettings
from fer_edge.types import Observation, TrackedFace

SCHEMA_VERSION = 1
TIMELINE_S = 300
"""How far the timeline reaches back; it has one point per second."""
FPS_WINDOW_S = 5.0
STAGE_WINDOW_S = 10.0
STALE_S = 2.0
"""Faces that are older are not shown any more, so that what was is not taken for what is."""
MAX_SAMPLES = 512
"""Newest frames over which speed and stage percentiles are taken, however fast they come."""
MAX_STAGES = 16
MAX_FACES = 32
"""The largest are kept; no tracker follows more."""
MAX_EVENTS = 256
"""Newest events that a reader who broke off can still be given."""
MAX_TYPES = 64
"""Kinds of events that are counted apart."""
KEPT_WINDOWS = 30
"""Newest windows of counts in the mode `aggregate`."""

CROWD_TYPES = frozenset(
    {"started", "counts", "camera_lost", "camera_back", "state_changed", "frame_failed"}
    | {"model_changed", "model_refused", "statistics", "stopped"}
)
"""Events that tell of no face; in the mode `aggregate` the others are not even remembered."""
TELLING = frozenset({"faces", "searches"})
"""Keys of `statistics` that tell whether anybody is there; in the mode `aggregate` they are taken out."""


@dataclass(frozen=True)
class Told:
    """An event and its place among those of this run."""

    number: int
    event: Event

    @cached_property
    def text(self) -> str:
        """As JSON, made once for all who read it."""
        return json.dumps(self.event, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Live:
    """Thread-safe, and bounded in memory however long it runs. Also a `fer_edge.sinks.Sink`."""

    lost = 0
    reader_gone = False

    def __init__(
        self, labels: Sequence[str], health: Health, clock: Clock, privacy: PrivacySettings | None = None
    ) -> None:
        """labels: the model's, in the order of its probabilities. privacy: in `aggregate` faces are not looked at."""
        self._clock, self._health, self.privacy = clock, health, privacy or PrivacySettings()
        self._lock = threading.Lock()
        self._labels = tuple(labels)
        self._faces: tuple[TrackedFace, ...] = ()
        self._frame: dict[str, Any] | None = None
        self._seen_s = self._began_s = clock.monotonic_s()
        self._times: deque[float] = deque(maxlen=MAX_SAMPLES)
        self._stages: dict[str, _Stage] = {}
        self._frames = self._seen_faces = self._dropped_frames = self._lost_events = self._camera_losses = 0
        self._kinds: dict[str, int] = {}
        self._who: Event = {}
        self._board: dict[str, Any] | None = None
        self._pictures = False
        self._timeline = None if self.aggregate else Timeline(self._began_s)
        self._windows: deque[Event] = deque(maxlen=KEPT_WINDOWS)
        self._ring: deque[Told] = deque(maxlen=MAX_EVENTS)
        self._number = 0
        self._listeners: tuple[Callable[[], None], ...] = ()
        self.run_id = secrets.token_hex(4)

    @property
    def aggregate(self) -> bool:
        """Whether single faces are not remembered."""
        return self.privacy.mode == "aggregate"

    def observe(self, observation: Observation) -> None:
        """One frame was thought about."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            self._seen_s = now_s
            self._frame = {
                "seq": observation.seq,
                "width_px": observation.width_px,
                "height_px": observation.height_px,
            }
            self._times.append(now_s)
            self._frames += 1
            for name, value in itertools.islice(observation.stages_ms.items(), MAX_STAGES):
                self._stage(name).add(now_s, value)
            self._see(observation, now_s)

    def emit(self, event: Event) -> None:
        """Remember an event for those who read along, and wake them; see `Sink.emit`."""
        kind = str(event.get("type"))
        if self.aggregate:
            if kind not in CROWD_TYPES:
                return
            event = {key: value for key, value in event.items() if kind != "statistics" or key not in TELLING}
        with self._lock:
            if kind in self._kinds or len(self._kinds) < MAX_TYPES:
                self._kinds[kind] = self._kinds.get(kind, 0) + 1
            self._learn(kind, event)
            self._number += 1
            self._ring.append(Told(self._number, event))
        for wake in self._listeners:
            wake()

    def close(self) -> None:
        """Nothing is held; see `Sink.close`."""

    def count(self, *, dropped_frames: int, lost_events: int) -> None:
        """Totals that others count."""
        with self._lock:
            self._dropped_frames, self._lost_events = dropped_frames, lost_events

    def board(
        self,
        *,
        temperature_c: float | None = None,
        throttled: Sequence[str] | None = None,
        memory_available_bytes: int | None = None,
    ) -> None:
        """The board's newest readings; None where it does not tell. throttled: what holds it back, in words."""
        with self._lock:
            self._board = {
                "temperature_c": temperature_c,
                "throttled": None if throttled is None else list(throttled),
                "memory_available_bytes": memory_available_bytes,
            }

    def pictures(self, on: bool) -> None:
        """Whether pictures can be seen from outside, which the state has to say."""
        with self._lock:
            self._pictures = on

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, in the emitting thread, after every event; returns what ends that."""
        with self._lock:
            self._listeners = (*self._listeners, wake)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not wake)

        return end

    def since(self, number: int) -> tuple[list[Told], int]:
        """The remembered events after this number, and how many in between are forgotten."""
        with self._lock:
            found = [told for told in self._ring if told.number > number]
            first = found[0].number if found else self._number + 1
            return found, max(0, first - 1 - number)

    @property
    def newest(self) -> int:
        """The number of the newest event; 0 before the first."""
        with self._lock:
            return self._number

    def totals(self) -> dict[str, Any]:
        """What only ever grows: events by type, and per stage how many frames took how many seconds."""
        with self._lock:
            stages = {name: (stage.frames, stage.total_ms / 1000.0) for name, stage in self._stages.items()}
            return {"events": dict(self._kinds), "stages": stages}

    def snapshot(self, *, timeline: bool = True) -> dict[str, Any]:
        """All of it as JSON; docs/reference/http.md describes it. Without `timeline`, only its last full second."""
        now_s, wall, status = self._clock.monotonic_s(), self._clock.wall(), self._health.status()
        with self._lock:
            faces = self._shown(now_s, fresh=status.ready)
            samples = {name: stage.newest(now_s) for name, stage in self._stages.items()}
            found = {
                "schema_version": SCHEMA_VERSION,
                "time": stamp(wall),
                "run": self.run_id,
                "up_s": round(now_s - self._began_s, 1),
                "state": status.state,
                "ready": status.ready,
                "reasons": status.reasons,
                "privacy": {"mode": self.privacy.mode, "pictures": self._pictures},
                "who": dict(self._who),
                "labels": list(self._labels),
                "frame": self._frame and {**self._frame, "age_s": round(now_s - self._seen_s, 2)},
                "faces": faces,
                "fps": self._fps(now_s),
                "counts": self._counted(),
                "board": self._board,
                "timeline": self._timeline.told(now_s, whole=timeline) if self._timeline else None,
                "aggregate": self._groups(),
            }
        found["stages_ms"] = {name: percentiles(values) for name, values in samples.items() if values}
        return found

    def _see(self, observation: Observation, now_s: float) -> None:
        """Look at the faces, where that is allowed."""
        if self._timeline is None:
            return
        self._faces = tuple(sorted(observation.faces, key=lambda face: -face.box.area))[:MAX_FACES]
        self._seen_faces += len(observation.faces)
        first = self._faces[0].expression.probabilities if self._faces else None
        self._timeline.add(len(observation.faces), first, now_s)

    def _stage(self, name: str) -> _Stage:
        if name not in self._stages and len(self._stages) >= MAX_STAGES:
            name = next(iter(self._stages))
        return self._stages.setdefault(name, _Stage())

    def _learn(self, kind: str, event: Event) -> None:
        if kind == "started":
            self._who = {key: value for key, value in event.items() if key not in {"schema_version", "type", "t_s"}}
            self._labels = tuple(event.get("labels", self._labels))
        elif kind == "camera_lost":
            self._camera_losses += 1
            self._faces = ()
        elif kind == "model_changed":
            self._who = {**self._who, "model_sha256": event.get("model_sha256")}
        elif kind == "counts":
            self._windows.append({key: event.get(key) for key in ("since", "time", "people", "labels")})

    def _shown(self, now_s: float, *, fresh: bool) -> list[dict[str, Any]] | None:
        """The faces, if they are still there to be seen; None where single faces are not remembered."""
        if self.aggregate:
            return None
        if not fresh or now_s - self._seen_s > STALE_S:
            return []
        return [_face(face, self._labels) for face in self._faces]

    def _counted(self) -> dict[str, int | None]:
        return {
            "frames": self._frames,
            "faces": None if self.aggregate else self._seen_faces,
            "dropped_frames": self._dropped_frames,
            "lost_events": self._lost_events,
            "camera_losses": self._camera_losses,
        }

    def _groups(self) -> dict[str, Any] | None:
        """The newest `counts` events, which are already as discreet as they have to be; oldest first."""
        if not self.aggregate:
            return None
        privacy = self.privacy
        return {"window_s": privacy.window_s, "min_group": privacy.min_group, "windows": list(self._windows)}

    def _fps(self, now_s: float) -> float:
        recent = [t for t in self._times if now_s - t <= FPS_WINDOW_S]
        span_s = now_s - recent[0] if recent else 0.0
        return round((len(recent) - 1) / span_s, 2) if span_s > 0 else 0.0


class Timeline:
    """One point per second of the last minutes: how many faces, and what the most prominent one showed."""

    def __init__(self, began_s: float) -> None:
        """Seconds are counted from here."""
        self._began_s = began_s
        self._points: deque[tuple[int, int, list[float] | None]] = deque(maxlen=TIMELINE_S)
        self._second, self._most, self._n = 0, 0, 0
        self._sums: list[float] = []
        self._any = False

    def add(self, faces: int, probabilities: Sequence[float] | None, now_s: float) -> None:
        """One frame: its number of faces, and the probabilities of the largest."""
        self._turn(now_s)
        self._any = True
        self._most = max(self._most, faces)
        if probabilities is not None:
            if len(self._sums) != len(probabilities):
                self._sums, self._n = [0.0] * len(probabilities), 0
            self._sums = [total + value for total, value in zip(self._sums, probabilities, strict=True)]
            self._n += 1

    def told(self, now_s: float, *, whole: bool) -> dict[str, Any]:
        """[second, most faces at once, mean probability per label or None] per second, oldest first."""
        self._turn(now_s)
        points = [list(point) for point in self._points if point[0] >= self._second - TIMELINE_S]
        return {"step_s": 1, "now": self._second, "points": points if whole else points[-1:]}

    def _turn(self, now_s: float) -> None:
        """Close the second that has passed."""
        second = int(now_s - self._began_s)
        if second == self._second:
            return
        if self._any:
            mean = [round(total / self._n, 3) for total in self._sums] if self._n else None
            self._points.append((self._second, self._most, mean))
        self._second, self._most, self._n, self._sums, self._any = second, 0, 0, [], False


class _Stage:
    """Milliseconds of one stage, newest last."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)
        self.frames, self.total_ms = 0, 0.0

    def add(self, now_s: float, value_ms: float) -> None:
        self._samples.append((now_s, value_ms))
        self.frames += 1
        self.total_ms += value_ms

    def newest(self, now_s: float) -> list[float]:
        return [value for t, value in self._samples if now_s - t <= STAGE_WINDOW_S]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50 and p95, milliseconds; `values` is not empty."""
    ordered = sorted(values)
    return {f"p{q}": round(ordered[min(len(ordered) - 1, len(ordered) * q // 100)], 2) for q in (50, 95)}


def _face(face: TrackedFace, labels: Sequence[str]) -> dict[str, Any]:
    expression = face.expression
    return {
        "track": face.track_id,
        "label": expression.label or UNCERTAIN,
        "confidence": round(expression.confidence, 3),
        "probabilities": {name: round(p, 3) for name, p in zip(labels, expression.probabilities, strict=False)},
        "box": [round(value, 1) for value in (face.box.x, face.box.y, face.box.w, face.box.h)],
        "score": round(face.score, 3),
    }
