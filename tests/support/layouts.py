"""Small data sets laid out as their authors ship them, of flat grey pictures that are all different."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from fer_edge.types import Image

SIDE_PX = 8
_levels = count()


def picture(path: Path, level: int | None = None, height: int = SIDE_PX, width: int = SIDE_PX) -> Path:
    """A file with a grey picture: flat at `level`, or by default unlike every other of this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = np.full((height, width), 0 if level is None else level, dtype=np.uint8)
    if level is None:
        number = next(_levels)
        made[0, :4] = [number >> shift & 255 for shift in (0, 8, 16, 24)]
        made[1:] = number % 251
    assert cv2.imwrite(str(path), made if path.suffix == ".png" else _broad(made))
    return path


def class_folders(root: Path, counts: Mapping[str, int]) -> Path:
    """`<class>/<number>.png`."""
    for name, number in counts.items():
        for i in range(number):
            picture(root / name / f"{i}.png")
    return root


def fer2013_row(label: str, usage: str = "Training", pixels: Sequence[int | str] | None = None) -> str:
    """A line of the table; 64 pixels unlike those of other lines by default."""
    if pixels is None:
        number = next(_levels)
        pixels = [number & 255, number >> 8 & 255, *[number % 251] * 62]
    return f"{label},{' '.join(map(str, pixels))},{usage}"


def fer2013_table(path: Path, rows: Iterable[str], head: str = "emotion,pixels,Usage") -> Path:
    """A file in the form of `fer2013.csv`."""
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def affectnet(base: Path, labels: Mapping[str, str | int]) -> Path:
    """`images/N.jpg` and `annotations/N_exp.npy`, and the three other annotations; labels by N."""
    for number, label in labels.items():
        picture(base / "images" / f"{number}.jpg")
        annotation(base, number, label)
        for other in ("aro", "val", "lnd"):
            np.save(base / "annotations" / f"{number}_{other}.npy", np.array("0.5"))
    return base


def annotation(base: Path, number: str, label: str | int) -> Path:
    """One `N_exp.npy`: text as AffectNet has it, or an integer."""
    path = base / "annotations" / f"{number}_exp.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(label))
    return path


def rafdb(root: Path, lines: Iterable[str], labels: str = ".", faces: str = "aligned") -> Path:
    """The list of labels, and an aligned picture for each of its lines."""
    lines = list(lines)
    path = root / labels / "list_patition_label.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    (root / faces).mkdir(parents=True, exist_ok=True)
    for line in lines:
        picture(root / faces / f"{Path(line.split()[0]).stem}_aligned.jpg")
    return root


def _broad(made: Image) -> Image:
    """Differences that survive JPEG: the same picture, enlarged eight times without smoothing."""
    return np.asarray(cv2.resize(made, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
