"""What a camera does to a face: harsher with every step, the same for the same seed, and of the right kind."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_bench.accuracy.corruptions import (
    ALL,
    BY_NAME,
    SEVERITIES,
    WELL_E,
    Corruption,
    corrupt,
    defocus,
    jpeg,
    low_light,
    motion,
    noise,
    small_face,
)
from fer_edge.types import Image

RNG = np.random.default_rng(0)
every = pytest.mark.parametrize("corruption", ALL, ids=lambda one: one.name)


def face(seed: int, side: int = 48) -> Image:
    """A smooth colourful picture, as skin is: detail of several pixels, no noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def grey(level: int, side: int = 96) -> Image:
    return np.full((side, side), level, dtype=np.uint8)


def enlarged(picture: Image, side: int) -> NDArray[np.float64]:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float64)


def damage(corruption: Corruption, severity: int) -> float:
    """Mean squared difference from the undamaged picture, over many."""
    return float(
        np.mean([((enlarged(corrupt(face(i), corruption, severity, i), 48) - face(i)) ** 2).mean() for i in range(40)])
    )


@every
def test_every_severity_is_harsher_than_the_one_before(corruption: Corruption) -> None:
    found = [damage(corruption, severity) for severity in SEVERITIES]
    assert found == sorted(found)
    assert 0 < found[0] < 0.8 * found[-1]


