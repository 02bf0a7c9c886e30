"""OpenCV's Haar cascade for frontal faces (Viola and Jones 2001): no weights to fetch, slow, blind to turned faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.errors import RuntimeUnavailable
from fer_edge.types import Box, Face, Image

NAME = "haar"
CASCADE = "haarcascade_frontalface_default.xml"
WIDEST_PX = 320
"""Longer side to which a picture is reduced first: the time grows with the pixels."""
SCALE_FACTOR = 1.15
NEIGHBOURS = 5
MIN_SIZE_PX = 24
"""The cascade's own window: smaller faces cannot be found."""


class Haar:
    """The cascade. It has no confidence of its own: every score is 1."""

    name = NAME

    def __init__(self, cascade: Any) -> None:  # noqa: ANN401 - OpenCV 5 has no such class to name
        """Use `open_haar`."""
        self._cascade = cascade

    def detect(self, image: Image) -> list[Face]:
        """Frontal faces in a picture (uint8 (H, W, 3) blue-green-red), largest first, boxes inside the picture."""
        height, width = image.shape[:2]
        scale = min(1.0, WIDEST_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        gray = cv2.cvtColor(image if scale == 1.0 else cv2.resize(image, size), cv2.COLOR_BGR2GRAY)
        found = self._cascade.detectMultiScale(
            gray, scaleFactor=SCALE_FACTOR, minNeighbors=NEIGHBOURS, minSize=(MIN_SIZE_PX, MIN_SIZE_PX)
        )
        rows = np.asarray(found, dtype=np.float64).reshape(-1, 4)
        rows = rows * np.array([width / size[0], height / size[1]] * 2)
        boxes = [_clamped(row, width, height) for row in rows.tolist()]
        return [Face(box, 1.0) for box in sorted(boxes, key=lambda box: -box.area)]


def haar_installed() -> bool:
    """Whether this OpenCV has the cascade: version 5 has neither the class nor the file."""
    return hasattr(cv2, "CascadeClassifier") and _path().is_file()


def open_haar() -> Haar:
    """Load the cascade; RuntimeUnavailable where OpenCV came without it."""
    if not haar_installed():
        raise RuntimeUnavailable(
            f"OpenCV {cv2.__version__} has no Haar cascade: put YuNet's weights into a model folder, "
            "or install 'opencv-python-headless<5'"
        )
    return Haar(cv2.CascadeClassifier(str(_path())))


def _path() -> Path:
    return Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE


def _clamped(row: list[float], width: int, height: int) -> Box:
    left, top = max(0.0, row[0]), max(0.0, row[1])
    return Box(left, top, min(row[0] + row[2], width) - left, min(row[1] + row[3], height) - top)
