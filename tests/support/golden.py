"""Reads the golden vectors of preprocessing: what crops must look like, worked out without OpenCV."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.preprocess import PreprocessSpec
from fer_edge.types import Box, Image, TensorSpec

GOLDEN = Path(__file__).parent / "golden" / "preprocess.json"


@dataclass(frozen=True)
class Case:
    """One crop. picture: name for `picture`. box: None for the whole picture. pixels: as `Preprocess.pixels`.

    tensor: what `pixels` become in `target`, flattened.
    """

    name: str
    picture: str
    spec: PreprocessSpec
    target: TensorSpec
    box: Box | None
    detector: str
    pixels: Image
    tensor: NDArray[np.float64]


def cases() -> list[Case]:
    """Every committed case."""
    rows: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    return [_case(row) for row in rows]


def picture(name: str) -> Image:
    """Ramps and hard edges, uint8: "wide" (90, 120, 3), "tall" (120, 90, 3) or "grey" (90, 120)."""
    height, width = (120, 90) if name == "tall" else (90, 120)
    y, x = np.mgrid[:height, :width]
    blue, green, red = (3 * x + 5 * y) % 256, (x // 7 + y // 5) * 37 % 256, (255 - 2 * x + y) % 256
    channels = np.stack([blue, green, red], axis=-1).astype(np.uint8)
    return np.ascontiguousarray(channels[..., 1]) if name == "grey" else channels


def _case(row: dict[str, Any]) -> Case:
    spec = PreprocessSpec.model_validate(row["spec"])
    shape = (spec.size, spec.size) if spec.channels == 1 else (spec.size, spec.size, 3)
    pixels = np.frombuffer(base64.b64decode(row["pixels"]), dtype=np.uint8).reshape(shape)
    target = TensorSpec("input", row["dtype"], spec.shape, row["scale"], row["zero_point"])
    box = Box(*row["box"]) if row["box"] else None
    tensor = np.asarray(row["tensor"], dtype=np.float64)
    return Case(row["name"], row["picture"], spec, target, box, row["detector"], pixels, tensor)
