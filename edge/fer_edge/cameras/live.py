"""Live sources: a capture that is owned by a thread, and the camera around it.

OpenCV's reads of a camera or a stream may hang for long or for ever, and only the thread that called can wait for them.
So a thread of its own opens the capture, reads one frame when asked, and releases it; nobody else ever hangs with it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import cv2

from fer_edge.cameras.capture import Capture, picture
from fer_edge.cameras.source import Source
from fer_edge.clock import Clock
from fer_edge.errors import CameraLost
from fer_edge.types import Frame, Image

T = TypeVar("T")

_READ, _STOP = "read", "stop"

RELEASE_WAIT_S = 1.0
"""How long closing waits for the device to be free; a call that hangs is left behind and frees it when it ends."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a capture states once it is open; 0.0 and 0 where it does not know."""

    fps: float
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """The answer to one request: a usable picture or None, and when it came."""

    image: Image | None
    at_s: float


class OwnedCapture:
    """Opens a capture in a thread of its own at once, asks it for one frame at a time, and releases it there."""

    def __init__(self, name: str, opener: Callable[[], Capture], clock: Clock) -> None:
        self._opener, self._clock = opener, clock
        self._requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._opening: queue.SimpleQueue[Opened | Exception | None] = queue.SimpleQueue()
        self._frames: queue.SimpleQueue[Arrival | Exception] = queue.SimpleQueue()
        self._asked = False
        self._thread = threading.Thread(target=self._serve, name=f"capture {name}", daemon=True)
        self._thread.start()

    def wait_open(self, timeout_s: float) -> Opened | None:
        """What was opened, None when it could not be. Raises TimeoutError, or whatever the opener raised."""
        return _answer(self._opening, timeout_s)

    def read(self, timeout_s: float) -> Arrival:
        """The next frame. Raises TimeoutError (the request stays; ask again), or whatever the capture raised."""
        if not self._asked:
            self._requests.put(_READ)
            self._asked = True
        arrival = _answer(self._frames, timeout_s)
        self._asked = False
        return arrival

    def close(self) -> None:
        """Release the capture, or leave that to its thread when it hangs; may be called twice."""
        self._requests.put(_STOP)
        self._thread.join(RELEASE_WAIT_S)

    def hanging(self) -> bool:
        """Whether its thread has not come back."""
        return self._thread.is_alive()

    def _serve(self) -> None:
        capture: Capture | None = None
        try:
            capture = self._opener()
            self._opening.put(_state(capture))
            while self._requests.get() == _READ:
                image = picture(capture.read())
                self._frames.put(Arrival(image, self._clock.monotonic_s()))
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            self._opening.put(error)
            self._frames.put(error)
        finally:
            if capture is not None:
                capture.release()


def _answer(answers: queue.SimpleQueue[T | Exception], timeout_s: float) -> T:
    try:
        found = answers.get(timeout=max(timeout_s, 0.0))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found


def _state(capture: Capture) -> Opened | None:
    if not capture.isOpened():
        return None
    width, height = (int(capture.get(prop)) for prop in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    return Opened(max(capture.get(cv2.CAP_PROP_FPS), 0.0), max(width, 0), max(height, 0))


class LiveCamera(Source):
    """A camera or stream that goes on while nobody reads. Use `open_v4l2` or `open_stream`.

    max_bad: after so many reads in a row without a usable picture the camera is lost. ended: how that is put in words.
    """

    live = True

    def __init__(self, name: str, fps: float, capture: OwnedCapture, clock: Clock, max_bad: int, ended: str) -> None:
        self.name, self.fps = name, fps
        self._capture, self._clock = capture, clock
        self._max_bad, self._ended = max_bad, ended
        self._shape: tuple[int, ...] | None = None
        self._seq = 0

    def read(self, timeout_s: float) -> Frame:
        """The next frame; `captured_s` is when it arrived (`Clock.monotonic_s`).

        Raises CameraLost when none arrives in time, or when reads fail, come empty or change their size too often.
        """
        end_s = self._clock.monotonic_s() + timeout_s
        for _ in range(self._max_bad):
            arrival = self._arrival(end_s - self._clock.monotonic_s(), timeout_s)
            image = arrival.image
            if image is None or image.shape != (self._shape or image.shape):
                continue
            self._shape = image.shape
            self._seq += 1
            return Frame(image, arrival.at_s, self._clock.wall(), self._seq - 1)
        raise CameraLost(f"{self.name}: {self._ended}")

    def close(self) -> None:
        """Release the device or connection; may be called twice."""
        self._capture.close()

    def hanging(self) -> bool:
        """Whether a call into the driver has not come back."""
        return self._capture.hanging()

    def _arrival(self, left_s: float, timeout_s: float) -> Arrival:
        try:
            return self._capture.read(left_s)
        except TimeoutError:
            raise CameraLost(f"{self.name} gave no frame for {timeout_s:.3g} s") from None
        except cv2.error as error:
            raise CameraLost(f"{self.name} broke off: {error.err}") from None
