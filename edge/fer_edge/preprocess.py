"""From a picture and a face's box to the tensor a model was trained on. The only such code in the project.

Training, calibration, evaluation and the device all call this; pixels are 8-bit, so normalisation and quantization
together are one table of 256 entries per channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fer_edge.strict import StrictModel
from fer_edge.types import Array, Box, Image, TensorSpec

WHOLE = "whole"
"""The name of the detector that takes the picture as the face: its crop needs no contract."""

MAX_SIZE_PX = 1024
MAX_PADDED_PX = 4096
"""A square that reaches outside the picture is copied; one with a longer side is sampled down to this, not averaged."""


class CropContract(StrictModel):
    """How the square that the model sees lies around a detector's box.

    With L = sqrt(width * height) of the box, the crop is a square of side (1 + margin) * L whose centre lies at the
    box's centre moved by (dx, dy) * L, right and down. Fitted from data, per detector: `fer_train.crop`.
    """

    margin: Annotated[float, Field(ge=-0.8, le=4.0)] = 0.0
    dx: Annotated[float, Field(ge=-2.0, le=2.0)] = 0.0
    dy: Annotated[float, Field(ge=-2.0, le=2.0)] = 0.0

    def apply(self, box: Box) -> Box:
        """The square to cut for a detector's box, in the same pixels; may reach outside the picture."""
        length = math.sqrt(max(box.w, 0.0) * max(box.h, 0.0))
        side = (1.0 + self.margin) * length
        cx, cy = box.center
        return Box(cx + self.dx * length - side / 2, cy + self.dy * length - side / 2, side, side)


class PreprocessSpec(StrictModel):
    """The closed set of options; part of every bundle.

    color: what the model sees; "gray" is ITU-R BT.601 luma as OpenCV computes it.
    size: side of the square input, pixels. mean, std: per channel, of values scaled to 0-1: (pixel / 255 - mean) / std.
    layout: "NHWC" or "NCHW". crop: one contract per detector name; "whole" is always the identity.
    """

    color: Literal["gray", "rgb", "bgr"]
    size: Annotated[int, Field(ge=8, le=MAX_SIZE_PX)]
    mean: Annotated[tuple[float, ...], Field(strict=False)]
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False)]
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    crop: dict[str, CropContract] = {}

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> PreprocessSpec:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values for {self.color} input")
        return self

    @property
    def channels(self) -> int:
        """1 for grey, else 3."""
        return 1 if self.color == "gray" else 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The tensor's shape for one face, batch first."""
        if self.layout == "NHWC":
            return 1, self.size, self.size, self.channels
        return 1, self.channels, self.size, self.size

    def contract(self, detector: str) -> CropContract:
        """How to crop around this detector's boxes; the identity for `whole` and for detectors that were not fitted."""
        return self.crop.get(detector, CropContract())


class Preprocess:
    """Built once from a spec and the model's input tensor; every method is pure."""

    def __init__(self, spec: PreprocessSpec, tensor: TensorSpec | None = None) -> None:
        """Prepare the table for `tensor` (default: a float32 input of the spec's shape)."""
        self.spec = spec
        self.target = tensor or TensorSpec("input", "float32", spec.shape)
        self._table = _table(spec, self.target)

    def pixels(self, image: Image, box: Box | None = None, detector: str = WHOLE) -> Image:
        """Cut, recolour and resize one face.

        image: uint8 (H, W, 3) blue-green-red or (H, W) grey. box: the detector's, in the image's pixels; None takes
        the largest central square. Returns uint8 (S, S) for grey models, else (S, S, 3) in the model's own order.
        Beyond the picture's edge its border pixels are repeated.
        """
        square = central_square(image) if box is None else self.spec.contract(detector).apply(box)
        return _resize(_recolor(cut(image, square), self.spec.color), self.spec.size)

    def tensor(self, faces: Sequence[Image] | Image) -> Array:
        """Turn N crops from `pixels` into one tensor of the model's dtype and layout, (N, ...)."""
        stacked = np.asarray(faces, dtype=np.uint8)
        if self.spec.channels == 1:
            out: Array = self._table[0][stacked][..., np.newaxis]
        else:
            out = np.stack([self._table[c][stacked[..., c]] for c in range(3)], axis=-1)
        if self.spec.layout == "NCHW":
            out = np.ascontiguousarray(np.moveaxis(out, -1, 1))
        return out

    def __call__(self, image: Image, box: Box | None = None, detector: str = WHOLE) -> Array:
        """One face as a tensor with batch size 1."""
        return self.tensor(self.pixels(image, box, detector)[np.newaxis])


def central_square(image: Image) -> Box:
    """The largest centred square of a picture."""
    height, width = image.shape[:2]
    side = min(height, width)
    return Box((width - side) / 2, (height - side) / 2, side, side)


def cut(image: Image, square: Box) -> Image:
    """Cut a square out of a picture, on whole pixels, repeating border pixels outside it; at least 1 x 1."""
    height, width = image.shape[:2]
    side = max(1, round(square.w))
    left = min(max(round(square.x), -side), width)
    top = min(max(round(square.y), -side), height)
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return image[top : top + side, left : left + side]
    step = math.ceil(side / MAX_PADDED_PX)
    columns = np.clip(np.arange(left, left + side, step), 0, width - 1)
    rows = np.clip(np.arange(top, top + side, step), 0, height - 1)
    return np.ascontiguousarray(image[rows][:, columns])


def _recolor(crop: Image, color: str) -> Image:
    """From blue-green-red or grey to what the model sees."""
    if crop.ndim == 2:
        return crop if color == "gray" else np.repeat(crop[..., np.newaxis], 3, axis=2)
    if color == "gray":
        return _u8(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
    if color == "rgb":
        return _u8(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB))
    return crop


def _resize(crop: Image, size: int) -> Image:
    """Area averaging when it shrinks (no aliasing), bilinear when it grows."""
    if crop.shape[0] == size:
        return crop
    method = cv2.INTER_AREA if crop.shape[0] > size else cv2.INTER_LINEAR
    return _u8(cv2.resize(crop, (size, size), interpolation=method))


def _u8(image: Any) -> Image:  # noqa: ANN401 - OpenCV 4 and 5 type their results differently
    return np.asarray(image, dtype=np.uint8)


def _table(spec: PreprocessSpec, target: TensorSpec) -> NDArray[Any]:
    """(channels, 256): the stored value of every pixel value."""
    values = np.arange(256, dtype=np.float64) / 255.0
    mean = np.asarray(spec.mean, dtype=np.float64)[:, None]
    std = np.asarray(spec.std, dtype=np.float64)[:, None]
    real = (values[None, :] - mean) / std
    if not target.quantized:
        return np.ascontiguousarray(real.astype(target.dtype))
    limits = np.iinfo(target.dtype)
    stored = np.rint(real / target.scale) + target.zero_point
    return np.ascontiguousarray(np.clip(stored, limits.min, limits.max).astype(target.dtype))
