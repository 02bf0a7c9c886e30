"""Runs the daemon: one thread reads the camera, one thinks, the main one watches over both and waits for signals."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from fer_edge.cameras import Camera
from fer_edge.clock import Clock
from fer_edge.daemon.capturing import Capturing, Change, Judge, Wedged
from fer_edge.daemon.outputs import Outputs
from fer_edge.daemon.slot import Slot
from fer_edge.daemon.statistics import Statistics
from fer_edge.errors import (
    BundleRefused,
    CameraLost,
    ExitCode,
    FerEdgeError,
    InferenceFailed,
    OutOfMemory,
    is_want_of_memory,
)
from fer_edge.events import Event, plain
from fer_edge.health import Health, Status
from fer_edge.types import Frame, Observation

log = logging.getLogger(__name__)

TICK_S = 0.2
"""Between two looks of the main thread at everything; an end or a loss wakes it at once."""
TAKE_S = 2.0
STOP_DEADLINE_S = 3.0
"""How long a stopping daemon waits for its threads; a thread stuck in a driver cannot be ended, a process can."""
INFERENCE_LIMIT_S = 10.0
"""A frame that takes longer hangs, and only a new process helps."""
MOST_FAILED_FRAMES = 10
"""In a row; then the model or its runtime is broken, and only a new process may help."""


class Steps(Protocol):
    """What thinks about a frame: a `fer_edge.pipeline.Pipeline`."""

    def step(self, frame: Frame) -> Observation:
        """All that is known of one frame."""


class Teller(Protocol):
    """What makes events of observations: a `fer_edge.events.EventStream`, or one that tells less."""

    def events(self, observation: Observation) -> list[Event]:
        """What to tell of one frame, in order."""


class Tender(Protocol):
    """Something that wants to look after itself now and then, in the main thread."""

    def tick(self) -> None:
        """Called some times per second; returns at once. What it raises ends the run."""


@dataclass(frozen=True)
class Parts:
    """What a daemon is made of.

    open_camera: opens the source, now and again after it was lost. judges: makes what looks at frames for signs of a
    camera that lies. wait: a live source that is not there yet is waited for; otherwise that is an error at once.
    observers: hear of every frame after it was thought about, in the inference thread. statistics_every_s: between
    `statistics` events; there is one at the end in any case. tells_of_faces: whether those say how many there were.
    """

    open_camera: Callable[[], Camera]
    pipeline: Steps
    teller: Teller
    outputs: Outputs
    clock: Clock
    health: Health
    judges: Callable[[], Judge] = lambda: lambda _: None
    observers: Sequence[Callable[[Frame, Observation], None]] = ()
    tenders: Sequence[Tender] = ()
    max_frames: int | None = None
    wait: bool = False
    source: str = ""
    statistics_every_s: float = 60.0
    tells_of_faces: bool = True


class Daemon:
    """One camera, one pipeline, some outputs. `run` may be called once."""

    def __init__(self, parts: Parts) -> None:
        """Nothing is opened or started yet."""
        self._parts, self._clock, self._health = parts, parts.clock, parts.health
        self._slot: Slot[Frame] = Slot()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.capturing = Capturing(
            parts.open_camera, self._slot, parts.clock, parts.health, parts.judges, self._wake.set
        )
        self._thinker = threading.Thread(target=self._guard, name="inference", daemon=True)
        self._thinking_since_s: float | None = None
        self._failed_in_a_row = 0
        self._failure: BaseException | None = None
        self._told = Status("running", {})
        self._statistics_s = 0.0
        self.loops = 0
        """Turns of the main thread so far."""
        self.statistics = Statistics()

    def run(self, **started: object) -> ExitCode:
        """Until the source ends, `max_frames` were processed, or a signal comes; `started` goes into the first event.

        Raises CameraBroken or CameraLost when the source cannot be opened, or when a clip breaks off, after its events;
        Wedged and InferenceFailed when only a new process may help.
        """
        before = _on_signals(self.stop)
        try:
            if self._begin(started):
                self._watch()
        finally:
            _restore_signals(before)
        if self._failure is not None:
            raise self._failure
        return ExitCode.OK

    def stop(self) -> None:
        """End `run` soon, from any thread."""
        self._stopping.set()
        self._wake.set()

    @property
    def dropped_frames(self) -> int:
        """Frames that were not thought about because newer ones had come."""
        return self._slot.dropped

    def thinking_for_s(self) -> float:
        """How long the frame that is thought about has taken so far; 0.0 between frames."""
        since_s = self._thinking_since_s
        return 0.0 if since_s is None else self._clock.monotonic_s() - since_s

    def _begin(self, started: dict[str, object]) -> bool:
        """Wait for the first frame or the first word of trouble; whether there is something to run."""
        self.capturing.start()
        change = None
        while change is None and not self._stopping.is_set():
            self._wake.wait(TICK_S)
            self._wake.clear()
            change = self.capturing.poll()
        if change is None:
            self.capturing.close(STOP_DEADLINE_S)
            return False
        if change.kind == "lost":
            error = self.capturing.error or CameraLost(change.reason)
            if not self._parts.wait or not getattr(error, "worth_waiting", False):
                self.capturing.close(STOP_DEADLINE_S)
                raise error
        name = self.capturing.name or self._parts.source
        self._emit(plain("started", self._clock.wall(), source=name, live=self.capturing.live, **started))
        self.statistics.begin(self._clock.monotonic_s())
        self._statistics_s = self.statistics.first_s
        self._tell(change)
        return True

    def _watch(self) -> None:
        """The main thread's life, until there is a reason to end; then the last words."""
        try:
            self._thinker.start()
            while not self._stopping.is_set():
                self._tick()
                self._wake.wait(TICK_S)
                self._wake.clear()
        except BaseException as error:  # noqa: BLE001 - raised by `run` when all is closed
            self._failure = self._failure or _worded(error)
        finally:
            self._health.stopping()
            self.capturing.close(STOP_DEADLINE_S)
            self._thinker.join(STOP_DEADLINE_S)
            self._finish()

    def _tick(self) -> None:
        self.loops += 1
        while (change := self.capturing.poll()) is not None:
            self._tell(change)
            if change.kind == "ended":
                break
        if self.thinking_for_s() > INFERENCE_LIMIT_S:
            raise Wedged(f"a frame has been thought about for more than {INFERENCE_LIMIT_S:g} s")
        self._tell_state()
        now_s = self._clock.monotonic_s()
        if now_s - self._statistics_s >= self._parts.statistics_every_s:
            self._statistics_s = now_s
            self._emit(self._counted())
        for tender in self._parts.tenders:
            tender.tick()

    def _tell(self, change: Change) -> None:
        if change.kind == "lost":
            log.warning("camera lost: %s", change.reason)
            self._emit(plain("camera_lost", self._clock.wall(), reason=change.reason))
        elif change.kind == "back":
            self._emit(plain("camera_back", self._clock.wall(), attempts=change.attempts))

    def _tell_state(self) -> None:
        """An event for every change of state but the first and the last, which have their own."""
        status = self._health.status()
        if status != self._told and status.state not in {"starting", "stopping"}:
            self._told = status
            self._emit(plain("state_changed", self._clock.wall(), state=status.state, reasons=status.reasons))

    def _guard(self) -> None:
        """The inference thread; its end, by success or by failure, ends the run."""
        try:
            self._think()
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            self._failure = self._failure or _worded(error)
        self.stop()

    def _think(self) -> None:
        while not self._stopping.is_set():
            frame = self._slot.take(TAKE_S)
            if frame is None:
                if self._slot.finished:
                    return
                continue
            observation = self._step(frame)
            if observation is not None:
                self._told_of(frame, observation)
            if self._parts.max_frames is not None and self.statistics.frames >= self._parts.max_frames:
                return

    def _step(self, frame: Frame) -> Observation | None:
        """None for a frame that could not be thought about; raises InferenceFailed when that goes on."""
        self._thinking_since_s = self._clock.monotonic_s()
        try:
            observation = self._parts.pipeline.step(frame)
        except (InferenceFailed, BundleRefused) as error:
            self._failed(frame, error)
            return None
        finally:
            self._thinking_since_s = None
        self._failed_in_a_row = 0
        self._health.report("inference", None)
        return observation

    def _failed(self, frame: Frame, error: FerEdgeError) -> None:
        self.statistics.failed += 1
        self._failed_in_a_row += 1
        self._health.report("inference", str(error))
        if self._failed_in_a_row == 1:
            self._emit(plain("frame_failed", self._clock.wall(), frame=frame.seq, reason=str(error)))
        if self._failed_in_a_row >= MOST_FAILED_FRAMES:
            raise InferenceFailed(f"{MOST_FAILED_FRAMES} frames in a row could not be thought about: {error}")

    def _told_of(self, frame: Frame, observation: Observation) -> None:
        self.statistics.add(observation, self._clock.monotonic_s())
        self._health.running()
        for observer in self._parts.observers:
            observer(frame, observation)
        for event in self._parts.teller.events(observation):
            self._emit(event)

    def _emit(self, event: Event) -> None:
        self._parts.outputs.emit(event)
        if self._parts.outputs.reader_gone:
            self.stop()

    def _counted(self) -> Event:
        fields = self.statistics.fields(self._slot.dropped, self._parts.outputs.lost)
        if not self._parts.tells_of_faces:
            fields = {key: value for key, value in fields.items() if key not in {"faces", "searches"}}
        return plain("statistics", self._clock.wall(), reopened=self.capturing.reopened, **fields)

    def _finish(self) -> None:
        """The last words: what was counted, and why it ended."""
        self._emit(self._counted())
        self._emit(plain("stopped", self._clock.wall(), reason=str(self._failure) if self._failure else "done"))
        self._parts.outputs.close()


def _worded(error: BaseException) -> BaseException:
    return OutOfMemory(OutOfMemory.sentence) if is_want_of_memory(error) else error


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
