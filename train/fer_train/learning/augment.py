"""Random changes to training crops, as cameras and detectors make them; every draw comes from a seeded generator.

A change that is off may still take its draws, and one that came later takes none unless it is on: so a recipe sees the
same pictures under every version.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Image
from fer_train.recipe import Augmentation

BORDERS = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101, "black": cv2.BORDER_CONSTANT}
HUE_STEPS = 180
"""OpenCV's 8-bit hue goes once around the colour circle in so many steps."""
LEVELS = np.arange(256, dtype=np.float64)

Tensor = NDArray[np.float32]


def augment(images: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Change every picture of a batch on its own.

    images: uint8 (N, S, S) or (N, S, S, 3), 0-255; returns the same shape and dtype, newly allocated.
    """
    out = np.empty_like(images)
    for i, image in enumerate(images):
        out[i] = _one(image, options, rng)
    return out


def mix(
    tensors: Tensor, targets: Tensor, options: Augmentation, rng: np.random.Generator, layout: str = "NHWC"
) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix, whichever is on; with both on, each batch takes one of them by a coin's throw.

    tensors: float32 (N, ...) in this layout, targets: float32 (N, classes). A batch has one share for all its samples.
    """
    cut = options.cutmix > 0.0 and (options.mixup <= 0.0 or rng.random() < 0.5)
    if cut:
        return _cutmix(tensors, targets, options.cutmix, rng, layout)
    return _mixup(tensors, targets, options.mixup, rng)


def _mixup(tensors: Tensor, targets: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Zhang et al. 2018: blend each sample and target with another of the batch, by a share from Beta(alpha, alpha)."""
    if alpha <= 0.0:
        return tensors, targets
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(len(tensors))
    rest = np.float32(1.0) - share
    return share * tensors + rest * tensors[other], share * targets + rest * targets[other]


def _cutmix(
    tensors: Tensor, targets: Tensor, alpha: float, rng: np.random.Generator, layout: str
) -> tuple[Tensor, Tensor]:
    """Yun et al. 2019: a rectangle of another sample takes its place, and the same part of the target.

    The rectangle's area is drawn from Beta(alpha, alpha) and its centre from the whole picture; what lies beyond the
    edge does not count.
    """
    height, width = tensors.shape[1:3] if layout == "NHWC" else tensors.shape[2:4]
    side = math.sqrt(1.0 - rng.beta(alpha, alpha))
    top, bottom = _span(height, side, rng)
    left, right = _span(width, side, rng)
    other = rng.permutation(len(tensors))
    window = np.s_[:, top:bottom, left:right] if layout == "NHWC" else np.s_[:, :, top:bottom, left:right]
    mixed = tensors.copy()
    mixed[window] = tensors[other][window]
    rest = np.float32((bottom - top) * (right - left) / (height * width))
    return mixed, (np.float32(1.0) - rest) * targets + rest * targets[other]


def _span(length: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """Beginning and end of a stretch of `share` of a length, around a centre anywhere, as far as it lies inside."""
    centre, half = int(rng.integers(0, length)), round(length * share) / 2
    return max(0, round(centre - half)), min(length, round(centre + half))


def _within(limit: float, rng: np.random.Generator) -> float:
    """Uniform from -limit to limit: what `rng.uniform` gives, ten times as fast."""
    return -limit + 2.0 * limit * rng.random()


def _one(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    out = _affine(image, options, rng)
    if rng.random() < options.blur:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), sigmaX=rng.uniform(0.4, 1.1)), dtype=np.uint8)
    if rng.random() < options.lowres:
        out = _lower_resolution(out, rng)
    out = _photometric(out, options, rng)
    if options.saturation or options.hue:
        out = _recolour(out, options, rng)
    if rng.random() < options.erase:
        out = _erase(out, rng)
    return out


def _affine(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Rotation, zoom, shear, shift and flip as one resampling, so that the picture blurs only once."""
    side = image.shape[0]
    centre = (side - 1) / 2
    angle = _within(options.rotate_deg, rng)
    zoom = 1.0 + _within(options.zoom, rng)
    shift = _within(options.shift, rng) * side, _within(options.shift, rng) * side
    flip = rng.random() < options.flip
    shear = math.tan(math.radians(_within(options.shear_deg, rng))) if options.shear_deg else 0.0
    if (angle, zoom, shift, shear) == (0.0, 1.0, (0.0, 0.0), 0.0):
        return np.asarray(cv2.flip(image, 1), dtype=np.uint8) if flip else image
    matrix = cv2.getRotationMatrix2D((centre, centre), angle, zoom)
    matrix[:, 2] += shift
    if shear:
        matrix = matrix @ np.array([[1.0, shear, -shear * centre], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    if flip:
        matrix = matrix @ np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    warped = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=BORDERS[options.fill])
    return np.asarray(warped, dtype=np.uint8)


def _lower_resolution(image: Image, rng: np.random.Generator) -> Image:
    """A face that was smaller in the camera's picture than the model's input."""
    side = image.shape[0]
    small = max(4, round(side * rng.uniform(0.45, 0.9)))
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _photometric(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Contrast around the middle grey, then brightness."""
    gain = 1.0 + _within(options.contrast, rng)
    offset = 255.0 * _within(options.brightness, rng)
    if gain == 1.0 and offset == 0.0:
        return image
    table = ((LEVELS - 128.0) * gain + 128.0 + offset).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def _recolour(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Saturation and hue of a colour picture.

    Which of its ends is red only turns the sense of the colour circle, and the range is the same in either sense.
    """
    saturation = 1.0 + _within(options.saturation, rng)
    hue = HUE_STEPS * _within(options.hue, rng)
    if image.ndim == 2:
        return image
    turned = np.rint(LEVELS + hue) % HUE_STEPS
    table = np.stack([turned, np.rint(LEVELS * saturation).clip(0, 255), LEVELS], axis=-1)
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table.astype(np.uint8)[np.newaxis])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def _erase(image: Image, rng: np.random.Generator) -> Image:
    """Random erasing (Zhong et al. 2020) with noise: a hand, a cup, a scarf."""
    side = image.shape[0]
    height, width = (rng.uniform(0.15, 0.4, size=2) * side).astype(int)
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    out: Image = image.copy()
    patch = out[top : top + height, left : left + width]
    out[top : top + height, left : left + width] = rng.integers(0, 256, size=patch.shape, dtype=np.uint8)
    return out
