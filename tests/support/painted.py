"""Painted faces: green boxes in a picture, a detector that finds them, a classifier that says what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone

import cv2
import numpy as np

from fer_edge.postprocess import Calibration
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Box, Expression, Face, Frame, Image

WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)
LABELS = ("happy", "sad", "neutral")
HAPPY = Expression((0.8, 0.1, 0.1), "happy")
SAD = Expression((0.1, 0.8, 0.1), "sad")


def background(width: int = 640, height: int = 360, seed: int = 0) -> Image:
    """Blocks of red and blue without any green; another seed is another scene."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (9, 16, 3)).astype(np.uint8)
    picture: Image = np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    np.floor_divide(picture[..., 2], 2, out=picture[..., 1])
    return picture


def paint(picture: Image, *boxes: Box) -> Image:
    """A copy with a face in each box."""
    painted: Image = picture.copy()
    for box in boxes:
        left, top = max(0, round(box.x)), max(0, round(box.y))
        painted[top : max(0, round(box.y + box.h)), left : max(0, round(box.x + box.w))] = (0, 255, 0)
    return painted


class PaintedDetector:
    """Finds painted faces, and notes the size of every picture that it is shown.

    score: of a face from its shorter side in the picture searched; smallest_px: under which it is not found.
    """

    def __init__(self, score: Callable[[float], float] = lambda size_px: 0.9, smallest_px: int = 8) -> None:
        self.name = "painted"
        self.searched: list[tuple[int, int]] = []
        self._score, self._smallest_px = score, smallest_px

    def detect(self, image: Image) -> list[Face]:
        self.searched.append((image.shape[1], image.shape[0]))
        values = image.astype(np.int16)
        mask = (values[..., 1] > 200) & (values[..., 0] < 60) & (values[..., 2] < 60)
        stats = np.asarray(cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2])[1:]
        faces = [
            Face(Box(float(x), float(y), float(w), float(h)), self._score(float(min(w, h))), ((float(x), float(y)),))
            for x, y, w, h, _ in stats.tolist()
            if min(w, h) >= self._smallest_px
        ]
        return sorted(faces, key=lambda face: -face.score)

    @property
    def pixels(self) -> int:
        """Searched in all."""
        return sum(width * height for width, height in self.searched)


class ToldClassifier:
    """Says what it is told to, and notes what it was asked."""

    def __init__(self, say: Expression = HAPPY, uncertain_below: float = 0.0) -> None:
        self.labels: tuple[str, ...] = LABELS
        self.calibration = Calibration(uncertain_below=uncertain_below)
        self.say = say
        self.cropped: list[tuple[Box, str]] = []
        self.faces = 0
        self._preprocess = Preprocess(PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,)))

    def crop(self, image: Image, box: Box, detector: str = "whole") -> Image:
        self.cropped.append((box, detector))
        return self._preprocess.pixels(image, box)

    def expressions(self, crops: Sequence[Image]) -> list[Expression]:
        self.faces += len(crops)
        return [self.say] * len(crops)


def frames(pictures: Sequence[Image], fps: float = 30.0) -> list[Frame]:
    """A source that shows these pictures."""
    return [Frame(picture, i / fps, WALL, i) for i, picture in enumerate(pictures)]
