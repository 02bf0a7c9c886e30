"""Examples: which pictures to show of an evaluation, and sheets of pictures with what the model says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.annotate import grid
from fer_edge.detectors import FaceDetector
from fer_edge.detectors.schedule import Search
from fer_edge.pipeline import PipelineOptions
from fer_edge.preprocess import Preprocess, PreprocessSpec, cut
from fer_edge.types import Frame, Image
from fer_train.evaluate import Evaluation, Trained, shares
from fer_train.progress import Say

ROWS, COLUMNS = 3, 6
"""Of the sheets of right and wrong examples."""
SHOWN_PX = 112
"""Longest side of an example: enough to judge a face, and a page of them stays small."""


@dataclass(frozen=True)
class Example:
    """A picture (uint8 (H, W, 3) blue-green-red or (H, W) grey), its label, and what the model says, 0 to 1 sure."""

    picture: Image
    true: str
    predicted: str
    confidence: float

    @property
    def caption(self) -> str:
        """`happy 93%`, and of a mistake what it is labelled: `sad 71% (fear)`."""
        truth = "" if self.true == self.predicted else f" ({self.true})"
        return f"{self.predicted} {self.confidence:.0%}{truth}"


@dataclass(frozen=True)
class Face:
    """crop: for people, uint8 (H, W, 3) blue-green-red. pixels: the same for the model, as `Preprocess.pixels`."""

    crop: Image
    pixels: Image


def examples(evaluation: Evaluation, *, right: bool, color: str, count: int = ROWS * COLUMNS) -> list[Example]:
    """Right answers as they come, or the surest wrong ones; the labels take turns.

    color: of the data set's pictures, as `PreprocessSpec.color`.
    """
    data, found = evaluation.data, evaluation.probabilities
    rows = choose(found, data.targets, right=right, count=count)
    if not rows:
        return []
    return [
        Example(
            picture=_shown(picture, color),
            true=data.labels[int(data.targets[i])],
            predicted=data.labels[int(found[i].argmax())],
            confidence=float(found[i].max()),
        )
        for i, picture in zip(rows, data.images[np.array(rows)], strict=True)
    ]


def choose(shares: NDArray[np.float64], targets: NDArray[np.int64], *, right: bool, count: int) -> list[int]:
    """Rows of `shares` (N, L), at most `count`, label by label in turn: the first right ones or the surest wrong."""
    correct = shares.argmax(axis=1) == targets
    order = np.arange(len(targets)) if right else np.argsort(-shares.max(axis=1), kind="stable")
    pools = [[int(i) for i in order if targets[i] == label and correct[i] == right] for label in range(shares.shape[1])]
    turns = [pool[turn] for turn in range(max(map(len, pools))) for pool in pools if turn < len(pool)]
    return turns[:count]


def sheet(found: Sequence[Example]) -> Image:
    """All examples with their captions, uint8 (H, W, 3) blue-green-red."""
    return grid([(each.picture, each.caption) for each in found], max(1, -(-len(found) // COLUMNS)), COLUMNS)


def predicted(trained: Trained, faces: Sequence[Face]) -> list[tuple[Image, str]]:
    """Each face as it was cut, with the label that the model gives it and its confidence."""
    if not faces:
        return []
    found, labels = shares(trained, np.stack([each.pixels for each in faces])), trained.recipe.labels
    says = (f"{labels[int(row.argmax())]} {row.max():.0%}" for row in found)
    return [(each.crop, text) for each, text in zip(faces, says, strict=True)]


def faces_of(frames: Iterable[Frame], detector: FaceDetector, spec: PreprocessSpec, say: Say) -> Iterator[Face]:
    """The faces of pictures, best first in each. spec: with the detector's crop contract."""
    preprocess, search, longer_px = Preprocess(spec), Search(detector), PipelineOptions().still_px
    for frame in frames:
        found = search.still(frame.image, longer_px)
        if not found:
            say(f"{frame.origin}: {detector.name} finds no face")
        for face in found:
            square = spec.contract(detector.name).apply(face.box)
            yield Face(cut(frame.image, square).copy(), preprocess.pixels(frame.image, face.box, detector.name))


def _shown(image: Image, color: str) -> Image:
    """As drawing takes it, no larger than a page needs."""
    bgr = np.ascontiguousarray(image[..., ::-1]) if color == "rgb" else image
    side = max(bgr.shape[:2])
    if side <= SHOWN_PX:
        return bgr
    size = (round(bgr.shape[1] * SHOWN_PX / side), round(bgr.shape[0] * SHOWN_PX / side))
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
