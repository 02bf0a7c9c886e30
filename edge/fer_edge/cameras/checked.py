"""Whether what a camera gives can be believed: its frames are judged by age, sequence, shape and content.

Drivers lie: a read says that it worked and hands out an empty buffer, an old one, or the same one for ever
(opencv/opencv issues 10927 and 14044). Nothing here waits, reopens or counts attempts; that is the supervisor's.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter, deque
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np

from fer_edge.cameras import Camera
from fer_edge.cameras.header import read_header
from fer_edge.cameras.quiet import hush
from fer_edge.cameras.source import Source
from fer_edge.clock import Clock
from fer_edge.errors import CameraLost, RuntimeUnavailable, first_line
from fer_edge.types import Frame, Image

Fault = Literal["empty", "shape", "repeated", "old", "torn"]
"""Why a single frame is refused."""

STALL_AFTER_S = 2.0
STALL_AFTER_FRAMES = 10
"""A camera that gave no good frame for so long, whichever of the two is longer, has stalled."""
FROZEN_FRAMES = 90
FROZEN_S = 3.0
"""Both must be reached by one unchanging picture before it is called frozen; a sensor's noise changes every frame."""
FROZEN = (
    f"the picture is frozen: for {FROZEN_FRAMES} frames and {FROZEN_S:g} s or more it was the same to the last bit; "
    "the driver repeats one, or the lens is covered"
)
SAMPLE_STEP_PX = 16
"""Two pictures are compared on a grid of this width first, which tells most of them apart at 1/256 of the cost."""
TORN_SHARE = 1 / 16
"""The share of a picture, at its bottom, that must be nothing but fill before it is called torn."""
FILLS = ((0, 135, 0), (0, 136, 0), (128, 128, 128))
"""What never arrived looks like, blue-green-red: a YUV buffer of zeros, and a JPEG decoder's grey."""
SPOILT_WINDOW_S = 5.0
SPOILT_AT_LEAST = 5
SPOILT_SHARE = 0.5
"""A camera is lost when more than this share of its frames in this time, and so many, were unusable."""
MAX_FRAME_PIXELS = 7680 * 4320
"""8K: no camera of the boards gives more, and a header that promises more is refused before memory is asked for."""
MAX_EXTRANEOUS_BYTES = 9
"""Stray bytes before a marker, which many Logitech cameras send in good pictures: 1 to 9 in what people report
(opencv/opencv issue 9477, Motion-Project/motion issue 65). Rotten data mostly leave 10 and more, or another trace."""
EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x", re.ASCII)


class CorruptFrame(ValueError):  # noqa: N818 - read as a sentence: "corrupt frame: ..."
    """One picture of a camera is damaged; the next one may be good."""


def decode_jpeg(data: bytes, max_pixels: int = MAX_FRAME_PIXELS) -> Image:
    """A camera's JPEG as uint8 (H, W, 3), blue-green-red; raises CorruptFrame unless all of it is there and in order.

    The header is read first, so that a picture that claims to be huge costs nothing. simplejpeg notices damage that
    OpenCV shows as a picture of rubbish; without it OpenCV decodes, and only cut pictures are noticed.
    """
    header = read_header(data)
    if header is None or header.format != "JPEG":
        raise CorruptFrame("it is not a JPEG picture")
    if header.pixels > max_pixels:
        raise CorruptFrame(
            f"its header promises {header.width_px} x {header.height_px} pixels, more than the limit of "
            f"{max_pixels / 1e6:.0f} million"
        )
    if not header.whole:
        raise CorruptFrame("it ends before the picture does")
    try:
        return _strict(data)
    except RuntimeUnavailable:
        return _lenient(data)


def strict_decoder() -> bool:
    """Whether damaged pictures are noticed, which needs simplejpeg."""
    try:
        _simplejpeg()
    except RuntimeUnavailable:
        return False
    return True


def _simplejpeg() -> Any:  # noqa: ANN401 - it has no types
    try:
        return importlib.import_module("simplejpeg")
    except (ImportError, ValueError) as error:  # a build for another numpy raises ValueError
        raise RuntimeUnavailable(f"simplejpeg cannot be loaded ({first_line(error)}); pip install simplejpeg") from None


