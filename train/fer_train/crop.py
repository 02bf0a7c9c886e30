"""The crop contract fitted from data: how a detector's box must be cut so that it looks like a training picture.

A training picture of FER2013 is a tight square around a face; each detector draws its boxes in its own way. So the
detector looks at the training pictures themselves, and the median relation of its box to the picture's square is the
contract.

The detector sees each picture enlarged to `View.face_px` within a border, because a face that fills the whole picture
is unlike what it was trained on. Which enlargement and border leave its box alone was measured by a round trip: faces
with their real surroundings were cut tight, reduced to 48 px and put into each view; the view that gave the first box
back is the default. With 288 px and half a side of mean grey, boxes come back 0.00 (YuNet) and 0.04 (Haar) smaller than
they were; with 192 px it is 0.06 and 0.05, without a border 0.06 and 0.15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from fer_edge.detectors import FaceDetector
from fer_edge.errors import ConfigError, InputError, OutputError, UsageError
from fer_edge.preprocess import WHOLE, CropContract
from fer_edge.strict import StrictModel, loads_json, problems
from fer_edge.types import Box, Face, Image
from fer_train.data import Dataset
from fer_train.provenance import data_name

FILE = "crop.json"
SAMPLE = 1000
"""Pictures looked at by default: the medians' standard error is then under 0.006 of the box."""
MIN_FOUND = 30
"""A median of fewer boxes says little."""
PLAUSIBLE = (0.4, 1.8)
"""Box sides, as shares of the picture's side, that can be of the face that fills it, not of an eye or a pattern."""

