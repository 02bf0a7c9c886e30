"""What this project uses of `cv2.VideoCapture`, so that OpenCV 4 and 5 and the tests' fakes look the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from fer_edge.cameras.quiet import quiet
from fer_edge.errors import CameraBroken
from fer_edge.types import Image

BACKENDS = {cv2.CAP_FFMPEG: "FFmpeg, which reads clips and streams", cv2.CAP_V4L2: "V4L2, which reads cameras"}


class Capture(Protocol):
    """An OpenCV capture."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames can be asked for."""

    def read(self) -> tuple[bool, Any]:
        """Whether there was a frame, and the frame."""

    def get(self, propId: int, /) -> float:  # noqa: N803 - OpenCV's name
        """A `cv2.CAP_PROP_*` value, 0.0 when unknown."""

    def set(self, propId: int, value: float, /) -> bool:  # noqa: N803 - OpenCV's name
        """Ask for a value; whether it was taken."""

    def release(self) -> None:
        """Let go of file or device; may be called twice."""


def open_capture(source: str, backend: int, settings: Sequence[int] = ()) -> Capture:
    """OpenCV's capture of a path or URL, without its messages; `isOpened` tells whether it worked.

    backend: `cv2.CAP_FFMPEG` or `cv2.CAP_V4L2`. settings: property, value, property, value...
    Raises CameraBroken when this OpenCV was built without the backend.
    """
    if not cv2.videoio_registry.hasBackend(backend):
        raise CameraBroken(
            f"cannot open {source}: this build of OpenCV has no {BACKENDS[backend]}; install opencv-python-headless"
        )
    with quiet():
        return cv2.VideoCapture(source, backend, list(settings))


def picture(result: tuple[bool, Any]) -> Image | None:
    """The frame of a `read`, uint8 (H, W, 3) blue-green-red; None when there was none or it is something else.

    OpenCV can say that a read worked and hand out an empty buffer (opencv/opencv issues 10927 and 14044).
    """
    worked, image = result
    if not worked or image is None:
        return None
    pixels: Image = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        return None
    return pixels
