"""The moving part of the `demo` face: brows, eyes, mouth and the folds around them, drawn over the static portrait.

Points are (x, y) in pixels right of the middle of the face and below the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.cameras.portrait import CENTER_X, CHIN_Y, EYE_DX, EYE_Y, MOUTH_Y
from fer_edge.types import Image

Point = tuple[float, float]
Points = NDArray[np.float64] | Sequence[Point]
Curve = NDArray[np.float64]
Color = tuple[float, ...]

LEFT, TOP, RIGHT, BOTTOM = CENTER_X - 104, EYE_Y - 96, CENTER_X + 104, CHIN_Y + 8
"""The part of the scene that is drawn anew for every frame, pixels of the scene; an even number of them each way."""
MOUTH = MOUTH_Y - EYE_Y
NOSE = 58
"""Where the line of the mouth and the wings of the nose are."""
SHIFT = 4
"""Bits of a fraction in OpenCV's drawing coordinates: sixteenths of a pixel, so that slow motion does not jump."""

SHADE: Color = (0.62, 0.78, 1.0)
"""Blue, green, red of a shadow's depth: that of skin, so that shaded skin keeps its hue."""
SCLERA, IRIS, IRIS_RIM, PUPIL, GLINT = (200, 208, 214), (58, 84, 104), (30, 40, 52), (16, 16, 18), (250, 250, 250)
LASHES, LOWER_LID, CREASE, LID_SHADOW = (26, 32, 44), (92, 108, 150), (84, 102, 146), (90, 86, 80)
BROW, BROW_COVER = (32, 42, 58), 0.82
UPPER_LIP, LOWER_LIP, LIP_LINE = (104, 108, 172), (116, 124, 196), (52, 52, 96)
LIP_EDGE, LIP_SHINE = (104, 122, 180), (148, 158, 220)
CAVITY, TONGUE, TEETH = (30, 22, 44), (84, 84, 152), (206, 218, 226)


@dataclass(frozen=True, slots=True)
class Look:
    """One state of the face. Pixels of the scene unless said otherwise; up and outwards are positive.

    brow_in, brow_mid, brow_out: how far the three points of a brow are raised. brow_pinch: its inner end inwards.
    lid_up, lid_low: how far the upper lid stands above and the lower lid below the middle of the eye. gaze: down.
    mouth_half: half its width. corners: raised. upper, lower: how far the lips' inner edges are from its line.
    lip: thickness, 1 is relaxed. teeth, low_teeth: share of the opening that upper and lower teeth cover.
    fold, furrow, forehead, bags, chin: depth, 0 to about 1, of the folds from nose to mouth, between the brows, across
    the forehead, under the eyes and under the lip. cheeks: how far they are raised, 0 to 1.
    """

    brow_in: float = 0.0
    brow_mid: float = 0.0
    brow_out: float = 0.0
    brow_pinch: float = 0.0
    lid_up: float = 9.0
    lid_low: float = 7.0
    gaze: float = 0.0
    mouth_half: float = 31.0
    corners: float = 0.0
    upper: float = 0.0
    lower: float = 0.0
    lip: float = 1.0
    teeth: float = 0.0
    low_teeth: float = 0.0
    fold: float = 0.15
    furrow: float = 0.0
    forehead: float = 0.0
    bags: float = 0.15
    cheeks: float = 0.0
    chin: float = 0.0

    def towards(self, other: Look, share: float) -> Look:
        """The look on the way to another one, 0 being this and 1 the other."""
        return Look(*(a + (b - a) * share for a, b in zip(astuple(self), astuple(other), strict=True)))


class Pen:
    """Draws with smooth edges on a picture whose upper left corner is the face's point `corner`."""

    def __init__(self, picture: Image, corner: Point, scale: float = 1.0) -> None:
        self.picture = picture
        self._corner = np.asarray(corner, dtype=np.float64)
        self._units = scale * (1 << SHIFT)

    def line(self, points: Points, color: Color, thickness: int) -> None:
        """An open line, thickness in pixels of the picture."""
        cv2.polylines(self.picture, [self._place(points)], isClosed=False, color=color, thickness=thickness, **_SMOOTH)

    def fill(self, points: Points, color: Color) -> None:
        """A filled outline."""
        cv2.fillPoly(self.picture, [self._place(points)], color=color, **_SMOOTH)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """A filled circle."""
        x, y = self._place([center])[0].tolist()
        cv2.circle(self.picture, (x, y), round(radius * self._units), color, thickness=-1, **_SMOOTH)

    def cut(self, low: Point, high: Point) -> Pen:
        """A pen on a part of this picture, between two points that are whole pixels."""
        (left, top), (right, bottom) = ((np.asarray(p) - self._corner).astype(int).tolist() for p in (low, high))
        return Pen(self.picture[top:bottom, left:right], low)

    def copy(self) -> Pen:
        """The same on a copy of the picture."""
        found = Pen(self.picture.copy(), (0, 0))
        found._corner, found._units = self._corner, self._units
        return found

    def _place(self, points: Points) -> NDArray[np.int32]:
        return np.asarray(np.rint((np.asarray(points) - self._corner) * self._units), dtype=np.int32)


