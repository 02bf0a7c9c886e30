"""What a thumbnail tells for almost nothing: whether the picture was cut, and whether anything in it has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Box, Image

COLUMNS, ROWS = 32, 18
"""Cells of the thumbnail; a face of a thirtieth of the picture's width still fills one."""
SAMPLES = 4
"""Pixels read per cell, across and down; their mean keeps a sensor's noise far under `CHANGE`."""
CHANGE = 12.0
"""Grey levels by which a cell must differ, more than the whole picture does, to count as changed."""
CUT_CORRELATION = 0.45
"""Frames that correlate less are of different scenes. On a clip with three cuts and a hand-held camera: 0.05 to 0.27 at
the cuts, never under 0.69 elsewhere. Unlike a difference, a correlation does not mind a light that goes on."""
FLAT = 4.0
"""Standard deviation, grey levels, of a pattern that all pictures are taken to share: what a dark or covered lens shows
is the sensor's noise, which differs in every frame without being another scene."""

Thumbnail = NDArray[np.float32]
"""Grey levels less their mean, (ROWS * COLUMNS,), row by row."""


class Scene:
    """Remembers two thumbnails: of the last frame, and of the last one that was searched in full."""

    def __init__(self) -> None:
        """With nothing seen."""
        self._now: Thumbnail | None = None
        self._searched: Thumbnail | None = None
        self._size = (0, 0)

    def see(self, image: Image) -> bool:
        """Take in the next frame (uint8 (H, W, 3)); True when it does not continue the last: a cut, or another size."""
        before, size = self._now, self._size
        self._now, self._size = thumbnail(image), (image.shape[0], image.shape[1])
        return before is not None and (size != self._size or correlation(before, self._now) < CUT_CORRELATION)

    def searched(self) -> None:
        """Remember that the last frame was searched in full."""
        self._searched = self._now

    def changed(self, known: Sequence[Box]) -> bool:
        """Whether anything outside these boxes (pixels) differs from the frame last searched in full."""
        if self._now is None or self._searched is None:
            return True
        difference = np.abs(self._now - self._searched).reshape(ROWS, COLUMNS)
        down, across = ROWS / self._size[0], COLUMNS / self._size[1]
        for box in known:
            top, bottom = max(0, int(box.y * down)), max(0, int((box.y + box.h) * down) + 1)
            left, right = max(0, int(box.x * across)), max(0, int((box.x + box.w) * across) + 1)
            difference[top:bottom, left:right] = 0.0
        return bool(difference.max() >= CHANGE)


def thumbnail(image: Image) -> Thumbnail:
    """The green channel, `SAMPLES` by `SAMPLES` pixels averaged per cell."""
    height, width = image.shape[:2]
    sparse = image[:: max(1, height // (ROWS * SAMPLES)), :: max(1, width // (COLUMNS * SAMPLES)), 1]
    small: Image = np.ascontiguousarray(sparse)
    cells = np.asarray(cv2.resize(small, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), dtype=np.float32).ravel()
    return np.asarray(cells - cells.mean())


def correlation(a: Thumbnail, b: Thumbnail) -> float:
    """Pearson's, -1 to 1, as if both held the flat pattern too: flat pictures are alike, whatever their noise."""
    flat = FLAT**2 * a.size
    return (float(a @ b) + flat) / math.sqrt((float(a @ a) + flat) * (float(b @ b) + flat))
