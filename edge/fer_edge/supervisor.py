"""Runs the daemon: one thread reads the camera, one thinks, the main one waits for signals."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from fer_edge.cameras import Camera
from fer_edge.clock import Clock, process_cpu_s
from fer_edge.errors import CameraLost, ExitCode, FerEdgeError
from fer_edge.events import Event, EventStream, plain
from fer_edge.sinks import Sink
from fer_edge.slot import Slot
from fer_edge.types import Frame, Observation

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 2.0
REOPEN_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a lost camera is opened again; the last repeats."""
STOP_DEADLINE_S = 3.0
"""How long a stopping daemon waits for its threads; a thread stuck in a driver cannot be ended, a process can."""
STAGE_SAMPLES = 4096
"""Newest frames over which stage percentiles are taken."""


class Steps(Protocol):
    """What thinks about a frame: a `fer_edge.pipeline.Pipeline`."""

    def step(self, frame: Frame) -> Observation:
        """All that is known of one frame."""


@dataclass
class Statistics:
    """Counts of one run; CPU and time run from the first frame to the last."""

    frames: int = 0
    faces: int = 0
    searches: dict[str, int] = field(default_factory=dict)
    first_s: float = 0.0
    last_s: float = 0.0
    cpu_first_s: float = 0.0
    cpu_last_s: float = 0.0
    stages_ms: dict[str, deque[float]] = field(default_factory=dict)

    def add(self, observation: Observation, now_s: float) -> None:
        """Count one processed frame."""
        self.frames += 1
        self.faces += len(observation.faces)
        self.searches[observation.searched] = self.searches.get(observation.searched, 0) + 1
        self.last_s, self.cpu_last_s = now_s, process_cpu_s()
        for name, value in observation.stages_ms.items():
            self.stages_ms.setdefault(name, deque(maxlen=STAGE_SAMPLES)).append(value)

    def fields(self, dropped: int, lost: int) -> Event:
        """For a `statistics` event; times in seconds and milliseconds."""
        seconds = self.last_s - self.first_s
        cpu_ms = (self.cpu_last_s - self.cpu_first_s) * 1000.0
        return {
            "frames": self.frames,
            "faces": self.faces,
            "dropped_frames": dropped,
            "lost_events": lost,
            "searches": dict(self.searches),
            "seconds": round(seconds, 3),
            "fps": round(self.frames / seconds, 2) if seconds > 0 else None,
            "cpu_ms_per_frame": round(cpu_ms / self.frames, 3) if self.frames else None,
            "stages_ms": {name: _percentiles(values) for name, values in self.stages_ms.items()},
        }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"p{q}": round(ordered[min(len(ordered) - 1, len(ordered) * q // 100)], 3) for q in (50, 95, 99)}


class Daemon:
    """One camera, one pipeline, some sinks. `run` may be called once."""

    def __init__(
        self,
        open_camera: Callable[[], Camera],
        pipeline: Steps,
        stream: EventStream,
        sinks: Sequence[Sink],
        clock: Clock,
        max_frames: int | None = None,
    ) -> None:
        """Nothing is opened or started yet."""
        self._open, self._pipeline, self._stream, self._sinks = open_camera, pipeline, stream, sinks
        self._clock, self._max_frames = clock, max_frames
        self._stop = threading.Event()
        self._failure: FerEdgeError | None = None
        self._crash: BaseException | None = None
        self._emitting = threading.Lock()
        self.statistics = Statistics()

    def run(self, **started: object) -> ExitCode:
        """Until the source ends, `max_frames` were processed, or a signal comes; `started` goes into the first event.

        Raises CameraBroken or CameraLost when the source cannot be opened, or when a clip breaks off, after its events.
        """
        camera = self._open()
        slot: Slot[Frame] = Slot(patient=not camera.live)
        threads = [
            threading.Thread(target=self._guard, args=(self._capture, slot, camera), name="capture", daemon=True),
            threading.Thread(target=self._guard, args=(self._think, slot), name="inference", daemon=True),
        ]
        before = _on_signals(self._stop.set)
        self._emit(plain("started", self._clock.wall(), source=camera.name, live=camera.live, **started))
        self.statistics.first_s, self.statistics.cpu_first_s = self._clock.monotonic_s(), process_cpu_s()
        try:
            for thread in threads:
                thread.start()
            self._stop.wait()
        finally:
            slot.close()
            for thread in threads:
                thread.join(STOP_DEADLINE_S)
            _restore_signals(before)
            self._finish(slot)
        if self._crash is not None:
            raise self._crash
        if self._failure is not None:
            raise self._failure
        return ExitCode.OK

    def stop(self) -> None:
        """End `run` soon, from any thread."""
        self._stop.set()

    def _guard(self, target: Callable[..., None], *args: object) -> None:
        """A thread that ends, by success or by failure, ends the run."""
        try:
            target(*args)
        except FerEdgeError as error:
            self._failure = self._failure or error
            self._stop.set()
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            self._crash = error
            self._stop.set()

    def _capture(self, slot: Slot[Frame], camera: Camera) -> None:
        current: Camera | None = camera
        try:
            while current is not None and not self._stop.is_set():
                try:
                    frame = current.read(READ_TIMEOUT_S)
                except CameraLost as error:
                    if not current.live:
                        raise
                    current.close()
                    current = self._reopen(error)
                    continue
                if frame is None or not slot.put(frame):
                    return
        finally:
            slot.close()
            if current is not None:
                current.close()

    def _reopen(self, error: CameraLost) -> Camera | None:
        """Try again with growing pauses until the camera is back or the run ends."""
        log.warning("camera lost: %s", error)
        self._emit(plain("camera_lost", self._clock.wall(), reason=str(error)))
        for attempt in range(sys.maxsize):
            if self._stop.wait(REOPEN_PAUSES_S[min(attempt, len(REOPEN_PAUSES_S) - 1)]):
                break
            try:
                camera = self._open()
            except FerEdgeError as reason:
                log.warning("camera still away: %s", reason)
                continue
            self._emit(plain("camera_back", self._clock.wall(), attempts=attempt + 1))
            return camera
        return None

    def _think(self, slot: Slot[Frame]) -> None:
        while not self._stop.is_set():
            frame = slot.take(READ_TIMEOUT_S)
            if frame is None:
                if slot.finished:
                    break
                continue
            observation = self._pipeline.step(frame)
            self.statistics.add(observation, self._clock.monotonic_s())
            for event in self._stream.events(observation):
                self._emit(event)
            if self._max_frames is not None and self.statistics.frames >= self._max_frames:
                break
        self._stop.set()

    def _emit(self, event: Event) -> None:
        with self._emitting:
            for sink in self._sinks:
                sink.emit(event)
        if any(sink.reader_gone for sink in self._sinks):
            self._stop.set()

    def _finish(self, slot: Slot[Frame]) -> None:
        """The last words: what was counted, and why it ended."""
        lost = sum(sink.lost for sink in self._sinks)
        self._emit(plain("statistics", self._clock.wall(), **self.statistics.fields(slot.dropped, lost)))
        error = self._crash or self._failure
        self._emit(plain("stopped", self._clock.wall(), reason=str(error) if error else "done"))
        for sink in self._sinks:
            sink.close()


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], object] | int | None


def _on_signals(stop: Callable[[], None]) -> list[tuple[signal.Signals, _Handler]]:
    """First signal: stop cleanly. Second: the default, at once. Only the main thread may set handlers."""
    if threading.current_thread() is not threading.main_thread():
        return []

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    return [(number, signal.signal(number, handle)) for number in _SIGNALS]


def _restore_signals(before: list[tuple[signal.Signals, _Handler]]) -> None:
    for number, handler in before:
        signal.signal(number, handler)
