"""Random changes to training crops, as cameras and detectors make them; every draw comes from a seeded generator."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Image
from fer_train.recipe import Augmentation

BORDERS = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101, "black": cv2.BORDER_CONSTANT}
HUE_STEPS = 180
"""OpenCV's 8-bit hue goes once around the colour circle in so many steps."""


def augment(images: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Change every picture of a batch on its own.

    images: uint8 (N, S, S) or (N, S, S, 3), 0-255; returns the same shape and dtype, newly allocated.
    """
    return np.stack([_one(image, options, rng) for image in images])


def mix(
    tensors: NDArray[np.float32], targets: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mixup (Zhang et al. 2018): blend each sample and its one-hot target with another of the batch.

    tensors: float32 (N, ...), targets: float32 (N, classes). One weight per batch, drawn from Beta(alpha, alpha).
    """
    if alpha <= 0.0:
        return tensors, targets
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(len(tensors))
    rest = np.float32(1.0) - share
    return share * tensors + rest * tensors[other], share * targets + rest * targets[other]


def _one(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    out = _affine(image, options, rng)
    if rng.random() < options.blur:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), sigmaX=rng.uniform(0.4, 1.1)), dtype=np.uint8)
    if rng.random() < options.lowres:
        out = _lower_resolution(out, rng)
    out = _recolour(_photometric(out, options, rng), options, rng)
    if rng.random() < options.erase:
        out = _erase(out, rng)
    return out


def _affine(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Rotation, zoom, shift and flip as one resampling, so that the picture blurs only once."""
    side = image.shape[0]
    angle = rng.uniform(-options.rotate_deg, options.rotate_deg)
    zoom = 1.0 + rng.uniform(-options.zoom, options.zoom)
    shift = rng.uniform(-options.shift, options.shift, size=2) * side
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, zoom)
    matrix[:, 2] += shift
    if rng.random() < options.flip:
        mirror = np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix = matrix @ mirror
    warped = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=BORDERS[options.fill])
    return np.asarray(warped, dtype=np.uint8)


def _lower_resolution(image: Image, rng: np.random.Generator) -> Image:
    """A face that was smaller in the camera's picture than the model's input."""
    side = image.shape[0]
    small = max(4, round(side * rng.uniform(0.45, 0.9)))
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _photometric(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    gain = 1.0 + rng.uniform(-options.contrast, options.contrast)
    offset = 255.0 * rng.uniform(-options.brightness, options.brightness)
    if gain == 1.0 and offset == 0.0:
        return image
    table = np.clip((np.arange(256) - 128.0) * gain + 128.0 + offset, 0, 255).astype(np.uint8)
    return np.asarray(table[image], dtype=np.uint8)


def _recolour(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Saturation and hue of a colour picture; which of its ends is red does not matter for a symmetric range."""
    saturation = 1.0 + rng.uniform(-options.saturation, options.saturation)
    hue = HUE_STEPS * rng.uniform(-options.hue, options.hue)
    if image.ndim == 2 or (saturation == 1.0 and hue == 0.0):
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + hue) % HUE_STEPS
    hsv[..., 1] = np.clip(hsv[..., 1] * saturation, 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), dtype=np.uint8)


def _erase(image: Image, rng: np.random.Generator) -> Image:
    """Random erasing (Zhong et al. 2020) with noise: a hand, a cup, a scarf."""
    side = image.shape[0]
    height, width = (rng.uniform(0.15, 0.4, size=2) * side).astype(int)
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    out: Image = image.copy()
    patch = out[top : top + height, left : left + width]
    out[top : top + height, left : left + width] = rng.integers(0, 256, size=patch.shape, dtype=np.uint8)
    return out
