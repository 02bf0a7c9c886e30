"""The camera's side of the daemon: a thread that reads frames, and the ladder by which a lost camera comes back.

A lost camera is opened again after growing pauses, each time by a new thread. A thread that hangs in a driver cannot be
ended: it is left behind, once. A second one means that only a new process helps, and the run ends with status 75.
"""

from __future__ import annotations

import gc
import logging
import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fer_edge.cameras import Camera
from fer_edge.clock import Clock
from fer_edge.daemon.slot import Slot
from fer_edge.errors import CameraLost, ExitCode, FerEdgeError, bare
from fer_edge.health import Health
from fer_edge.types import Frame

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 2.0
"""What a camera is given for a frame before it says itself that it is lost."""
STALL_AFTER_S = 3.0
"""Frames of this age, from a camera that says nothing, mean that its driver hangs."""
STALL_PERIODS = 10
"""A slow camera is given so many of its frame periods."""
OPENING_S = 15.0
"""The longest that opening may take; USB cameras that wake up take 3 s, and an opener has its own 10."""
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a lost camera is opened again; the last repeats."""
JITTER = 0.1
"""Share by which a pause is made longer at random, so that a rack of cameras does not come back at once."""
MAX_HANGING = 1
"""Threads left behind in a driver."""
STEADY_S = 20.0
"""After so long without trouble the ladder begins anew: a camera that is lost once a minute is back within a second."""
NEARLY = 0.95
"""Of a period: frames do not come on the millisecond."""
PICTURE = "picture"
"""The part of health that speaks of what the frames show."""

Judge = Callable[[Frame], "str | None"]
"""Looks at every frame and says what is wrong with the pictures, None while nothing is."""


class Wedged(FerEdgeError):  # noqa: N818 - a state of the process
    """Something hangs that only a new process can free."""

    exit_code = ExitCode.TRY_AGAIN


@dataclass(frozen=True)
class Change:
    """What `poll` found. opened: for the first time. lost, back: with the fields of the event that tells it."""

    kind: Literal["opened", "lost", "back", "ended"]
    reason: str = ""
    attempts: int = 0


class _Reader:
    """One thread, one opening of the camera; whoever abandons it takes no more frames from it."""

    def __init__(
        self,
        opener: Callable[[], Camera],
        deliver: Callable[[_Reader, Frame], bool],
        clock: Clock,
        stirred: Callable[[], None],
    ) -> None:
        self._opener, self._deliver, self._clock, self._on_stirred = opener, deliver, clock, stirred
        self.stirred = threading.Event()
        self.camera: Camera | None = None
        self.error: BaseException | None = None
        self.ended = self.abandoned = False
        self.frames = 0
        self.progress_s = clock.monotonic_s()
        self.thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self.thread.start()

    @property
    def done(self) -> bool:
        """Whether the thread has come to its end, one way or another."""
        return self.ended or self.error is not None

    def hanging(self) -> bool:
        """Whether a call into the driver has not come back."""
        return self.thread.is_alive() or (self.camera is not None and self.camera.hanging())

    def forget(self) -> None:
        """Let go of the camera, and of the error: it knows the frames it came through, and they know the reader."""
        self.camera = self.error = None

    def _run(self) -> None:
        try:
            self.camera = camera = self._opener()
            with camera:
                self._read(camera)
        except BaseException as error:  # noqa: BLE001 - `poll` raises or waits
            self.error = error
        self.ended = self.error is None
        self._stir()

    def _read(self, camera: Camera) -> None:
        self.progress_s = self._clock.monotonic_s()
        while not self.abandoned:
            frame = camera.read(READ_TIMEOUT_S)
            if frame is None or not self._deliver(self, frame):
                return
            self.frames += 1
            self.progress_s = self._clock.monotonic_s()
            if self.frames == 1:
                self._stir()

    def _stir(self) -> None:
        self.stirred.set()
        self._on_stirred()


class Capturing:
    """Keeps one source delivering into a slot. `poll` does all the deciding, in the thread that calls it."""

    def __init__(
        self,
        opener: Callable[[], Camera],
        slot: Slot[Frame],
        clock: Clock,
        health: Health,
        judges: Callable[[], Judge] = lambda: lambda _: None,
        stirred: Callable[[], None] = lambda: None,
    ) -> None:
        """Nothing is opened yet.

        judges: makes what looks at the frames, anew for every opening. stirred: called when `poll` has something new.
        """
        self._opener, self._slot, self._clock, self._health, self._judges = opener, slot, clock, health, judges
        self._stirred = stirred
        self._judge: Judge = judges()
        self._reader: _Reader | None = None
        self._left: list[_Reader] = []
        self._due_s: float | None = None
        self.error: FerEdgeError | None = None
        self._rung = self._tries = 0
        self._lost_s: float | None = None
        self._steady_since_s = 0.0
        self._reopened_for_picture = False
        self._picture: str | None = None
        self.camera: Camera | None = None
        self.max_fps: float | None = None
        """Frames that a live camera gives beyond this are not handed on: what a hot board is spared."""
        self._given_s = -math.inf
        self.name = ""
        self.live: bool | None = None
        self.reopened = 0

    def start(self) -> None:
        """Open the source, in a thread."""
        self._open()

    def reopen(self, opener: Callable[[], Camera]) -> None:
        """Take another source, or the same with other settings, from now on."""
        self._opener, self._due_s = opener, None
        if self._reader is not None:
            self._leave(self._reader)
        self._open()

    def close(self, timeout_s: float) -> None:
        """Stop reading; a thread that hangs is left behind."""
        self._slot.close()
        if self._reader is not None:
            self._reader.abandoned = True
            self._reader.thread.join(timeout_s)

    @property
    def waiting(self) -> bool:
        """Whether the timer runs after which the camera is opened again."""
        return self._due_s is not None

    @property
    def opening(self) -> bool:
        """Whether a thread is busy opening the camera, or waits for its first frame."""
        reader = self._reader
        return reader is not None and not reader.frames and not reader.done

    def frame_age_s(self) -> float | None:
        """Seconds since the newest frame, None while no camera is open."""
        reader = self._reader
        if reader is None or reader.camera is None or not reader.frames:
            return None
        return self._clock.monotonic_s() - reader.progress_s

    def poll(self) -> Change | None:
        """What has changed since the last call; call it a few times per second.

        Raises what the source ends with when opening it again cannot help, and Wedged when only a new process can.
        """
        now_s = self._clock.monotonic_s()
        if self._due_s is not None:
            if now_s >= self._due_s:
                self._due_s = None
                self._open()
            return None
        reader = self._reader
        if reader is None:
            return None
        if self.camera is None and reader.camera is not None and reader.frames:
            return self._came(reader, reader.camera, now_s)
        if reader.done:
            return self._after(reader, now_s)
        if self._stalled(reader, now_s):
            return self._lose(reader, self._silence(reader, now_s), now_s, stalled=True)
        return self._judged(reader, now_s)

    def _open(self) -> None:
        self._judge = self._judges()
        self._reader = _Reader(self._opener, self._deliver, self._clock, self._stirred)

    def _deliver(self, reader: _Reader, frame: Frame) -> bool:
        """In the reader's thread: hand a frame on, unless another reader has taken over."""
        if reader.abandoned:
            return False
        live = reader.camera is not None and reader.camera.live
        if not reader.frames:
            self._slot.be_patient(not live)
        self._picture = self._judge(frame) if live else None
        if live and self._early(frame):
            return True
        self._given_s = frame.captured_s
        return self._slot.put(frame)

    def _early(self, frame: Frame) -> bool:
        passed_s = frame.captured_s - self._given_s
        return self.max_fps is not None and 0.0 <= passed_s < NEARLY / self.max_fps

    def _after(self, reader: _Reader, now_s: float) -> Change | None:
        """The reader has ended: by the source's end, by a loss, or for good."""
        error = reader.error
        self._know(reader)
        if error is None:
            self._reader = None
            self._slot.close()
            return Change("ended")
        lost = isinstance(error, CameraLost) or (isinstance(error, FerEdgeError) and self._lost_s is not None)
        if not lost or (reader.camera is not None and not reader.camera.live):
            raise error
        self.error = bare(error) if isinstance(error, FerEdgeError) else None
        return self._lose(reader, str(error), now_s)

    def _lose(self, reader: _Reader, reason: str, now_s: float, *, stalled: bool = False) -> Change | None:
        if self._lost_s is None and now_s - self._steady_since_s >= STEADY_S:
            self._rung = 0
        pause_s = PAUSES_S[min(self._rung, len(PAUSES_S) - 1)]
        self._due_s = now_s + pause_s * (1.0 + JITTER * random.random())  # noqa: S311 - nothing secret
        self._rung += 1
        self._tries += 1
        self._health.camera_lost(reason)
        self._leave(reader, stalled=stalled)
        if self._lost_s is not None:
            log.warning("camera still away: %s", reason)
            return None
        self._lost_s, self._tries = now_s, 1
        return Change("lost", reason)

    def _leave(self, reader: _Reader, *, stalled: bool = False) -> None:
        """Take nothing more from a reader, and count it where it hangs; raises Wedged for one too many."""
        reader.abandoned = True
        self._reader, self.camera = None, None
        if not stalled:
            reader.thread.join(READ_TIMEOUT_S)
        self._left = [each for each in (*self._left, reader) if each.hanging()]
        if reader not in self._left:
            reader.forget()
            gc.collect()  # libraries' cameras hold themselves, and nothing waits for a picture at this moment
        if len(self._left) > MAX_HANGING:
            raise Wedged(f"the camera's driver hangs in {len(self._left)} calls; a new process is needed")

    def _stalled(self, reader: _Reader, now_s: float) -> bool:
        camera = reader.camera
        if camera is None:
            return now_s - reader.progress_s > OPENING_S
        if not camera.live:
            return False
        period_s = 1.0 / camera.fps if camera.fps > 0 else 0.0
        return now_s - reader.progress_s > max(STALL_AFTER_S, STALL_PERIODS * period_s)

    def _silence(self, reader: _Reader, now_s: float) -> str:
        if reader.camera is None:
            return f"opening the camera takes more than {OPENING_S:g} s"
        return f"{reader.camera.name} gave no frame for {now_s - reader.progress_s:.0f} s, and says nothing"

    def _judged(self, reader: _Reader, now_s: float) -> Change | None:
        """What the pictures of a reader that runs show: trouble opens the camera anew once, then it is only told of."""
        picture = self._picture
        self._health.report(PICTURE, picture)
        if picture is not None and not self._reopened_for_picture:
            self._reopened_for_picture = True
            return self._lose(reader, picture, now_s)
        if picture is None and now_s - self._steady_since_s >= STEADY_S:
            self._reopened_for_picture = False
        return None

    def _know(self, reader: _Reader) -> None:
        if reader.camera is not None:
            self.name, self.live = reader.camera.name, reader.camera.live

    def _came(self, reader: _Reader, camera: Camera, now_s: float) -> Change:
        """The first frame of an opening."""
        self._know(reader)
        self.camera, self._steady_since_s = camera, now_s
        self._health.camera_lost(None)
        again = self._lost_s is not None
        self._lost_s = None
        self.reopened += again
        return Change("back", attempts=self._tries) if again else Change("opened")