Fill = Literal["mean", "repeat", "blur"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Three = Annotated[tuple[float, float, float], Field(strict=False)]


@dataclass(frozen=True)
class View:
    """How a training picture is shown to a detector.

    face_px: side to which it is enlarged. border: width of the ground around it, as a share of that side.
    fill: the ground is the picture's mean grey, its repeated edge pixels, or those blurred.
    """

    face_px: int = 288
    border: float = 0.5
    fill: Fill = "mean"


class Fitted(StrictModel):
    """One detector's contract and how well it holds.

    n: pictures shown. found: share of them in which the detector found the face. spread: median absolute deviation of
    margin, dx and dy over pictures. iou, iou_p10: of the contract's crop with the picture's true square, median and the
    tenth percentile.
    """

    margin: float
    dx: float
    dy: float
    n: int
    found: Share
    spread: Three
    iou: Share
    iou_p10: Share

    @property
    def contract(self) -> CropContract:
        """As the preprocessing takes it."""
        return CropContract(margin=self.margin, dx=self.dx, dy=self.dy)


class CropFile(StrictModel):
    """`crop.json`, schema 1: what was fitted, on which pictures (SHA-256 of the sample), per detector."""

    schema_version: Literal[1] = 1
    data: str
    data_sha256: str
    detectors: dict[str, Fitted]


def fit(detector: FaceDetector, images: Image, view: View | None = None) -> Fitted:
    """Learn how this detector's boxes lie in pictures that are face crops already.

    images: uint8 (N, S, S) grey or (N, S, S, 3) blue-green-red. Raises UsageError for the detector that looks at
    nothing, InputError when it finds too few faces to tell.
    """
    if detector.name == WHOLE:
        raise UsageError("the detector 'whole' takes pictures as they are; there is no contract to fit")
    view = view or View()
    rows = [row for image in images if (row := _relation(detector, image, view)) is not None]
    if len(rows) < MIN_FOUND:
        raise InputError(
            f"{detector.name} found a face in {len(rows)} of {len(images)} pictures; "
            f"a crop contract needs {MIN_FOUND}: are they pictures of faces?"
        )
    return _robust(np.asarray(rows), len(images))


def fit_all(
    detectors: Iterable[FaceDetector], data: Dataset, color: str, say: Callable[[str], None], sample: int = SAMPLE
) -> CropFile:
    """Fit every detector on a sample of `data`, classes in equal shares, the same sample every time.

    color: of the data set's pictures, as `PreprocessSpec.color`. A detector that finds too few faces is left out and
    `say` tells.
    """
    chosen = data.stratified(sample, seed=0)
    images = np.ascontiguousarray(chosen.images[..., ::-1]) if color == "rgb" else chosen.images
    found: dict[str, Fitted] = {}
    for detector in detectors:
        try:
            found[detector.name] = fitted = fit(detector, images)
        except InputError as error:
            say(f"no crop contract: {error}")
            continue
        say(
            f"crop contract for {detector.name}: margin {fitted.margin:+.3f}, dx {fitted.dx:+.3f}, dy {fitted.dy:+.3f} "
            f"(face found in {fitted.found:.1%} of {fitted.n}, median IoU {fitted.iou:.2f})"
        )
    return CropFile(data=data_name(data.source), data_sha256=chosen.digest(), detectors=found)


def write(path: Path, found: CropFile) -> None:
    """Write `crop.json`; detectors that were fitted on the same pictures before and are not in `found` stay in it.

    Raises OutputError when it cannot be written, ConfigError when the file that is there is something else.
    """
    if path.exists() and (before := read(path)).data_sha256 == found.data_sha256:
        found = found.model_copy(update={"detectors": {**before.detectors, **found.detectors}})
    try:
        path.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path) -> CropFile:
    """Read `crop.json`; raises InputError when it is missing, ConfigError with every mistake in it."""
    try:
        return CropFile.model_validate(loads_json(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; fer-train crop makes it") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None


def contracts(path: Path) -> dict[str, CropContract]:
    """The contracts of a `crop.json`, by detector; errors as in `read`."""
    return {name: fitted.contract for name, fitted in read(path).detectors.items()}


def show(image: Image, view: View) -> tuple[Image, Box]:
    """A face crop as a detector gets it: uint8 (H, H, 3) blue-green-red, and where in it the crop's square lies."""
    side = view.face_px
    method = cv2.INTER_CUBIC if side > image.shape[0] else cv2.INTER_AREA
    enlarged = np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)
    if enlarged.ndim == 2:
        enlarged = np.repeat(enlarged[..., np.newaxis], 3, axis=2)
    edge = round(side * view.border)
    return _ground(enlarged, edge, view.fill), Box(edge, edge, side, side)


def _ground(face: Image, edge: int, fill: Fill) -> Image:
    if fill == "mean":
        value = [float(mean) for mean in face.mean(axis=(0, 1))]
        framed = cv2.copyMakeBorder(face, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=value)
        return np.asarray(framed, dtype=np.uint8)
    framed = cv2.copyMakeBorder(face, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    if fill == "blur" and edge:
        framed = cv2.GaussianBlur(framed, (0, 0), sigmaX=edge / 6)
        framed[edge:-edge, edge:-edge] = face
    return np.asarray(framed, dtype=np.uint8)


def _relation(detector: FaceDetector, image: Image, view: View) -> tuple[float, float, float] | None:
    """(1 + margin, dx, dy) that would give back this picture's square exactly; None when its face was not found."""
    shown, square = show(image, view)
    face = _the_face(detector.detect(shown), square)
    if face is None:
        return None
    length = math.sqrt(face.box.area)
    (cx, cy), (want_x, want_y) = face.box.center, square.center
    return square.w / length, (want_x - cx) / length, (want_y - cy) / length


def _the_face(faces: Sequence[Face], square: Box) -> Face | None:
    """The best face that can be the one filling the picture; the larger of equals."""

    def plausible(box: Box) -> bool:
        x, y = box.center
        inside = square.x <= x <= square.x + square.w and square.y <= y <= square.y + square.h
        return inside and PLAUSIBLE[0] <= math.sqrt(max(box.area, 0.0)) / square.w <= PLAUSIBLE[1]

    fitting = [face for face in faces if plausible(face.box)]
    return max(fitting, key=lambda face: (face.score, face.box.area), default=None)


def _robust(rows: NDArray[np.float64], n: int) -> Fitted:
    """Medians, their spread, and the overlap they leave; rows: (found, 3) of side, dx, dy in box lengths."""
    side, dx, dy = (float(value) for value in np.median(rows, axis=0))
    spread = np.median(np.abs(rows - np.array([side, dx, dy])), axis=0)
    crop = _square(side, dx, dy)
    overlaps = np.asarray([_square(*row).iou(crop) for row in rows.tolist()])
    return Fitted(
        margin=round(side - 1.0, 4),
        dx=round(dx, 4),
        dy=round(dy, 4),
        n=n,
        found=len(rows) / n,
        spread=(float(spread[0]), float(spread[1]), float(spread[2])),
        iou=float(np.median(overlaps)),
        iou_p10=float(np.percentile(overlaps, 10)),
    )


def _square(side: float, dx: float, dy: float) -> Box:
    """Around a box of length 1 at the origin."""
    return Box(dx - side / 2, dy - side / 2, side, side)