_SMOOTH: dict[str, Any] = {"lineType": cv2.LINE_AA, "shift": SHIFT}


def draw(scene: Image, look: Look) -> None:
    """Draw the features into a scene of `portrait.scene`, in place; only the rectangle above changes."""
    area = scene[TOP:BOTTOM, LEFT:RIGHT]
    pen = Pen(area, (LEFT - CENTER_X, TOP - EYE_Y))
    _folds(area, look)
    for side in (-1, 1):
        _eye(pen, look, side)
        _brow(pen, look, side)
    _mouth(pen, look)
    cv2.GaussianBlur(area, (3, 3), 0.7, dst=area)


def _curve(start: Point, bend: Point, end: Point, count: int = 12) -> Curve:
    """A quadratic Bezier curve that passes through `bend` half-way."""
    t = np.linspace(0, 1, count)[:, np.newaxis]
    a, b, c = np.asarray(start), np.asarray(bend), np.asarray(end)
    control = 2 * b - (a + c) / 2
    return np.asarray((1 - t) ** 2 * a + 2 * t * (1 - t) * control + t**2 * c)


def _folds(area: Image, look: Look) -> None:
    """Soft shadows and lights on the skin: lines, drawn and blurred at half size, then taken off or added."""
    height, width = area.shape[:2]
    corner = (LEFT - CENTER_X, TOP - EYE_Y)
    dark = Pen(np.zeros((height // 2, width // 2, 3), dtype=np.uint8), corner, 0.5)
    light = Pen(np.zeros_like(dark.picture), corner, 0.5)
    for side in (-1, 1):
        _side_folds(dark, look, side)
        cheek = _curve((side * 38, 33), (side * 58, 29 - 4 * look.cheeks), (side * 74, 34))
        light.line(cheek, _depth(40 * look.cheeks), 5)
    for row in (-50, -59, -68):
        bend = row - 0.2 * look.brow_mid - 0.4 * look.brow_in
        dark.line(_curve((-46, row + 3), (0, bend), (46, row + 3)), _depth(48 * look.forehead), 1)
    below = MOUTH + 21 + look.lower
    dark.line(_curve((-24, below + 2), (0, below), (24, below + 2)), _depth(28 + 50 * look.chin), 3)
    for layer, apply in ((dark, cv2.subtract), (light, cv2.add)):
        apply(area, cv2.resize(cv2.GaussianBlur(layer.picture, (0, 0), 1.7), (width, height)), dst=area)


def _side_folds(dark: Pen, look: Look, side: int) -> None:
    """From nose to mouth, under the eye, above it, beside the bridge of the nose, and at the corner of the mouth."""
    corner: Point = (look.mouth_half, MOUTH - look.corners)
    bend = (side * (14 + corner[0] / 2 + 6 + 3 * look.cheeks), (NOSE + corner[1]) / 2 - 5)
    dark.line(_curve((side * 22, NOSE), bend, (side * (corner[0] + 13), corner[1] + 1)), _depth(75 * look.fold), 2)
    dark.line(_curve((side * 30, 15), (side * 47, 21), (side * 66, 15)), _depth(50 * look.bags), 2)
    lid = -15 - 0.3 * look.brow_mid
    dark.line(_curve((side * 26, -10), (side * 47, lid), (side * 70, -8)), _depth(50), 3)
    glabella = side * 7
    dark.line([(glabella, -14), (0.8 * glabella, -33)], _depth(85 * look.furrow), 2)
    dark.line([(side * (corner[0] + 3), corner[1])] * 2, _depth(60), 4)


def _depth(strength: float) -> Color:
    return tuple(strength * share for share in SHADE)


def _eye(pen: Pen, look: Look, side: int) -> None:
    """The ball, seen through the opening between the lids, then the lids' edges."""
    inner, outer = (side * (EYE_DX - 22), 3.0), (side * (EYE_DX + 23), -1.0)
    upper = _curve(inner, (side * EYE_DX, -look.lid_up), outer)
    lower = _curve(inner, (side * (EYE_DX + 1), look.lid_low), outer)
    left = min(side * (EYE_DX - 27), side * (EYE_DX + 28))
    tile = pen.cut((left, -24), (left + 55, 22))
    ball = tile.copy()
    ball.picture[:] = SCLERA
    iris = (side * EYE_DX, 0.5 + look.gaze)
    for radius, color in ((11.0, IRIS_RIM), (9.6, IRIS), (4.8, PUPIL)):
        ball.disc(iris, radius, color)
    ball.disc((iris[0] - 3.4, iris[1] - 3.6), 2.1, GLINT)
    shadow, opening = tile.copy(), tile.copy()
    shadow.picture[:] = opening.picture[:] = 0
    shadow.line(upper, LID_SHADOW, 7)
    opening.fill(np.concatenate([upper, lower[::-1]]), (255, 255, 255))
    cv2.copyTo(cv2.subtract(ball.picture, shadow.picture), opening.picture, tile.picture)
    pen.line(upper, LASHES, 3)
    pen.line(lower, LOWER_LID, 1)
    pen.line(upper - np.asarray((0, 6.5 - 0.15 * look.lid_up)), CREASE, 1)


def _brow(pen: Pen, look: Look, side: int) -> None:
    """Thick at the inner end, thin at the tail; skin shines through."""
    inner = (side * (22 - look.brow_pinch), -25 - look.brow_in)
    tail = (side * 80, -22 - look.brow_out)
    middle = _curve(inner, (side * 52, -33 - look.brow_mid), tail)
    thick = np.stack([np.zeros(len(middle)), np.linspace(5.2, 1.4, len(middle))], axis=1)
    thick[0] *= 0.75
    left = min(side * 4, side * 88)
    tile = pen.cut((left, -68), (left + 84, -2))
    hair = tile.copy()
    hair.fill(np.concatenate([middle - thick, (middle + thick)[::-1]]), BROW)
    cv2.addWeighted(hair.picture, BROW_COVER, tile.picture, 1 - BROW_COVER, 0, dst=tile.picture)


def _mouth(pen: Pen, look: Look) -> None:
    """Two lips around a line or an opening."""
    t = np.linspace(-1, 1, 25)
    x = look.mouth_half * t
    corner = MOUTH - look.corners
    swell = 1 - t**2
    upper = corner + (MOUTH - look.upper - corner) * swell
    lower = np.maximum(corner + (MOUTH + look.lower - corner) * swell, upper + 0.4)
    bow = look.lip * (8.0 * swell**0.75 - 2.2 * np.exp(-((t / 0.16) ** 2)))
    full = look.lip * 10.5 * swell**0.8
    pen.fill(_between(x, upper - bow, upper), UPPER_LIP)
    pen.fill(_between(x, lower, lower + full), LOWER_LIP)
    pen.line(np.stack([x, lower + full], axis=1)[5:-5], LIP_EDGE, 1)
    pen.line(np.stack([x, lower + 0.45 * full], axis=1)[7:-8], LIP_SHINE, 2)
    if float((lower - upper).max()) > OPEN_PX:
        _opening(pen, look, x, upper, lower)
    else:
        pen.line(np.stack([x, (upper + lower) / 2], axis=1), LIP_LINE, 2)


OPEN_PX = 1.5
"""Lips closer than this are closed."""


def _between(x: Curve, above: Curve, below: Curve) -> Curve:
    return np.concatenate([np.stack([x, above], axis=1), np.stack([x, below], axis=1)[::-1]])


def _opening(pen: Pen, look: Look, x: Curve, upper: Curve, lower: Curve) -> None:
    """Dark, with the tongue, and teeth where there are any."""
    gap = lower - upper
    pen.fill(_between(x, upper, lower), CAVITY)
    pen.fill(_between(x * 0.9, lower - 0.42 * gap, lower - 1)[5:-5], TONGUE)
    if look.teeth > 0:
        pen.fill(_between(x, upper + 0.5, upper + look.teeth * gap)[2:-2], TEETH)
    if look.low_teeth > 0:
        pen.fill(_between(x, lower - look.low_teeth * gap, lower - 0.5)[3:-3], TEETH)
    pen.line(np.stack([x, upper], axis=1), LIP_LINE, 1)
    pen.line(np.stack([x, lower], axis=1), LIP_LINE, 1)
