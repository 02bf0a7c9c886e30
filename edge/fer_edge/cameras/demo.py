"""The built-in `demo` source: a drawn face whose expression follows a known timeline. Needs no file and no network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from fer_edge.cameras import portrait
from fer_edge.cameras.features import BOTTOM, LEFT, RIGHT, TOP, Look, draw
from fer_edge.cameras.pace import Pace
from fer_edge.cameras.source import Source
from fer_edge.clock import Clock
from fer_edge.types import Frame, Image

WIDTH_PX, HEIGHT_PX, FPS = 640, 480, 15.0

NOISE_SIGMA = 2.0
"""Standard deviation of the sensor's noise, in steps of 8 bits."""
NOISE_SPARE_PX = 64
"""By how much the sheet of noise is larger than a frame; every frame takes another piece of it."""

MORPH_S = 0.8
"""Seconds from one expression to the next."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An expression and for how many seconds it is held, before the face moves on to the next one."""

    label: str
    seconds: float


TIMELINE = (
    Moment("neutral", 4.0),
    Moment("happy", 4.0),
    Moment("surprise", 4.0),
    Moment("angry", 4.0),
    Moment("sad", 4.0),
)
"""What the face shows, over and over; after each moment it takes `MORPH_S` to change."""

CYCLE_S = sum(moment.seconds + MORPH_S for moment in TIMELINE)

LOOKS = {
    "neutral": Look(),
    "happy": Look(
        brow_mid=2,
        lid_up=8,
        lid_low=4,
        bags=0.5,
        cheeks=1,
        fold=0.9,
        mouth_half=44,
        corners=14,
        upper=-2,
        lower=14,
        teeth=0.8,
    ),
    "surprise": Look(
        brow_in=14,
        brow_mid=16,
        brow_out=12,
        lid_up=15,
        lid_low=9,
        forehead=0.8,
        mouth_half=24,
        upper=12,
        lower=26,
        lip=0.9,
    ),
    "angry": Look(
        brow_in=-15,
        brow_mid=-8,
        brow_out=10,
        brow_pinch=1,
        lid_up=11,
        lid_low=2.7,
        gaze=0.5,
        mouth_half=30,
        corners=-11.5,
        upper=7.2,
        lower=11.5,
        lip=1.15,
        teeth=0.42,
        low_teeth=0.33,
        fold=0.5,
        furrow=1.3,
        forehead=1.1,
        bags=1,
        cheeks=0.2,
        chin=0.9,
    ),
    "sad": Look(
        brow_in=7,
        brow_mid=-6.7,
        brow_out=3.3,
        brow_pinch=4.3,
        lid_up=4.5,
        lid_low=7.4,
        gaze=0.8,
        mouth_half=42,
        corners=-8.2,
        upper=-3.9,
        lower=0.2,
        lip=0.73,
        fold=1.1,
        forehead=0.2,
        bags=0.1,
        cheeks=0.6,
        chin=0.2,
    ),
}
"""One face per label of the timeline, found by searching for what a classifier of FER2013 reads with confidence."""


def expected_label(t_s: float) -> str | None:
    """What the face shows at this time of the source (`Frame.captured_s`), None while it changes."""
    moment, _, share = _state(t_s)
    return moment.label if share == 0 else None


def look_at(t_s: float) -> Look:
    """The face at this time of the source."""
    moment, following, share = _state(t_s)
    eased = share * share * (3 - 2 * share)
    return LOOKS[moment.label].towards(LOOKS[following.label], eased)


def _state(t_s: float) -> tuple[Moment, Moment, float]:
    """The moment, the one after it, and the share of the way to it, 0 to 1."""
    left_s = t_s % CYCLE_S
    for moment, following in zip(TIMELINE, TIMELINE[1:] + TIMELINE[:1], strict=True):
        if left_s < moment.seconds:
            return moment, following, 0.0
        if left_s < moment.seconds + MORPH_S:
            return moment, following, (left_s - moment.seconds) / MORPH_S
        left_s -= moment.seconds + MORPH_S
    return TIMELINE[0], TIMELINE[1], 0.0  # rounding, at the very end of the cycle


class DemoCamera(Source):
    """Endless. Frame `n` is the same picture in every run; `captured_s` is n / FPS."""

    live = False
    name = "demo"
    fps = FPS

    def __init__(self, clock: Clock, *, pace: bool = False, seed: int = 0) -> None:
        self._clock = clock
        self._pace = Pace(clock, pace)
        self._seq = 0
        self._canvas = portrait.scene().copy()
        self._drawn: Look | None = None
        self._brighter, self._darker = _noise(seed)

    def read(self, timeout_s: float) -> Frame:  # noqa: ARG002 - it never has to be waited for
        """The next frame; there is always one."""
        seq = self._seq
        self._seq += 1
        image = self.render(seq)
        self._pace.wait(seq / FPS)
        return Frame(image, seq / FPS, self._clock.wall(), seq)

    def render(self, number: int) -> Image:
        """Frame `number`, uint8 (HEIGHT_PX, WIDTH_PX, 3), blue-green-red."""
        t_s = number / FPS
        self._draw(look_at(t_s))
        image = np.asarray(
            cv2.warpAffine(
                self._canvas, _view(t_s), (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            ),
            dtype=np.uint8,
        )
        down, right = number * 37 % NOISE_SPARE_PX, number * 23 % NOISE_SPARE_PX
        piece = np.s_[down : down + HEIGHT_PX, right : right + WIDTH_PX]
        cv2.add(image, self._brighter[piece], dst=image)
        cv2.subtract(image, self._darker[piece], dst=image)
        return image

    def _draw(self, look: Look) -> None:
        """Bring the canvas up to date; a held look is drawn once."""
        if look != self._drawn:
            self._canvas[TOP:BOTTOM, LEFT:RIGHT] = portrait.scene()[TOP:BOTTOM, LEFT:RIGHT]
            draw(self._canvas, look)
            self._drawn = look

    def close(self) -> None:
        """Nothing to release; may be called twice."""


def _view(t_s: float) -> np.ndarray:
    """Where the frame lies in the scene: the hand that holds the camera is never quite still."""

    def sway(period_s: float, phase: float) -> float:
        return math.sin(2 * math.pi * t_s / period_s + phase)

    matrix = cv2.getRotationMatrix2D(
        (portrait.CENTER_X, portrait.EYE_Y), 2.5 * sway(9.7, 0.3), 1.0 + 0.05 * sway(12.1, 1.0)
    )
    matrix[0, 2] += WIDTH_PX / 2 - portrait.CENTER_X + 16 * sway(7.3, 0.0)
    matrix[1, 2] += HEIGHT_PX * 0.44 - portrait.EYE_Y + 6 * sway(5.3, 2.0)
    return np.asarray(matrix)


def _noise(seed: int) -> tuple[Image, Image]:
    """What is added and what is taken off, two sheets of uint8."""
    shape = (HEIGHT_PX + NOISE_SPARE_PX, WIDTH_PX + NOISE_SPARE_PX, 3)
    noise = np.random.default_rng(seed).normal(0.0, NOISE_SIGMA, shape).astype(np.float32)
    noise = np.rint(noise)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)
