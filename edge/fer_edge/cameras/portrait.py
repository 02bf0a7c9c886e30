"""The part of the `demo` picture that never changes: wall, shoulders, hair, and a shaded face without its features.

The face is a relief, a sum of smooth bumps over an ellipsoid, lit by one lamp; nothing is taken from any photograph.
Coordinates are pixels of the scene, x to the right and y down; the face is upright and `CENTER_X` is its middle.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Image

Field = NDArray[np.floating[Any]]

SCENE_WIDTH_PX, SCENE_HEIGHT_PX = 800, 600
"""Larger than a frame, so that the frame can move over it."""
CENTER_X = 400
EYE_Y, EYE_DX = 270, 48
MOUTH_Y = EYE_Y + 100
CHIN_Y = EYE_Y + 162

SKIN = (138.0, 170.0, 222.0)
HAIR = (30.0, 40.0, 58.0)
SHIRT = (104.0, 84.0, 62.0)
WALL = (172.0, 168.0, 158.0)
"""Blue, green, red of the surfaces in full light."""

LAMP = (-0.42, -0.50, 0.76)
AMBIENT, DIFFUSE, SPECULAR = 0.46, 0.66, 0.13

BUMPS: tuple[tuple[float, float, float, float, float], ...] = (
    # right, down, height, spread across, spread down; mirrored when right is not 0
    (0, 36, 13.0, 9.5, 30.0),  # bridge of the nose
    (0, 57, 17.0, 12.0, 12.0),  # its tip
    (16, 65, 8.0, 8.0, 8.0),  # its wings
    (48, -2, -11.0, 25.0, 15.0),  # eye sockets
    (20, -2, -7.0, 9.0, 14.0),  # and their inner corners
    (46, -26, 3.5, 28.0, 9.0),  # brow ridges
    (62, 44, 8.0, 24.0, 22.0),  # cheekbones
    (38, 92, -4.0, 16.0, 22.0),  # hollow beside the mouth
    (0, 84, -2.5, 5.0, 9.0),  # groove under the nose
    (0, 101, 7.0, 30.0, 15.0),  # mouth
    (0, 126, -5.0, 24.0, 7.0),  # dip under it
    (0, 146, 9.0, 22.0, 14.0),  # chin
    (0, -70, 5.0, 60.0, 30.0),  # forehead
)


@functools.cache
def scene() -> Image:
    """The whole static picture, uint8 (SCENE_HEIGHT_PX, SCENE_WIDTH_PX, 3), blue-green-red; made once, read-only."""
    x, y = _grid()
    skin, shirt, hair = _skin(x, y), _shirt(x, y), _hair(x, y)
    picture = _wall(x, y)
    picture = _over(picture, shirt, _body(x, y))
    picture = _over(picture, hair * 0.8, _soft(1.0 - np.hypot(x / 114, (y + 8) / 146), 0.012) * _step(140 - y, 30))
    picture = _over(picture, skin * 0.72, _neck(x, y))
    picture = _over(picture, shirt * 0.92, _collar(x, y))
    picture = _over(picture, skin * 0.82, _ears(x, y))
    picture = _over(picture, skin, _soft(_outline(x, y), 0.016))
    picture = _over(picture, hair, _fringe(x, y))
    found = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    found.flags.writeable = False
    return found


def _grid() -> tuple[Field, Field]:
    """Pixels right of the middle of the face and below the eyes."""
    y, x = np.mgrid[0:SCENE_HEIGHT_PX, 0:SCENE_WIDTH_PX].astype(np.float32)
    return x - CENTER_X, y - EYE_Y


def _over(below: Field, above: Field, cover: Field) -> Field:
    return np.asarray(below + (above - below) * cover[..., np.newaxis], dtype=np.float32)


def _soft(inside: Field, width: float) -> Field:
    """0 to 1 where `inside` goes from -width to +width."""
    return np.asarray(np.clip(inside / (2 * width) + 0.5, 0, 1), dtype=np.float32)


def _step(distance: Field, width: float) -> Field:
    return _soft(distance, width / 2)


def _outline(x: Field, y: Field) -> Field:
    """1 in the middle of the face, 0 on its outline, negative outside."""
    along = np.where(y < 0, -y / 128, y / 163)
    return np.asarray(1 - (np.abs(x) / 104) ** 2.2 - along**2.2, dtype=np.float32)


def _relief(x: Field, y: Field) -> Field:
    height = 92 * np.sqrt(np.clip(_outline(x, y), 0.02, None))
    for right, down, tall, across, along in BUMPS:
        for side in (-1, 1) if right else (1,):
            height = height + tall * np.exp(-(((x - side * right) / across) ** 2) / 2 - ((y - down) / along) ** 2 / 2)
    return np.asarray(cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.6), dtype=np.float32)


def _skin(x: Field, y: Field) -> Field:
    """Lambert's law on the relief, a little shine, warmer cheeks and nose, nostrils, and pores."""
    down, right = np.gradient(_relief(x, y))
    length = np.sqrt(right**2 + down**2 + 1)
    lamp = np.asarray(LAMP, dtype=np.float32) / np.linalg.norm(LAMP)
    half = lamp + np.asarray((0, 0, 1))
    half = half / np.linalg.norm(half)
    facing = np.clip((-right * lamp[0] - down * lamp[1] + lamp[2]) / length, 0, 1)
    shine = np.clip((-right * half[0] - down * half[1] + half[2]) / length, 0, 1) ** 26
    flush = _spot(np.abs(x) - 58, y - 50, 24, 20) + 0.7 * _spot(x, y - 58, 14, 12)
    nostrils = _spot(np.abs(x) - 9, y - 70 + 0.12 * np.abs(x), 5, 2.6)
    light = (AMBIENT + DIFFUSE * facing) * (1 - 0.05 * _spot(x, y - 122, 62, 44) - 0.62 * nostrils)
    blue, green, red = (channel * light for channel in SKIN)
    color = np.stack([blue * (1 - 0.10 * flush), green * (1 - 0.08 * flush), red], axis=-1)
    grain = 255 * SPECULAR * shine + 1.6 * _noise(5, 0.9) + 2.0 * _noise(6, 7.0)
    return np.asarray(color + grain[..., np.newaxis], dtype=np.float32)


