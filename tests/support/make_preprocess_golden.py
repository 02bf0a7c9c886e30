"""Makes `golden/preprocess.json` from a second, slow, plain reading of the preprocessing contract.

    PYTHONPATH=tests python -m support.make_preprocess_golden

It shares no code with `fer_edge.preprocess` and does not use OpenCV: sums in float64, one pixel after the other. This
is the one place where preprocessing may stand twice, for it is there to judge the other.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.golden import GOLDEN, picture

Floats = NDArray[np.float64]
GRAY = {"color": "gray", "size": 12, "mean": [0.5], "std": [0.25], "layout": "NHWC", "crop": {}}
COLOR = {"size": 12, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "layout": "NCHW", "crop": {}}
RGB, BGR = {**COLOR, "color": "rgb"}, {**COLOR, "color": "bgr"}
FITTED = {**GRAY, "crop": {"yunet": {"margin": 0.4, "dx": 0.1, "dy": -0.2}}}
FLOAT, INT8 = ("float32", 0.0, 0), ("int8", 0.015686275, -1)

CASES: tuple[tuple[str, str, dict[str, Any], tuple[str, float, int], Sequence[float] | None, str], ...] = (
    ("a wide picture as a whole", "wide", GRAY, FLOAT, None, "whole"),
    ("a tall picture as a whole", "tall", GRAY, FLOAT, None, "whole"),
    ("a box inside, shrunk by a whole number", "wide", GRAY, INT8, (30, 20, 48, 48), "haar"),
    ("a box inside, shrunk by a fraction", "wide", GRAY, INT8, (30.4, 20.6, 31, 31), "haar"),
    ("a box of the model's own size", "wide", GRAY, INT8, (40, 40, 12, 12), "haar"),
    ("a small box, enlarged", "wide", GRAY, INT8, (60, 50, 5, 5), "haar"),
    ("a box over the left and upper edge", "wide", GRAY, INT8, (-15, -8, 40, 40), "haar"),
    ("a box over the right and lower edge", "wide", GRAY, INT8, (100, 70, 40, 40), "haar"),
    ("a box that is no square", "wide", GRAY, INT8, (30, 20, 25, 36), "haar"),
    ("a fitted crop", "wide", FITTED, INT8, (40, 30, 25, 36), "yunet"),
    ("a detector that was not fitted", "wide", FITTED, INT8, (40, 30, 25, 36), "haar"),
    ("red first", "wide", RGB, FLOAT, (30, 20, 48, 48), "haar"),
    ("blue first", "wide", BGR, FLOAT, (30, 20, 48, 48), "haar"),
    ("a grey picture for a colour model", "grey", RGB, FLOAT, (30, 20, 31, 31), "haar"),
    ("a grey picture for a grey model", "grey", GRAY, INT8, (30, 20, 31, 31), "haar"),
)


def square(shape: Sequence[int], spec: dict[str, Any], box: Sequence[float] | None, detector: str) -> Sequence[float]:
    """Left, top and side of the square to cut."""
    if box is None:
        side = min(shape[:2])
        return (shape[1] - side) / 2, (shape[0] - side) / 2, side
    contract = spec["crop"].get(detector, {"margin": 0.0, "dx": 0.0, "dy": 0.0})
    x, y, w, h = box
    length = math.sqrt(w * h)
    side = (1 + contract["margin"]) * length
    return x + w / 2 + contract["dx"] * length - side / 2, y + h / 2 + contract["dy"] * length - side / 2, side


def crop(image: NDArray[np.uint8], left: float, top: float, side: float) -> NDArray[np.uint8]:
    """Whole pixels; outside the picture its border repeats."""
    count = max(1, round(side))
    height, width = image.shape[:2]
    rows = [min(max(round(top) + i, 0), height - 1) for i in range(count)]
    columns = [min(max(round(left) + i, 0), width - 1) for i in range(count)]
    return np.asarray([[image[row, column] for column in columns] for row in rows], dtype=np.uint8)


def recolor(image: NDArray[np.uint8], color: str) -> NDArray[np.uint8]:
    """To luma (ITU-R BT.601), red first, or as it is; (H, W, channels)."""
    if image.ndim == 2:
        return np.stack([image] * (1 if color == "gray" else 3), axis=-1)
    blue, green, red = (image[..., i].astype(np.float64) for i in range(3))
    if color == "gray":
        return np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(np.uint8)[..., None]
    return image[..., ::-1] if color == "rgb" else image


def weights(source: int, target: int) -> Floats:
    """(target, source): how much of each source pixel goes into each target pixel, along one axis."""
    found = np.zeros((target, source))
    step = source / target
    for i in range(target):
        if source > target:  # the share of the target's width that each source pixel covers
            for j in range(source):
                found[i, j] = max(0.0, min(j + 1, (i + 1) * step) - max(j, i * step)) / step
        else:  # linear between pixel centres
            at = min(max((i + 0.5) * step - 0.5, 0.0), source - 1)
            low = min(int(at), source - 2) if source > 1 else 0
            found[i, low] += 1.0 - (at - low)
            if source > 1:
                found[i, low + 1] += at - low
    return found


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Area averaging down, bilinear up."""
    along = weights(image.shape[0], size)
    exact = np.einsum("ij,jkc,lk->ilc", along, image.astype(np.float64), along)
    return np.asarray(np.rint(exact), dtype=np.uint8)


def store(pixels: NDArray[np.uint8], spec: dict[str, Any], target: tuple[str, float, int]) -> Floats:
    """The tensor's values, flattened in its layout."""
    real = (pixels / 255.0 - np.asarray(spec["mean"])) / np.asarray(spec["std"])
    if target[1]:
        real = np.clip(np.rint(real / target[1]) + target[2], -128, 127)
    return np.asarray(real.transpose(2, 0, 1) if spec["layout"] == "NCHW" else real).ravel()


def main() -> None:
    """Write all cases."""
    rows = []
    for name, of, spec, target, box, detector in CASES:
        image = picture(of)
        cut = crop(image, *square(image.shape, spec, box, detector))
        pixels = resize(recolor(cut, spec["color"]), spec["size"])
        row: dict[str, Any] = {"name": name, "picture": of, "spec": spec, "box": box, "detector": detector}
        row |= dict(zip(("dtype", "scale", "zero_point"), target, strict=True))
        row["pixels"] = base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
        row["tensor"] = [round(float(value), 6) for value in store(pixels, spec, target)]
        rows.append(json.dumps(row))
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text('{"cases": [\n' + ",\n".join(rows) + "\n]}\n", encoding="utf-8")
    print(GOLDEN.name, GOLDEN.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
