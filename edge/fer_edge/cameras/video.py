"""Clips: every frame in its order, and the difference between a whole file and one that breaks off."""

from __future__ import annotations

import math
from pathlib import Path

import cv2

from fer_edge.cameras.capture import Capture, open_capture, picture
from fer_edge.cameras.container import Container, inspect
from fer_edge.cameras.files import CLIP_SUFFIXES
from fer_edge.cameras.pace import Pace
from fer_edge.cameras.source import Source
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, InputError
from fer_edge.types import Frame, Image

Timed = tuple[Image, float]

FALLBACK_FPS = 25.0
"""Frames per second of a clip that states none."""

COUNT_TOLERANCE = 0.02
COUNT_TOLERANCE_FRAMES = 2
"""By how much, as a share and at least in frames, a clip whose file is whole may end before the count that its header
promises: some headers give a duration only, and OpenCV's count is then duration times rate. A file that is known to be
cut off has no tolerance."""

UNCOUNTED = frozenset({"gif", "ts"})
"""Containers whose header states no length: OpenCV's count is of what is there."""
HALF_PICTURES = frozenset({"gif", "ts", "avi"})
"""Containers of which a decoder shows the picture in which the file was cut, filled up with something."""


class ClipCamera(Source):
    """A clip of any format that OpenCV's FFmpeg reads, GIF among them. Use `open_clip`.

    Frames carry the time within the clip as the file states it, so that clips of uneven rate keep their time.
    """

    live = False

    def __init__(self, path: Path, capture: Capture, container: Container, clock: Clock, pace: bool) -> None:
        self.name = str(path)
        stated = capture.get(cv2.CAP_PROP_FPS)
        self.fps = stated if math.isfinite(stated) and stated > 0 else 0.0
        self._step_s = 1.0 / (self.fps or FALLBACK_FPS)
        self._capture, self._container, self._clock = capture, container, clock
        self._pace = Pace(clock, pace)
        self._promised = self._promise()
        self._held: Timed | None = None
        self._last_s = -math.inf
        self._read = 0

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 - a file answers at once
        """The next frame, None at the end of a whole clip.

        Raises CameraLost after the last frame of a clip that breaks off, CameraBroken when no frame can be decoded.
        """
        found = self._next()
        if found is None:
            self._check_end()
            return None
        image, captured_s = found
        self._pace.wait(captured_s)
        self._read += 1
        return Frame(image, captured_s, self._clock.wall(), self._read - 1)

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._capture.release()

    def _next(self) -> Timed | None:
        """The next frame that is whole.

        Where a file is cut, decoders fill up the picture that was hit. Of a GIF it is known which one that is; of an
        AVI and a transport stream it is the last one before the decoder gives up, so one frame is held back.
        """
        if not self._container.cut or self._container.kind not in HALF_PICTURES:
            return self._decode()
        if self._container.frames is not None:
            return self._decode() if self._read < self._container.frames else None
        if self._read == 0:
            self._held = self._decode()
        ready, self._held = self._held, self._decode()
        hit = self._held is None and self._read + 1 != self._promised
        return None if hit else ready

    def _decode(self) -> Timed | None:
        """Whatever OpenCV decodes next, with seconds within the clip, which always rise."""
        image = picture(self._capture.read())
        if image is None:
            return None
        stated_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        usable = math.isfinite(stated_s) and stated_s > self._last_s
        self._last_s = max(stated_s if usable else self._last_s + self._step_s, 0.0)
        return image, self._last_s

    def _promise(self) -> int | None:
        """How many frames the header promises, None when it promises nothing."""
        counted = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if not math.isfinite(counted) or counted <= 0 or self._container.kind in UNCOUNTED:
            return None
        if self._container.seconds is not None:
            counted = min(counted, self._container.seconds / self._step_s)
        return round(counted)

    def _check_end(self) -> None:
        """Return when the clip is over, raise when it broke off."""
        whole, promised = self._container.cut == "", self._promised
        of = "" if promised is None else f" of the {promised} that its header promises"
        found = f"{self.name}: {self._read} frames{of} could be read; the clip"
        if not whole and (promised is None or self._read < promised):
            raise CameraLost(f"{found} is cut off: {self._container.cut}")
        if promised is not None and self._read < promised - tolerance(promised):
            raise CameraLost(f"{found} is damaged there and what follows cannot be decoded")
        if self._read == 0:
            raise CameraBroken(f"{self.name} holds no frame that can be decoded")


def tolerance(promised: int) -> int:
    """How many frames fewer than promised a clip may have whose file is whole."""
    return max(COUNT_TOLERANCE_FRAMES, math.ceil(promised * COUNT_TOLERANCE))


def open_clip(path: Path, clock: Clock, *, pace: bool = False) -> ClipCamera:
    """Open a clip.

    pace: deliver frames in real time instead of as fast as they are read. Raises InputError when the file is missing or
    unreadable, CameraBroken when it is no clip.
    """
    try:
        container = inspect(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    no_clip = CameraBroken(f"{path} is not a picture or a clip that can be read")
    if not container.kind and path.suffix.lower() not in CLIP_SUFFIXES:
        raise no_clip  # FFmpeg would show a text file as a picture of its text
    capture = open_capture(str(path.resolve()), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        if container.cut:
            raise CameraBroken(f"{path} is a clip that is cut off, and no frame of it can be read: {container.cut}")
        raise no_clip
    return ClipCamera(path, capture, container, clock, pace)
