"""Random changes to pictures: drawn from a seed, of the right kind, none when all are off."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.labels import FER2013
from fer_edge.types import Image
from fer_train.learning.augment import augment, mix
from fer_train.recipe import Augmentation
from support.shapes import shape

STRONG = Augmentation(
    flip=0.5, rotate_deg=15, shift=0.1, zoom=0.1, brightness=0.2, contrast=0.3, erase=0.5, blur=0.5, lowres=0.5
)
NEXT_AFTER_STRONG = 0.11271699172286997
"""What seed 7 draws after the seven drawings, as the version drew that trained the first fernet-s."""


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


def test_changes_that_came_later_and_are_off_take_no_draws(pictures: Image) -> None:
    """A recipe without them sees the same pictures as before they existed: this is the number that followed then."""
    generator = rng(7)
    augment(pictures, STRONG, generator)
    assert generator.random() == NEXT_AFTER_STRONG


def test_shear_moves_rows_against_each_other_and_leaves_the_middle(pictures: Image) -> None:
    lines = np.zeros((1, 49, 49), dtype=np.uint8)
    lines[:, :, 24] = 255
    slopes = []
    for seed in range(20):
        made = augment(lines, Augmentation(shear_deg=30), rng(seed))[0].astype(float)
        places = (made * np.arange(49)).sum(axis=1) / made.sum(axis=1)
        assert places[24] == pytest.approx(24, abs=0.1)
        assert np.ptp(np.diff(places[5:-5])) < 0.2  # a straight line stays one
        slopes.append((places[44] - places[4]) / 40)
    assert max(abs(slope) for slope in slopes) <= np.tan(np.radians(30)) + 0.01
    assert min(slopes) < -0.2
    assert max(slopes) > 0.2


@pytest.mark.parametrize(("fill", "corner"), [("nearest", 200), ("reflect", 200), ("black", 0)])
def test_what_comes_in_from_beyond_the_edge(fill: str, corner: int) -> None:
    flat = np.full((1, 40, 40), 200, dtype=np.uint8)
    options = Augmentation.model_validate({"rotate_deg": 45.0, "fill": fill})
    assert min(int(augment(flat, options, rng(seed))[0, 0, 0]) for seed in range(8)) == corner


def test_hue_and_saturation_leave_greys_as_they_are(pictures: Image) -> None:
    grey = np.repeat(pictures[..., None], 3, axis=-1)
    assert np.array_equal(augment(grey, Augmentation(hue=0.5, saturation=1.0), rng()), grey)


def test_hue_turns_colours_and_keeps_their_brightness() -> None:
    red = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    red[..., 0] = 200
    found = {tuple(augment(red, Augmentation(hue=0.5), rng(seed))[0, 0, 0].tolist()) for seed in range(60)}
    assert {max(colour) for colour in found} == {200}
    assert {min(colour) for colour in found} == {0}
    assert {colour.index(200) for colour in found} == {0, 1, 2}  # all around the circle


def test_hue_means_the_same_for_either_order_of_colours() -> None:
    picture = rng(2).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    options = Augmentation(hue=0.2, saturation=0.3)

    class Negated:
        """Draws whose hue goes the other way around."""

        def __init__(self) -> None:
            self._real, self._count = rng(9), 0

        def random(self) -> float:
            self._count += 1
            drawn = float(self._real.random())
            return 1.0 - drawn if self._count == 11 else drawn  # the eleventh draw is the hue's

    as_rgb = augment(picture, options, rng(9))
    as_bgr = augment(picture[..., ::-1], options, Negated())[..., ::-1]  # type: ignore[arg-type] # draws as one
    assert np.abs(as_rgb.astype(int) - as_bgr.astype(int)).max() <= 10  # 180 steps of hue: 8.5 levels each


def test_saturation_moves_colours_towards_grey_or_away_from_it() -> None:
    colour = np.full((1, 2, 2, 3), (180, 120, 120), dtype=np.uint8)
    spreads = {int(np.ptp(augment(colour, Augmentation(saturation=0.5), rng(seed))[0, 0, 0])) for seed in range(40)}
    assert min(spreads) >= 29
    assert max(spreads) <= 91
    assert min(spreads) < 45
    assert max(spreads) > 75


TARGETS = np.eye(4, dtype=np.float32)


def test_mixup_blends_pictures_and_targets_with_one_weight() -> None:
    mixed, targets = mix(TARGETS, TARGETS.copy(), Augmentation(mixup=0.4), rng(5))
    assert np.array_equal(mixed, targets)
    assert targets.sum(axis=1) == pytest.approx(np.ones(4))
    assert 0.0 < mixed.diagonal().min() < 1.0


def test_mixing_that_is_off_changes_nothing() -> None:
    tensors, targets = np.ones((2, 3), dtype=np.float32), np.eye(2, dtype=np.float32)
    mixed, blended = mix(tensors, targets, Augmentation(), rng())
    assert mixed is tensors
    assert blended is targets


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_cutmix_takes_a_rectangle_of_another_and_that_share_of_its_target(layout: str) -> None:
    shape = (4, 20, 30, 2) if layout == "NHWC" else (4, 2, 20, 30)
    tensors = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1) * np.ones(shape, dtype=np.float32)
    shares = set()
    for seed in range(30):
        mixed, targets = mix(tensors, TARGETS, Augmentation(cutmix=1.0), rng(seed), layout)
        planes = mixed[..., 0] if layout == "NHWC" else mixed[:, 0]
        for i, plane in enumerate(planes):
            for j in range(4):
                assert targets[i, j] == pytest.approx((plane == j).mean(), abs=1e-6)
        rows, columns = np.nonzero(planes[0] != 0)
        if len(rows):
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)  # one whole rectangle
        shares.add(round(float(targets[0, 0]), 2))
    assert len(shares) > 10


def test_cutmix_does_not_write_to_what_it_is_given() -> None:
    tensors = np.arange(4 * 8 * 8, dtype=np.float32).reshape(4, 8, 8, 1)
    before = tensors.copy()
    mix(tensors, TARGETS, Augmentation(cutmix=1.0), rng(1))
    assert np.array_equal(tensors, before)


def test_with_both_kinds_of_mixing_a_batch_takes_one_of_them() -> None:
    tensors = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1) * np.ones((4, 16, 16, 1), dtype=np.float32)
    kinds = set()
    for seed in range(20):
        mixed, _ = mix(tensors, TARGETS, Augmentation(mixup=1.0, cutmix=1.0), rng(seed))
        kinds.add("cutmix" if set(np.unique(mixed)) <= {0.0, 1.0, 2.0, 3.0} else "mixup")
    assert kinds == {"cutmix", "mixup"}
