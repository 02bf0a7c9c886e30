"""What a camera does to a face, in five steps of a physical unit each: pure, and the same for the same seed."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.preprocess import central_square, cut
from fer_edge.types import Box, Image

SEVERITIES = (1, 2, 3, 4, 5)
SEED = 1
FACE_PX = 48
"""Blur is measured on a face of this side (FER2013's) and grows with larger ones: the same optics for any data set."""
GAMMA = 2.2
"""From light to pixel values: the power law near which sRGB lies (IEC 61966-2-1)."""
WELL_E = 8180.0
"""Electrons in a white pixel at gain 1: full well of the IMX477, the Raspberry Pi HQ camera's sensor.

Measured, as the read noise below is, on strollswithmydog.com ("Pi HQ Cam Sensor Performance").
"""
READ_NOISE_E = 3.0
"""Standard deviation in electrons at gain 1; at gain 16 the same sensor has half."""
STEPS_PER_PX = 8
"""Points along a path of motion; more change no pixel."""

Apply = Callable[[Image, float, np.random.Generator], Image]


@dataclass(frozen=True)
class Corruption:
    """One kind of damage.

    levels: of severity 1 to 5, in `unit`. apply: (picture, level, random numbers) to a new picture; pictures are uint8
    (H, W, 3) blue-green-red or (H, W) grey, and stay what they are. around: it needs what lies around the face and is
    given the whole picture, where the others are given the central square, which is the face.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Apply
    around: bool = False


def corrupt(picture: Image, corruption: Corruption, severity: int, seed: int) -> Image:
    """A square face, uint8 (S, S, 3) or (S, S) as the picture is, with one severity (1 to 5) of damage.

    seed: of the picture. Every severity draws the same numbers, so that a curve is about the level and not about luck.
    """
    rng = np.random.default_rng((SEED, zlib.crc32(corruption.name.encode()), seed))
    given = picture if corruption.around else cut(picture, central_square(picture))
    return corruption.apply(given, corruption.levels[severity - 1], rng)


def defocus(face: Image, sigma_px: float, _: np.random.Generator) -> Image:
    """A lens out of focus, as a Gaussian of `sigma_px` on a face of FACE_PX."""
    sigma = sigma_px * face.shape[0] / FACE_PX
    return _u8(cv2.GaussianBlur(face, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def motion(face: Image, length_px: float, rng: np.random.Generator) -> Image:
    """A face that moves straight on by `length_px` of a face of FACE_PX while the shutter is open, in any direction."""
    kernel = _path(length_px * face.shape[0] / FACE_PX, rng.uniform(0.0, math.pi))
    return _u8(cv2.filter2D(face, -1, kernel, borderType=cv2.BORDER_REPLICATE))


def noise(face: Image, gain: float, rng: np.random.Generator) -> Image:
    """As bright as before with `gain` times less light: shot noise and read noise, both amplified."""
    return _on_sensor(face, lambda plane: _exposed(plane, WELL_E / gain, WELL_E / gain, rng))


def low_light(face: Image, stops: float, rng: np.random.Generator) -> Image:
    """Exposed by so many stops too little, at gain 1: darker through the gamma curve, with the noise that it brings."""
    return _on_sensor(face, lambda plane: _exposed(plane, WELL_E / 2.0**stops, WELL_E, rng))


def jpeg(face: Image, quality: float, _: np.random.Generator) -> Image:
    """Compressed and read again, as from a USB camera or a stream."""
    data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return _u8(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))


def small_face(face: Image, side_px: float, _: np.random.Generator) -> Image:
    """A face far away: averaged down to `side_px`; a smaller one stays. What enlarges it is the device's own code."""
    side = int(side_px)
    if face.shape[0] <= side:
        return face
    return _u8(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA))


def box_jitter(picture: Image, share: float, rng: np.random.Generator) -> Image:
    """A detector's box that is off: moved by `share` of its side in any direction, and larger or smaller by as much.

    Beyond the picture's edge its border is repeated, by the device's own code.
    """
    square = central_square(picture)
    angle, grows = rng.uniform(0.0, 2 * math.pi), rng.random() < 0.5
    side = square.w * (1 + share if grows else 1 - share)
    x, y = square.center
    x, y = x + share * square.w * math.cos(angle), y + share * square.w * math.sin(angle)
    return np.ascontiguousarray(cut(picture, Box(x - side / 2, y - side / 2, side, side)))


ALL = (
    Corruption("blur", "sigma, px of a 48 px face", (0.5, 1.0, 1.5, 2.0, 3.0), defocus),
    Corruption("motion-blur", "path, px of a 48 px face", (2.0, 4.0, 6.0, 9.0, 12.0), motion),
    Corruption("noise", "gain in dim light", (8.0, 16.0, 32.0, 64.0, 128.0), noise),
    Corruption("low-light", "stops underexposed", (1.0, 2.0, 3.0, 4.0, 5.0), low_light),
    Corruption("jpeg", "JPEG quality", (70.0, 50.0, 30.0, 20.0, 10.0), jpeg),
    Corruption("small-face", "side of the face, px", (32.0, 24.0, 20.0, 16.0, 12.0), small_face),
    Corruption("box-jitter", "offset, share of the side", (0.05, 0.1, 0.15, 0.2, 0.3), box_jitter, around=True),
)
BY_NAME = {corruption.name: corruption for corruption in ALL}


def _path(length: float, angle: float) -> NDArray[np.float64]:
    """A straight line of `length` pixels as a kernel: its points, each shared among the four pixels around it."""
    half = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    along = np.linspace(-length / 2, length / 2, STEPS_PER_PX * math.ceil(length) + 1)
    for t in along:
        x, y = half + t * math.cos(angle), half + t * math.sin(angle)
        left, top = math.floor(x), math.floor(y)
        across, down = x - left, y - top
        share = np.outer((1 - down, down), (1 - across, across))
        kernel[top : top + 2, left : left + 2] += share
    kernel /= kernel.sum()
    return kernel


def _exposed(plane: Image, electrons: float, white: float, rng: np.random.Generator) -> Image:
    """Count electrons and develop them.

    electrons: that a pixel of value 255 collects; white: that become 255.
    """
    light = (np.arange(256) / 255.0) ** GAMMA
    counted = rng.poisson(electrons * light[plane]) + rng.normal(0.0, READ_NOISE_E, plane.shape)
    return np.rint(255.0 * np.clip(counted / white, 0.0, 1.0) ** (1.0 / GAMMA)).astype(np.uint8)


def _on_sensor(picture: Image, work: Callable[[Image], Image]) -> Image:
    """Work on what the sensor saw: a picture without colour has one plane, and stays without colour."""
    if picture.ndim == 2 or (picture != picture[..., :1]).any():
        return work(picture)
    return np.repeat(work(np.ascontiguousarray(picture[..., 0]))[..., np.newaxis], 3, axis=2)


def _u8(image: object) -> Image:
    """As an array of bytes: OpenCV 4 and 5 type their results differently."""
    return np.asarray(image, dtype=np.uint8)
