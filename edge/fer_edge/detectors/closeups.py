"""Close-ups: known faces alone, each brought to one size in a tile of its own, all tiles searched as one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_edge.detectors import FaceDetector
from fer_edge.types import Box, Face, Image

SAME_IOU = 0.2
"""Boxes that overlap more are of the same face."""


class Closeups:
    """Looks at known faces with a detector. face_px: a face's size in its tile; tile_px: the tile's side."""

    def __init__(self, detector: FaceDetector, face_px: int, tile_px: int) -> None:
        """Nothing is looked at yet."""
        self._detector, self._tile_px, self._reach = detector, tile_px, tile_px / face_px
        self._canvas: Image = np.zeros((tile_px, 0, 3), dtype=np.uint8)

    def window(self, box: Box) -> Box:
        """The square around a face that its tile shows, in the frame's pixels; may reach outside the frame."""
        side = self._reach * math.sqrt(max(box.area, 1.0))
        x, y = box.center
        return Box(x - side / 2, y - side / 2, side, side)

    def detect(self, image: Image, known: Sequence[Box]) -> list[Face]:
        """Those of the known faces that are found again, at most one for each, in the frame's pixels.

        image: uint8 (H, W, 3) blue-green-red. known: where the faces should be, pixels.
        """
        if not known:
            return []
        tile = self._tile_px
        canvas = self._blank(tile * len(known))
        places = [self._draw(image, box, canvas[:, i * tile : (i + 1) * tile]) for i, box in enumerate(known)]
        candidates: list[list[Face]] = [[] for _ in known]
        for face in self._detector.detect(canvas):
            i = min(max(0, int(face.box.center[0] // tile)), len(known) - 1)
            candidates[i].append(places[i].in_frame(face, i * tile))
        found: list[Face] = []
        for box, faces in zip(known, candidates, strict=True):
            best = max(faces, key=lambda face: face.box.iou(box), default=None)
            if best is not None and best.box.iou(box) > SAME_IOU and not among(best.box, found):
                found.append(best)
        return found

    def _blank(self, width: int) -> Image:
        if self._canvas.shape[1] != width:
            self._canvas = np.empty((self._tile_px, width, 3), dtype=np.uint8)
        self._canvas.fill(0)
        return self._canvas

    def _draw(self, image: Image, box: Box, tile: Image) -> _Place:
        """Scale a face's window into the tile's upper left; what lies outside the frame is left out."""
        window = self.window(box)
        height, width = image.shape[:2]
        left, top = max(0, round(window.x)), max(0, round(window.y))
        right, bottom = min(width, round(window.x + window.w)), min(height, round(window.y + window.h))
        if right <= left or bottom <= top:
            return _Place(0, 0, 1.0, 1.0)
        scale = self._tile_px / window.w
        across = min(self._tile_px, max(1, round((right - left) * scale)))
        down = min(self._tile_px, max(1, round((bottom - top) * scale)))
        tile[:down, :across] = cv2.resize(image[top:bottom, left:right], (across, down))
        return _Place(left, top, (right - left) / across, (bottom - top) / down)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tile's upper left corner lies in the frame, and how many of the frame's pixels one of its own covers."""

    left: int
    top: int
    scale_x: float
    scale_y: float

    def in_frame(self, face: Face, offset_px: int) -> Face:
        return mapped(face, self.scale_x, self.scale_y, (self.left - offset_px * self.scale_x, float(self.top)))


def mapped(face: Face, scale_x: float, scale_y: float, shift: tuple[float, float] = (0.0, 0.0)) -> Face:
    """A face scaled about the origin, then moved by pixels."""
    points = tuple((x * scale_x + shift[0], y * scale_y + shift[1]) for x, y in face.landmarks)
    return Face(face.box.scaled(scale_x, scale_y).shifted(*shift), face.score, points)


def among(box: Box, faces: Sequence[Face]) -> bool:
    """Whether one of the faces is the one in this box."""
    return any(box.iou(face.box) > SAME_IOU for face in faces)
