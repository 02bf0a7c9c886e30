"""The values that travel through the pipeline; frozen, and worded in shapes and units."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""uint8, 0-255: (H, W, 3) in blue-green-red order, which is OpenCV's and picamera2's "RGB888", or (H, W) grey."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a source.

    image: uint8 (H, W, 3), blue-green-red, 0-255; nobody writes into it.
    captured_s: seconds on the source's own steady clock (the camera's arrival time; for a clip the time within it).
    wall: when it was read, UTC, for display only.
    seq: counts captures from 0; a gap means frames that were dropped.
    origin: the file a picture came from, or "" for cameras and clips.
    """

    image: Image
    captured_s: float
    wall: datetime
    seq: int
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the frame: left, top, width, height; may reach outside the frame."""

    x: float
    y: float
    w: float
    h: float

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.w * self.h

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle, pixels."""
        return self.x + self.w / 2, self.y + self.h / 2

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0 to 1."""
        across = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        down = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        if across <= 0 or down <= 0:
            return 0.0
        shared = across * down
        return shared / (self.area + other.area - shared)

    def scaled(self, factor_x: float, factor_y: float) -> Box:
        """The same box in a picture resized by these factors."""
        return Box(self.x * factor_x, self.y * factor_y, self.w * factor_x, self.h * factor_y)

    def shifted(self, dx: float, dy: float) -> Box:
        """The same box moved by pixels."""
        return Box(self.x + dx, self.y + dy, self.w, self.h)


@dataclass(frozen=True, slots=True)
class Face:
    """One face as a detector found it.

    score: the detector's confidence, 0 to 1 (Haar gives 1.0).
    landmarks: five (x, y) in pixels - right eye, left eye, nose tip, right and left mouth corner, "right" being the
    person's own - or () where the detector has none.
    """

    box: Box
    score: float
    landmarks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """What the model says of one face.

    probabilities: calibrated, one per label of the bundle and in its order, sum 1 within 1e-6.
    label: the likeliest label, or None when the model is not sure enough ("uncertain").
    """

    probabilities: tuple[float, ...]
    label: str | None

    @property
    def confidence(self) -> float:
        """The highest probability, 0 to 1."""
        return max(self.probabilities)


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face with an identity that lasts from frame to frame (an id of this run, nothing more).

    expression: smoothed over the track's recent frames; raw: of this frame alone, None where it was not classified.
    """

    track_id: int
    box: Box
    score: float
    expression: Expression
    raw: Expression | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """All that is known of one frame. It holds no pixels, so nothing downstream can leak a picture.

    left: track ids that ended with this frame. stages_ms: milliseconds spent per stage, by name.
    searched: "full", "around" (only near known faces) or "none".
    """

    seq: int
    captured_s: float
    wall: datetime
    width_px: int
    height_px: int
    faces: tuple[TrackedFace, ...]
    left: tuple[int, ...] = ()
    searched: str = "full"
    stages_ms: dict[str, float] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A model's input or output: name, dtype ("float32", "int8", "uint8"), shape with batch first, and quantization.

    scale and zero_point: real value = (stored - zero_point) * scale; scale is 0.0 for float tensors.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0

    @property
    def quantized(self) -> bool:
        """Whether values are stored as integers with a scale."""
        return self.scale > 0.0