@every
def test_the_same_seed_gives_the_same_picture(corruption: Corruption) -> None:
    first, again = (corrupt(face(1), corruption, 3, seed=7) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", ["motion-blur", "noise", "low-light", "box-jitter"])
def test_another_seed_gives_another_picture(name: str) -> None:
    first, other = (corrupt(face(1), BY_NAME[name], 3, seed) for seed in (7, 9))
    assert first.shape != other.shape or (first != other).any()


@every
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("shape", [(48, 48, 3), (48, 48), (60, 90, 3), (33, 20), (224, 224, 3), (1, 1, 3)])
def test_a_picture_stays_bytes_of_its_kind_and_square(
    corruption: Corruption, severity: int, shape: tuple[int, ...]
) -> None:
    picture = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    found = corrupt(picture, corruption, severity, seed=5)
    assert found.dtype == np.uint8
    assert found.ndim == picture.ndim
    assert found.shape[0] == found.shape[1] >= 1
    if corruption.name not in {"small-face", "box-jitter"}:
        assert found.shape[0] == min(shape[:2])


@every
def test_the_given_picture_is_left_alone(corruption: Corruption) -> None:
    picture = face(2)
    picture.setflags(write=False)
    corrupt(picture, corruption, 5, seed=1)
    assert np.array_equal(picture, face(2))


@every
def test_a_picture_without_colour_stays_without(corruption: Corruption) -> None:
    picture = np.repeat(face(4)[..., :1], 3, axis=2)
    found = corrupt(picture, corruption, 4, seed=1)
    assert (found == found[..., :1]).all()


@every
def test_five_levels_go_one_way(corruption: Corruption) -> None:
    steps = np.diff(corruption.levels)
    assert len(corruption.levels) == len(SEVERITIES)
    assert (steps > 0).all() or (steps < 0).all()


def spread_px(blurred: NDArray[Any]) -> tuple[float, float]:
    """Standard deviation along x and y of the light of a single bright point."""
    light = blurred.astype(np.float64)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    total = light.sum()
    return tuple(
        float(np.sqrt((light * axis**2).sum() / total - ((light * axis).sum() / total) ** 2)) for axis in (x, y)
    )  # type: ignore[return-value]


def bright_square(side: int) -> Image:
    picture = np.zeros((side, side), dtype=np.uint8)
    picture[side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1] = 255
    return picture


def test_a_blur_of_two_pixels_spreads_light_by_two_pixels() -> None:
    x, y = spread_px(defocus(bright_square(48), 2.0, RNG))
    assert x == pytest.approx(np.hypot(2.0, 0.5), rel=0.1)
    assert y == pytest.approx(np.hypot(2.0, 0.5), rel=0.1)


def test_a_blur_grows_with_the_face() -> None:
    x, _ = spread_px(defocus(bright_square(192), 1.0, RNG))
    assert x == pytest.approx(np.hypot(4.0, 0.5), rel=0.15)


def test_motion_spreads_light_along_a_line_of_its_length() -> None:
    for seed in range(8):
        x, y = spread_px(motion(bright_square(48), 12.0, np.random.default_rng(seed)))
        uniform = 12.0 / np.sqrt(12)
        assert np.hypot(x, y) == pytest.approx(np.hypot(uniform, np.sqrt(0.5)), rel=0.1)


def test_blur_keeps_the_light() -> None:
    for blur in (defocus, motion):
        assert blur(grey(117), 3.0, np.random.default_rng(1)) == pytest.approx(117)


def linear(picture: Image) -> NDArray[np.float64]:
    return np.asarray((picture / 255.0) ** 2.2)


def test_noise_is_that_of_counted_electrons() -> None:
    gain = 32.0
    light = linear(noise(grey(150, 400), gain, np.random.default_rng(2)))
    expected = linear(grey(150, 1))[0, 0]
    electrons = WELL_E / gain
    assert light.mean() == pytest.approx(expected, rel=0.02)
    assert light.std() * electrons == pytest.approx(np.sqrt(expected * electrons + 9.0), rel=0.05)


@pytest.mark.parametrize("stops", [1.0, 3.0, 5.0])
def test_a_stop_less_is_half_the_light(stops: float) -> None:
    dark = linear(low_light(grey(230, 400), stops, np.random.default_rng(2)))
    assert dark.mean() == pytest.approx(linear(grey(230, 1))[0, 0] / 2**stops, rel=0.03)


def test_underexposure_leaves_less_signal_per_noise() -> None:
    ratios = [
        picture.mean() / picture.std()
        for picture in (low_light(grey(200, 300), stops, np.random.default_rng(3)) for stops in (1.0, 3.0, 5.0))
    ]
    assert ratios == sorted(ratios, reverse=True)


def test_a_low_quality_shows_its_blocks_of_eight_pixels() -> None:
    picture = jpeg(face(6, 96)[..., 0], 10.0, RNG).astype(np.float64)
    steps = np.abs(np.diff(picture, axis=1)).mean(axis=0)
    at_edges = steps[7::8].mean()
    assert at_edges > 2 * np.delete(steps, np.s_[7::8]).mean()


def test_a_face_far_away_has_that_many_pixels() -> None:
    assert small_face(face(1, 224), 12.0, RNG).shape == (12, 12, 3)


def test_a_face_that_is_smaller_already_stays() -> None:
    assert np.array_equal(small_face(face(1, 20), 24.0, RNG), face(1, 20))


def ramp() -> Image:
    """Every pixel of the middle 100 x 100 tells where it is: x in blue, y in green."""
    y, x = np.mgrid[:200, :200]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_a_jittered_box_is_off_and_of_another_size_by_its_share() -> None:
    sides = set()
    for seed in range(12):
        found = corrupt(ramp()[:, 50:150], BY_NAME["box-jitter"], 2, seed)  # a square of 100 within a height of 200
        side = found.shape[0]
        center_x, center_y = found[side // 2, side // 2, :2].astype(float)
        assert np.hypot(center_x - 100, center_y - 100) == pytest.approx(10, abs=2)
        sides.add(side)
    assert sides == {90, 110}


def test_a_jittered_box_sees_what_lies_around_the_face_where_the_picture_has_it() -> None:
    tall = ramp()[:, 50:150]
    found = [corrupt(tall, BY_NAME["box-jitter"], 5, seed) for seed in range(12)]
    assert max(int(picture[..., 1].max()) for picture in found) > 150  # below the central square, 50 to 150


def test_beyond_the_edge_the_border_is_repeated() -> None:
    found = corrupt(grey(90, 48), BY_NAME["box-jitter"], 5, seed=1)
    assert (found == 90).all()