def _spot(x: Field, y: Field, across: float, along: float) -> Field:
    """1 in the middle, falling off as a bell curve."""
    return np.asarray(np.exp(-((x / across) ** 2) - (y / along) ** 2), dtype=np.float32)


def _noise(seed: int, blur: float, stretch: float = 1.0) -> Field:
    """Smooth noise of mean 0 and standard deviation 1; coarse noise is made small and enlarged."""
    factor = max(1, round(blur / 2))
    shape = (SCENE_HEIGHT_PX // factor, SCENE_WIDTH_PX // factor)
    raw = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    raw = np.asarray(cv2.GaussianBlur(raw, (0, 0), sigmaX=blur / factor, sigmaY=blur * stretch / factor))
    if factor > 1:
        raw = np.asarray(cv2.resize(raw, (SCENE_WIDTH_PX, SCENE_HEIGHT_PX), interpolation=cv2.INTER_CUBIC))
    return np.asarray(raw / raw.std(), dtype=np.float32)


def _hair(x: Field, y: Field) -> Field:
    """Strands that fan out from the parting, with a band of shine around the crown."""
    angle, reach = np.arctan2(y + 158, x - 26), np.hypot(x - 26, y + 158)
    strands = cv2.remap(
        _noise(7, 1.0, 5.0),
        np.asarray((angle + np.pi) * 400 % SCENE_WIDTH_PX, dtype=np.float32),
        np.asarray(reach % SCENE_HEIGHT_PX, dtype=np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    band = np.hypot((x + 34) / 1.1, y + 40) - 74
    light = (
        0.85 + 0.18 * np.asarray(strands) + 0.7 * np.exp(-((band / 17) ** 2)) + 0.25 * np.exp(-(((x + 40) / 60) ** 2))
    )
    return np.asarray(np.stack([channel * np.clip(light, 0.35, 3) for channel in HAIR], axis=-1), dtype=np.float32)


def _fringe(x: Field, y: Field) -> Field:
    """Hair in front: above a hairline, and down to the ears at the sides."""
    wave = _noise(8, 3.0)
    head = _soft(1.0 - np.hypot(x / 114, (y + 14) / 146) + 0.008 * wave, 0.016)
    hairline = -92 + 16 * (np.abs(x - 20) / 60) ** 2.2 + 3.0 * wave
    temple = np.abs(x) - (98 - 6 * np.clip((y + 60) / 60, 0, 1)) + 1.8 * wave
    side = _step(temple, 6) * _step(14 - y, 18)
    return np.asarray(head * np.maximum(_step(hairline - y, 8), side), dtype=np.float32)


def _ears(x: Field, y: Field) -> Field:
    return _soft(1 - np.hypot((np.abs(x) - 102) / 12, (y - 16) / 30), 0.06)


def _neck(x: Field, y: Field) -> Field:
    return _step(58 + np.clip(y - 190, 0, 80) * 0.35 - np.abs(x), 4) * _step(y - 60, 8)


def _body(x: Field, y: Field) -> Field:
    shoulder = 196 + 62 * (np.abs(x) / 205) ** 1.7
    return _step(y - shoulder, 4)


def _collar(x: Field, y: Field) -> Field:
    return _step(y - (206 + 46 * np.sqrt(np.clip(1 - (x / 74) ** 2, 0, 1))), 3) * _body(x, y)


def _shirt(x: Field, y: Field) -> Field:
    light = 0.85 - 0.28 * x / 300 + 0.05 * _noise(9, 12.0) + 0.025 * _noise(10, 1.0)
    seam = np.abs(y - (206 + 46 * np.sqrt(np.clip(1 - (x / 74) ** 2, 0, 1))) - 9)
    light = light - 0.22 * np.exp(-((seam / 2.2) ** 2)) * (np.abs(x) < 76)
    return np.asarray(np.stack([channel * light for channel in SHIRT], axis=-1), dtype=np.float32)


def _wall(x: Field, y: Field) -> Field:
    """Out of focus: a bright side, a dark shelf, a lamp's glow."""
    light = 0.80 - 0.0007 * x - 0.0006 * y
    shelf = _step(x - 190, 40) * _step(y + 40, 60) * 0.26
    glow = 0.24 * np.exp(-(((x + 270) / 120) ** 2) - ((y + 120) / 140) ** 2)
    tone = light - shelf + glow + 0.012 * _noise(11, 16.0)
    color = np.stack([channel * tone for channel in WALL], axis=-1)
    color[..., 0] *= 1 - 0.25 * glow
    color[..., 2] *= 1 + 0.2 * shelf
    return np.asarray(color, dtype=np.float32)
