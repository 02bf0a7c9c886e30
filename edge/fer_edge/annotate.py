"""Pictures for people: boxes and labels drawn on a frame, and the 3 x 3 grid of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_edge.errors import OutputError
from fer_edge.events import UNCERTAIN
from fer_edge.types import Image, Observation, TrackedFace

GRID_SIDE = 3
CELL_PX = 240
STRIP_PX = 36
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE = 0.6
_INK = (255, 255, 255)
_PAPER = (40, 40, 40)
# Blue-green-red, light enough to be told apart on skin and on dark rooms.
_COLORS = {
    "angry": (60, 76, 231),
    "contempt": (182, 89, 155),
    "disgust": (96, 174, 39),
    "fear": (182, 89, 155),
    "happy": (18, 196, 241),
    "neutral": (199, 195, 189),
    "sad": (219, 152, 52),
    "surprise": (34, 126, 230),
}


def caption(face: TrackedFace) -> str:
    """`happy 93 %`, or `uncertain`."""
    label = face.expression.label
    return UNCERTAIN if label is None else f"{label} {face.expression.confidence:.0%}"


def draw(image: Image, observation: Observation) -> Image:
    """A copy of a frame (uint8 (H, W, 3) blue-green-red) with a box and a caption per face."""
    out: Image = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / 400))
    for face in observation.faces:
        color = _COLORS.get(face.expression.label or "", (150, 150, 150))
        left, top = round(face.box.x), round(face.box.y)
        right, bottom = round(face.box.x + face.box.w), round(face.box.y + face.box.h)
        cv2.rectangle(out, (left, top), (right, bottom), color, thickness)
        _caption(out, caption(face), (left, top), color, thickness)
    return out


def _caption(out: Image, text: str, corner: tuple[int, int], color: tuple[int, int, int], thickness: int) -> None:
    """Dark text on the label's colour, above the box, or inside it at the picture's edge."""
    scale = 0.5 * max(1.0, thickness * 0.75)
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    left = min(max(corner[0], 0), max(out.shape[1] - width - 4, 0))
    bottom = corner[1] if corner[1] >= height + below + 4 else corner[1] + height + below + 4
    cv2.rectangle(out, (left, bottom - height - below - 4), (left + width + 4, bottom), color, cv2.FILLED)
    cv2.putText(out, text, (left + 2, bottom - below), _FONT, scale, (20, 20, 20), thickness, cv2.LINE_AA)


def grid(cells: Sequence[tuple[Image, str]], rows: int = GRID_SIDE, columns: int = GRID_SIDE) -> Image:
    """Faces with the predicted label over each, 3 x 3 unless told, as seed report A shows its results.

    cells: (picture uint8 (H, W, 3) blue-green-red or (H, W) grey, text); those beyond rows * columns are left out.
    Empty cells stay dark. Text that is wider than its cell is drawn smaller.
    """
    height = CELL_PX + STRIP_PX
    sheet = np.full((rows * height, columns * CELL_PX, 3), _PAPER, dtype=np.uint8)
    for i, (picture, text) in enumerate(cells[: rows * columns]):
        top, left = (i // columns) * height, (i % columns) * CELL_PX
        scale = min(_SCALE, _SCALE * (CELL_PX - 8) / max(cv2.getTextSize(text, _FONT, _SCALE, 1)[0][0], 1))
        (width, tall), _ = cv2.getTextSize(text, _FONT, scale, 1)
        place = (left + (CELL_PX - width) // 2, top + (STRIP_PX + tall) // 2)
        cv2.putText(sheet, text, place, _FONT, scale, _INK, 1, cv2.LINE_AA)
        sheet[top + STRIP_PX : top + height, left : left + CELL_PX] = _fit(picture)
    return sheet


def _fit(picture: Image) -> Image:
    """Scale a picture into a cell, its shape kept, on dark."""
    if picture.ndim == 2:
        picture = np.repeat(picture[..., np.newaxis], 3, axis=2)
    factor = CELL_PX / max(picture.shape[:2])
    width, height = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    cell = np.full((CELL_PX, CELL_PX, 3), _PAPER, dtype=np.uint8)
    top, left = (CELL_PX - height) // 2, (CELL_PX - width) // 2
    cell[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=method)
    return cell


def write_picture(path: Path, image: Image) -> None:
    """Encode by the path's ending and write; raises OutputError."""
    try:
        done, data = cv2.imencode(path.suffix or ".png", image)
        if done:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.tobytes())
            return
        reason = f"OpenCV writes no {path.suffix} pictures"
    except cv2.error:
        reason = f"OpenCV knows no picture format {path.suffix!r}"
    except OSError as error:
        reason = str(error.strerror)
    raise OutputError(f"{path} cannot be written: {reason}")
