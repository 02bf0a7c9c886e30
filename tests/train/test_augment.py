"""Random changes to pictures: drawn from a seed, of the right kind, none when all are off."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.labels import FER2013
from fer_edge.types import Image
from fer_train.augment import augment, mix
from fer_train.recipe import Augmentation
from support.shapes import shape

STRONG = Augmentation(
    flip=0.5, rotate_deg=15, shift=0.1, zoom=0.1, brightness=0.2, contrast=0.3, erase=0.5, blur=0.5, lowres=0.5
)


@pytest.fixture
def pictures() -> Image:
    """One drawing per label, uint8 (7, 48, 48)."""
    return np.stack([shape(label) for label in FER2013])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_same_seed_makes_the_same_changes(pictures: Image) -> None:
    assert np.array_equal(augment(pictures, STRONG, rng(3)), augment(pictures, STRONG, rng(3)))


def test_another_seed_makes_other_changes(pictures: Image) -> None:
    assert not np.array_equal(augment(pictures, STRONG, rng(3)), augment(pictures, STRONG, rng(4)))


def test_with_all_off_pictures_stay_as_they_are(pictures: Image) -> None:
    assert np.array_equal(augment(pictures, Augmentation(), rng()), pictures)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_shape_and_dtype_stay(pictures: Image, channels: tuple[int, ...]) -> None:
    given = pictures if not channels else np.repeat(pictures[..., None], 3, axis=-1)
    made = augment(given, STRONG, rng())
    assert (made.shape, made.dtype.name) == (given.shape, "uint8")


def test_the_pictures_given_are_not_written_to(pictures: Image) -> None:
    before = pictures.copy()
    augment(pictures, STRONG, rng())
    assert np.array_equal(pictures, before)


def test_flip_with_certainty_is_the_mirror_image(pictures: Image) -> None:
    assert np.array_equal(augment(pictures, Augmentation(flip=1.0), rng()), pictures[:, :, ::-1])


def test_every_picture_of_a_batch_is_changed_on_its_own(pictures: Image) -> None:
    same = np.repeat(pictures[:1], 4, axis=0)
    made = augment(same, Augmentation(rotate_deg=15), rng())
    assert len({picture.tobytes() for picture in made}) == 4


def test_brightness_moves_all_pixels_by_the_same_amount() -> None:
    flat = np.full((1, 8, 8), 100, dtype=np.uint8)
    levels = {int(augment(flat, Augmentation(brightness=0.2), rng(seed))[0, 0, 0]) for seed in range(40)}
    assert min(levels) >= 100 - 51
    assert max(levels) <= 100 + 51
    assert len(levels) > 10


def test_erasing_changes_one_rectangle_and_nothing_else() -> None:
    flat = np.full((1, 48, 48), 100, dtype=np.uint8)
    rows, columns = np.nonzero(augment(flat, Augmentation(erase=1.0), rng(1))[0] != 100)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert 0.1 * 48 <= min(height, width) <= max(height, width) <= 0.4 * 48


def test_mixup_blends_pictures_and_targets_with_one_weight() -> None:
    tensors = np.eye(4, dtype=np.float32)
    mixed, targets = mix(tensors, tensors.copy(), alpha=0.4, rng=rng(5))
    assert np.array_equal(mixed, targets)
    assert targets.sum(axis=1) == pytest.approx(np.ones(4))
    assert 0.0 < mixed.diagonal().min() < 1.0


def test_mixup_that_is_off_changes_nothing() -> None:
    tensors, targets = np.ones((2, 3), dtype=np.float32), np.eye(2, dtype=np.float32)
    mixed, blended = mix(tensors, targets, alpha=0.0, rng=rng())
    assert mixed is tensors
    assert blended is targets
