"""Parts of a daemon that do what a test tells them: cameras with a script, steps that see a face, a sink that keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from fer_edge.cameras import Camera
from fer_edge.clock import Clock
from fer_edge.daemon.outputs import Outputs
from fer_edge.daemon.supervisor import Daemon, Parts
from fer_edge.events import Event, EventStream
from fer_edge.health import Health
from fer_edge.types import Box, Expression, Frame, Observation, TrackedFace
from support.clocks import StillClock

LABELS = ("happy", "sad")
WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)
PATIENCE_S = 20.0
"""What a test waits for something that has to come."""


class Hang:
    """A step of a script: the call does not come back until it is let go."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()


Step = int | Exception | Hang | None


class ScriptedCamera:
    """Gives what its script says: frames by number, errors, calls that hang, or the end."""

    name = "script"
    fps = 10.0

    def __init__(self, script: Sequence[Step], *, live: bool = False) -> None:
        self.live = live
        self.closed = 0
        self._script: Iterator[Step] = iter(script)

    def read(self, timeout_s: float) -> Frame | None:
        step = next(self._script, None)
        if isinstance(step, Hang):
            step.begun.set()
            step.over.wait(PATIENCE_S)
            return self.read(timeout_s)
        if isinstance(step, Exception):
            raise step
        if step is None:
            return None
        return Frame(np.full((4, 4, 3), step % 251, np.uint8), step / 10, WALL, step)

    def close(self) -> None:
        self.closed += 1

    def hanging(self) -> bool:
        return False

    def __enter__(self) -> ScriptedCamera:  # noqa: PYI034 - `Self` needs Python 3.11
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class OneFace:
    """Sees the same happy face in every frame; `also` happens at each."""

    def __init__(self, also: Callable[[Frame], object] = lambda _: None) -> None:
        self._also = also

    def step(self, frame: Frame) -> Observation:
        self._also(frame)
        face = TrackedFace(1, Box(0, 0, 2, 2), 0.9, Expression((0.8, 0.2), "happy"))
        return Observation(frame.seq, frame.captured_s, WALL, 4, 4, (face,), stages_ms={"detect": 2.0})


class Kept:
    """A sink that remembers."""

    lost = 0
    reader_gone = False

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = 0

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]


def opener(cameras: Sequence[Camera | Exception]) -> Callable[[], Camera]:
    """Gives one after the other; raises those that are errors."""
    rest = iter(cameras)

    def give() -> Camera:
        camera = next(rest)
        if isinstance(camera, Exception):
            raise camera
        return camera

    return give


def daemon(
    cameras: Sequence[Camera | Exception], steps: Any = None, clock: Clock | None = None, **options: Any
) -> tuple[Daemon, Kept]:
    """A daemon over these openings, and what it said."""
    sink, health = Kept(), options.pop("health", None) or Health()
    parts = Parts(
        open_camera=opener(cameras),
        pipeline=steps or OneFace(),
        teller=EventStream(LABELS, float("inf")),
        outputs=Outputs([sink, *options.pop("sinks", ())], health),
        clock=clock or StillClock(),
        health=health,
        **options,
    )
    return Daemon(parts), sink
