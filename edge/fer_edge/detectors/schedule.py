"""When to look where: the whole frame now and then, between times only around the faces already known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field, model_validator

from fer_edge.detectors import FaceDetector
from fer_edge.detectors.closeups import Closeups, among, mapped
from fer_edge.detectors.scene import Scene
from fer_edge.preprocess import WHOLE
from fer_edge.strict import StrictModel
from fer_edge.types import Box, Face, Image

Mode = Literal["full", "around", "none"]
Seconds = Annotated[float, Field(ge=0.0, le=60.0)]

FINE_SCALE = 0.5
"""Bilinear resizing reads four pixels; a picture reduced further would alias, so it is averaged."""
EARLY_S = 0.005
"""What falls due within this time is due now: frames do not come on the millisecond."""

FIRST_EVERY_S = 0.1
"""Between looks at the start and after a cut: how fast a face moves is known from the second look on."""


class SearchOptions(StrictModel):
    """How often to look, and how closely. Times are of the source's clock, so a slow source is not searched less.

    full_px: longer side of the picture in a full search, pixels; smaller pictures are not enlarged.
    full_every_s: between full searches while faces are known and something changes outside them.
    empty_every_s: the same while no face is known. still_every_s: between full searches while nothing changes.
    around_every_s: between looks at the known faces; 0 is every frame.
    settle_s: time after the start and after a cut in which every look is a full search, at least ten times a second.
    retry_every_s: at least between full searches for known faces that are not where they should be.
    closer_below: a new face with a lower score is looked at closely at once.
    least_score: what a new face must have after that; known faces may have less.
    face_px, tile_px: a face's size in a close-up, and the close-up's side.
    max_closeups: in one frame; with more known faces a full search is cheaper.
    """

    full_px: Annotated[int, Field(ge=64, le=4096)] = 352
    full_every_s: Seconds = 0.4
    empty_every_s: Seconds = 0.2
    still_every_s: Seconds = 1.0
    around_every_s: Seconds = 0.13
    settle_s: Seconds = 0.3
    retry_every_s: Seconds = 0.4
    closer_below: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75
    least_score: Annotated[float, Field(ge=0.0, le=1.0)] = 0.6
    face_px: Annotated[int, Field(ge=16, le=256)] = 48
    tile_px: Annotated[int, Field(ge=32, le=512, multiple_of=32)] = 96
    max_closeups: Annotated[int, Field(ge=0, le=64)] = 6

    @model_validator(mode="after")
    def _face_fits_tile(self) -> SearchOptions:
        if self.face_px >= self.tile_px:
            raise ValueError(f"a face of {self.face_px} px does not fit into a close-up of {self.tile_px} px")
        return self


@dataclass(frozen=True, slots=True)
class Found:
    """Faces of one frame, in its pixels. mode: where was looked. cut: the frame does not continue the one before."""

    faces: tuple[Face, ...]
    mode: Mode
    cut: bool = False


class Search:
    """A detector with its schedule for one source. Not thread-safe."""

    def __init__(self, detector: FaceDetector, options: SearchOptions | None = None) -> None:
        """Start with nothing seen."""
        self.detector, self.options = detector, options or SearchOptions()
        self._scene = Scene()
        self._closeups = Closeups(detector, self.options.face_px, self.options.tile_px)
        self._full_s = self._looked_s = -math.inf
        self._began_s: float | None = None
        self.rarer = 1.0
        """Full searches come so many times as rarely as the options say: what a hot board is spared."""

    def configure(self, options: SearchOptions) -> None:
        """Other options, from the next look on."""
        self.options = options
        self._closeups = Closeups(self.detector, options.face_px, options.tile_px)

    def step(self, image: Image, known: Sequence[Box], now_s: float) -> Found:
        """Look at the next frame as the schedule says.

        image: uint8 (H, W, 3) blue-green-red. known: where the known faces should be, pixels. now_s: on the source's
        clock; when it does not advance, everything is due. A known face that a full search misses is looked at closely
        in the same frame, and one that a close look misses is searched for in full, every `retry_every_s`.
        """
        if self.detector.name == WHOLE:
            return Found(tuple(self.detector.detect(image)), "full")
        cut = self._scene.see(image)
        known = () if cut else known
        mode = self._plan(known, now_s, cut=cut)
        if mode == "none":
            return Found((), mode, cut)
        self._looked_s = now_s
        if mode == "full":
            return Found(self._sure(image, self._full(image, now_s), known), mode, cut)
        faces = self._closeups.detect(image, known)
        lost = any(not among(box, faces) for box in known)
        if not lost or not self._due(self._full_s, self.options.retry_every_s, now_s):
            return Found(tuple(faces), mode, cut)
        return Found(self._accepted(_merged(faces, self._full(image, now_s)), known), "full", cut)

    def still(self, image: Image, longer_px: int) -> tuple[Face, ...]:
        """Faces of a picture on its own, searched at this size of its longer side; the schedule is not touched."""
        if self.detector.name == WHOLE:
            return tuple(self.detector.detect(image))
        return self._sure(image, _reduced(self.detector, image, longer_px), ())

    def _plan(self, known: Sequence[Box], now_s: float, *, cut: bool) -> Mode:
        options = self.options
        if cut or self._began_s is None or now_s < self._began_s:
            self._began_s = now_s
            return "full"
        every_s = self.rarer * (options.full_every_s if known else options.empty_every_s)
        if now_s - self._began_s < options.settle_s:
            fresh = self._due(self._full_s, min(every_s, options.around_every_s, FIRST_EVERY_S), now_s)
        else:
            fresh = self._due(self._full_s, self.rarer * options.still_every_s, now_s)
            fresh = fresh or (self._due(self._full_s, every_s, now_s) and self._changed(known))
        if fresh:
            return "full"
        if not known or not self._due(self._looked_s, options.around_every_s, now_s):
            return "none"
        return "around" if len(known) <= options.max_closeups else "full"

    def _changed(self, known: Sequence[Box]) -> bool:
        return self._scene.changed([self._closeups.window(box) for box in known])

    def _due(self, last_s: float, every_s: float, now_s: float) -> bool:
        return now_s <= last_s or now_s - last_s >= every_s - EARLY_S

    def _full(self, image: Image, now_s: float) -> list[Face]:
        self._full_s = now_s
        self._scene.searched()
        return _reduced(self.detector, image, self.options.full_px)

    def _sure(self, image: Image, faces: Sequence[Face], known: Sequence[Box]) -> tuple[Face, ...]:
        """Look closely at known faces that were missed and at new ones that are unsure; the close look is believed."""
        missed = [box for box in known if not among(box, faces)]
        unsure = [face.box for face in _new(faces, known) if face.score < self.options.closer_below]
        closer = self._closeups.detect(image, [*missed, *unsure][: self.options.max_closeups])
        return self._accepted(_merged(closer, faces), known)

    def _accepted(self, faces: Sequence[Face], known: Sequence[Box]) -> tuple[Face, ...]:
        """Without those that are new and weak."""
        weak = [face for face in _new(faces, known) if face.score < self.options.least_score]
        return tuple(face for face in faces if face not in weak)


def _new(faces: Sequence[Face], known: Sequence[Box]) -> list[Face]:
    """The faces that are in none of the known boxes."""
    return [face for face in faces if not any(among(box, (face,)) for box in known)]


def _reduced(detector: FaceDetector, image: Image, longer_px: int) -> list[Face]:
    """Search a picture reduced to this size of its longer side; boxes in the picture's own pixels."""
    height, width = image.shape[:2]
    scale = longer_px / max(height, width)
    if scale >= 1.0:
        return detector.detect(image)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < FINE_SCALE else cv2.INTER_LINEAR
    small: Image = np.asarray(cv2.resize(image, (across, down), interpolation=method), dtype=np.uint8)
    return [mapped(face, width / across, height / down) for face in detector.detect(small)]


def _merged(first: Sequence[Face], second: Sequence[Face]) -> tuple[Face, ...]:
    """The first, and those of the second that are other faces."""
    return (*first, *(face for face in second if not among(face.box, first)))