def _strict(data: bytes) -> Image:
    decode = _simplejpeg().decode_jpeg
    try:
        return np.asarray(decode(data, colorspace="BGR", strict=True), dtype=np.uint8)
    except ValueError as error:
        stray = EXTRANEOUS.match(str(error))
        if stray is None or int(stray[1]) > MAX_EXTRANEOUS_BYTES:
            raise CorruptFrame(first_line(error)) from None
    try:
        return np.asarray(decode(data, colorspace="BGR", strict=False), dtype=np.uint8)
    except ValueError as error:
        raise CorruptFrame(first_line(error)) from None


def _lenient(data: bytes) -> Image:
    hush()
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise CorruptFrame("it cannot be decoded")
    return np.asarray(image, dtype=np.uint8)


class Spoilt:
    """How many of the latest frames were unusable. `bad` counts all of them since the camera was opened."""

    def __init__(self, clock: Clock) -> None:
        """Nothing has come yet."""
        self.bad = 0
        self._clock = clock
        self._since_s = clock.monotonic_s()
        self._seen: deque[tuple[float, bool]] = deque()

    def add(self, good: bool) -> str | None:
        """Count one frame; the sentence that ends the camera when too many of a whole window were unusable."""
        now_s = self._clock.monotonic_s()
        self.bad += not good
        self._seen.append((now_s, good))
        while self._seen[0][0] < now_s - SPOILT_WINDOW_S:
            self._seen.popleft()
        bad = sum(not fine for _, fine in self._seen)
        enough = now_s - self._since_s >= SPOILT_WINDOW_S and bad >= SPOILT_AT_LEAST
        if not enough or bad <= SPOILT_SHARE * len(self._seen):
            return None
        return f"{bad} of {len(self._seen)} frames in {SPOILT_WINDOW_S:g} s were unusable"


class Refusal(NamedTuple):
    """Why a frame is not to be used, as a word and as a sentence."""

    fault: Fault
    reason: str


class Frozen:
    """Notices a picture that has stopped changing: `frozen(frame)` gives a sentence for as long as it has, else None.

    The frames are usable all the same; whoever runs the camera decides. Only for live cameras: a clip may stand still.
    """

    def __init__(self, clock: Clock) -> None:
        """No picture has come yet."""
        self._clock = clock
        self._picture: Image | None = None
        self._frames = 0
        self._since_s = 0.0

    def __call__(self, frame: Frame) -> str | None:
        """What is wrong with the pictures up to this one."""
        now_s = self._clock.monotonic_s()
        if self._picture is None or not same(self._picture, frame.image):
            self._picture, self._frames, self._since_s = frame.image, 1, now_s
            return None
        self._frames += 1
        return FROZEN if self._frames >= FROZEN_FRAMES and now_s - self._since_s >= FROZEN_S else None


class Watched:
    """Judges one opened camera by its frames. Make a new one whenever the camera was opened again.

    For every frame, in its order: `reason = watched.look(frame)`; a frame with a reason is not to be used, all others
    are. Between frames: `watched.stalled()` tells whether the next one is overdue, and `watched.frozen` whether the
    picture has stopped changing. `refused` counts frames by fault. It belongs to the thread that reads.
    """

    def __init__(self, clock: Clock, fps: float = 0.0) -> None:
        """The clock starts now. fps: the rate that the camera states, 0.0 when unknown."""
        self.refused: Counter[Fault] = Counter()
        self.frozen: str | None = None
        self.stall_after_s = max(STALL_AFTER_S, STALL_AFTER_FRAMES / fps if fps > 0 else 0.0)
        self._clock = clock
        self._good_s = clock.monotonic_s()
        self._still = Frozen(clock)
        self._shape: tuple[int, ...] | None = None
        self._seq: int | None = None

    def look(self, frame: Frame) -> str | None:
        """Why this frame is not to be used, in one sentence; None when it is good."""
        refusal = self._refusal(frame)
        if refusal is not None:
            self.refused[refusal.fault] += 1
            return refusal.reason
        self._shape, self._seq, self._good_s = frame.image.shape, frame.seq, self._clock.monotonic_s()
        self.frozen = self._still(frame)
        return None

    def age_s(self) -> float:
        """Seconds since the last good frame, or since this began."""
        return self._clock.monotonic_s() - self._good_s

    def stalled(self) -> str | None:
        """What is wrong when no good frame came for too long, None as long as all is well."""
        age_s = self.age_s()
        return f"no good frame came for {age_s:.1f} s" if age_s > self.stall_after_s else None

    def _refusal(self, frame: Frame) -> Refusal | None:
        age_s = self._clock.monotonic_s() - frame.captured_s
        if self._seq is not None and frame.seq <= self._seq:
            return Refusal("repeated", f"frame {frame.seq} came after frame {self._seq}: an old one, again")
        if age_s > self.stall_after_s:
            return Refusal("old", f"the frame was captured {age_s:.1f} s ago")
        return self._misshapen(frame.image)

    def _misshapen(self, image: Image) -> Refusal | None:
        if image.size == 0:
            return Refusal("empty", "the frame is empty")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            return Refusal("shape", f"the frame is no colour picture but {image.dtype} of shape {image.shape}")
        if self._shape is not None and image.shape != self._shape:
            found, wanted = (f"{shape[1]} x {shape[0]}" for shape in (image.shape, self._shape))
            return Refusal("shape", f"the frame has {found} pixels, those before it had {wanted}")
        return Refusal("torn", "the lower part of the frame never arrived") if torn(image) else None


