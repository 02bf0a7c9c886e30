"""Seven kinds of drawn pictures, one per FER2013 label, that the tiny models were trained to tell apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Image

SIDE_PX = 48


def shape(label: str, seed: int = 0) -> Image:
    """A grey picture, uint8 (48, 48), of the shape that stands for `label`: bright on dark with seeded noise.

    Drawn without OpenCV, so that it is the same under every version. Raises KeyError for an unknown label.
    """
    rng = np.random.default_rng(seed)
    ground, ink = rng.integers(20, 70), rng.integers(170, 250)
    clean = np.where(_mask(label, rng), ink, ground)
    return np.clip(np.rint(clean + rng.normal(0.0, 8.0, clean.shape)), 0, 255).astype(np.uint8)


def shape_bgr(label: str, seed: int = 0, scale: int = 1) -> Image:
    """The same as a camera would give it: uint8 (48 * scale, 48 * scale, 3), blue-green-red."""
    grey = shape(label, seed).repeat(scale, axis=0).repeat(scale, axis=1)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _mask(label: str, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where the ink is."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    phase = rng.integers(0, 8)
    center_x, center_y = rng.integers(20, 28, size=2)
    distance = np.hypot(x - center_x, y - center_y)
    masks: dict[str, NDArray[np.bool_]] = {
        "angry": (y + phase) % 8 < 4,  # level bars
        "disgust": (x + phase) % 8 < 4,  # upright bars
        "fear": distance < rng.integers(15, 20),  # a disc
        "happy": np.abs(distance - rng.integers(13, 17)) < 1.5,  # a ring
        "sad": (x - y + phase) % 11 < 4,  # falling stripes
        "surprise": (x + y + phase) % 11 < 4,  # rising stripes
        "neutral": np.ones((SIDE_PX, SIDE_PX), dtype=np.bool_),  # nothing but ink
    }
    return masks[label]