def same(one: Image, other: Image) -> bool:
    """Whether two pictures are identical; most that are not are told apart by a coarse grid."""
    if one is other:
        return True
    grid = np.s_[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX]
    return np.array_equal(one[grid], other[grid]) and np.array_equal(one, other)


def torn(image: Image) -> bool:
    """Whether the bottom of a picture, uint8 (H, W, 3), is one of the colours of data that never came.

    Black is not among them: the lower edge of a dark room may well be all black.
    """
    corner = image[-1, -1]
    if not any((corner == fill).all() for fill in FILLS):
        return False
    rows = max(1, round(image.shape[0] * TORN_SHARE))
    return bool((image[-rows:] == corner).all()) and not bool((image == corner).all())


class CheckedCamera(Source):
    """A live camera whose unusable frames never get out. camera: the one inside. watched: what is known of it."""

    live = True

    def __init__(self, camera: Camera, clock: Clock) -> None:
        """Takes the camera over."""
        self.name, self.fps, self.camera = camera.name, camera.fps, camera
        self.watched = Watched(clock, camera.fps)
        self._clock = clock
        self._spoilt = Spoilt(clock)

    @property
    def corrupt(self) -> int:
        """Frames that were left out so far, here and where they were decoded."""
        return self._spoilt.bad + corrupt_frames(self.camera)

    def read(self, timeout_s: float) -> Frame | None:
        """The next good frame, None at the end.

        Raises CameraLost when none came in time, when more than half of the frames were unusable, or whatever the
        camera raises.
        """
        end_s = self._clock.monotonic_s() + timeout_s
        while True:
            frame = self.camera.read(max(end_s - self._clock.monotonic_s(), 0.0))
            reason = None if frame is None else self.watched.look(frame)
            if frame is None or reason is None:
                self._spoilt.add(good=True)
                return frame
            self._count(reason, late=self._clock.monotonic_s() >= end_s)

    def close(self) -> None:
        """Close the camera; may be called twice."""
        self.camera.close()

    def hanging(self) -> bool:
        """Whether a call into the driver has not come back."""
        return self.camera.hanging()

    def _count(self, reason: str, *, late: bool) -> None:
        """Count an unusable frame; raises CameraLost when there were too many of them, or when time is up."""
        ending = self._spoilt.add(good=False)
        if ending is not None:
            raise CameraLost(f"{self.name}: {ending}; the last one: {reason}")
        if late:
            raise CameraLost(f"{self.name} gave no usable frame in time: {reason}")


def checked(camera: Camera, clock: Clock) -> Camera:
    """A live camera with its frames judged, once; clips and pictures as they are, which may well stand still."""
    return CheckedCamera(camera, clock) if camera.live and not isinstance(camera, CheckedCamera) else camera


def corrupt_frames(camera: Camera) -> int:
    """How many frames of a camera were damaged and left out; 0 where nobody counts."""
    return int(getattr(camera, "corrupt", 0))
