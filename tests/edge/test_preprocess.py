"""The one preprocessing: golden crops worked out without OpenCV, and what must hold for any box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from fer_edge.preprocess import MAX_PADDED_PX, CropContract, Preprocess, PreprocessSpec, central_square, cut
from fer_edge.types import Box, Image, TensorSpec
from support.golden import Case, cases, picture

GRAY = PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,))
RGB = PreprocessSpec(color="rgb", size=16, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
INT8 = TensorSpec("x", "int8", GRAY.shape, 0.0157, -1)
PICTURE = picture("wide")
RAMP: Image = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
"""A grey picture whose every column has its own value: pixel value = x."""

STEP = 1
"""Grey levels by which OpenCV's fixed-point arithmetic may be off the true value, in any version."""
MEAN_STEP = 0.1
"""The same on average over a crop: a shift by a fraction of a pixel would show here."""

_any_place = st.floats(-1e9, 1e9) | st.floats(-200, 300)
_any_length = st.floats(-1e9, 1e9) | st.floats(0, 300) | st.just(0.0)
any_box = st.builds(Box, _any_place, _any_place, _any_length, _any_length)
any_contract = st.builds(CropContract, margin=st.floats(-0.8, 4), dx=st.floats(-2, 2), dy=st.floats(-2, 2))


# --- golden crops


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_crop_is_the_golden_one_within_a_step(case: Case) -> None:
    found = Preprocess(case.spec, case.target).pixels(picture(case.picture), case.box, case.detector)
    off = np.abs(found.astype(int) - case.pixels)
    assert off.max() <= STEP
    assert off.mean() <= MEAN_STEP


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_golden_crop_becomes_the_golden_tensor(case: Case) -> None:
    found = Preprocess(case.spec, case.target).tensor(case.pixels[np.newaxis])
    assert found.dtype == case.target.dtype
    assert found.shape == case.spec.shape
    assert found.ravel().astype(np.float64) == pytest.approx(case.tensor, abs=2e-6)


# --- any box, any contract


@settings(max_examples=200, deadline=None)
@given(any_box, any_contract)
def test_any_box_gives_a_crop_of_the_right_kind(box: Box, contract: CropContract) -> None:
    spec = GRAY.model_copy(update={"crop": {"d": contract}})
    found = Preprocess(spec).pixels(PICTURE, box, "d")
    assert (found.dtype.name, found.shape) == ("uint8", (48, 48))


@settings(max_examples=100, deadline=None)
@given(any_box)
def test_a_crop_holds_no_value_that_the_picture_does_not_span(box: Box) -> None:
    grey: Image = np.clip(RAMP, 60, 180)
    found = Preprocess(GRAY).pixels(grey, box)
    assert found.min() >= 60
    assert found.max() <= 180


@given(any_box, any_contract)
def test_a_contract_always_cuts_a_square(box: Box, contract: CropContract) -> None:
    square = contract.apply(box)
    assert square.w == square.h
    assert square.w >= 0


def test_a_box_far_outside_repeats_the_nearest_border() -> None:
    found = Preprocess(GRAY).pixels(RAMP, Box(5000, 100, 50, 50))
    assert np.all(found == 255)


def test_a_box_partly_outside_shows_picture_and_border() -> None:
    found = cut(RAMP, Box(-10, 0, 20, 20))
    assert found[0].tolist() == [0] * 10 + list(range(10))


def test_a_huge_square_is_sampled_to_a_bounded_size() -> None:
    found = cut(RAMP, Box(-10_000_000, -10_000_000, 20_000_000, 20_000_000))
    assert found.shape[0] == found.shape[1] <= MAX_PADDED_PX


def test_a_box_inside_is_a_view_and_not_a_copy() -> None:
    assert np.shares_memory(cut(RAMP, Box(10, 10, 20, 20)), RAMP)


def test_the_picture_is_not_written_into() -> None:
    locked = PICTURE.copy()
    locked.flags.writeable = False
    Preprocess(GRAY)(locked, Box(-5, -5, 60, 60))
    Preprocess(RGB)(locked, Box(5, 5, 60, 60))
    assert np.array_equal(locked, PICTURE)


# --- where the crop lies


def test_without_a_box_the_largest_central_square_is_taken() -> None:
    assert central_square(picture("wide")) == Box(15, 0, 90, 90)
    assert central_square(picture("tall")) == Box(0, 15, 90, 90)


def test_a_contract_of_zeros_cuts_the_box_itself() -> None:
    assert CropContract().apply(Box(10, 20, 30, 30)) == Box(10, 20, 30, 30)


def test_a_margin_grows_the_square_around_its_centre() -> None:
    assert CropContract(margin=0.5).apply(Box(10, 20, 40, 40)) == Box(0, 10, 60, 60)


def test_the_centre_moves_right_and_down_by_shares_of_the_length() -> None:
    assert CropContract(dx=0.25, dy=-0.5).apply(Box(10, 20, 40, 40)) == Box(20, 0, 40, 40)


def test_the_length_is_the_geometric_mean_of_the_sides() -> None:
    assert CropContract().apply(Box(0, 0, 20, 80)) == Box(-10, 20, 40, 40)


def test_each_detector_has_its_own_contract() -> None:
    spec = GRAY.model_copy(update={"crop": {"yunet": CropContract(margin=0.4), "haar": CropContract(margin=-0.2)}})
    widths = [np.ptp(Preprocess(spec).pixels(RAMP, Box(100, 100, 50, 50), name)) for name in ("yunet", "haar", "whole")]
    assert widths == pytest.approx([70, 40, 50], abs=3)  # the ramp's grey levels are its columns


def test_a_crop_is_cut_at_the_nearest_whole_pixel() -> None:
    assert cut(RAMP, Box(10.6, 0, 2.4, 2.4))[0].tolist() == [11, 12]


# --- colours


@pytest.mark.parametrize(("channel", "luma"), [(0, 29), (1, 150), (2, 76)])
def test_grey_weighs_blue_green_and_red_as_bt601_does(channel: int, luma: int) -> None:
    image = np.zeros((48, 48, 3), dtype=np.uint8)
    image[..., channel] = 255
    assert np.all(np.abs(Preprocess(GRAY).pixels(image).astype(int) - luma) <= STEP)


def test_a_grey_picture_gives_the_same_crop_as_the_same_picture_in_three_channels() -> None:
    three = np.repeat(RAMP[..., np.newaxis], 3, axis=2)
    preprocess = Preprocess(GRAY)
    assert np.array_equal(preprocess.pixels(RAMP), preprocess.pixels(three))


@pytest.mark.parametrize(("color", "order"), [("rgb", [30, 20, 10]), ("bgr", [10, 20, 30])])
def test_a_colour_model_gets_its_channels_in_its_own_order(color: str, order: list[int]) -> None:
    image = np.full((16, 16, 3), (10, 20, 30), dtype=np.uint8)
    spec = PreprocessSpec.model_validate({"color": color, "size": 16, "mean": (0.0,) * 3, "std": (1.0,) * 3})
    assert Preprocess(spec).pixels(image)[0, 0].tolist() == order


# --- tensors


def _stored(spec: PreprocessSpec, target: TensorSpec) -> NDArray[Any]:
    """What each of the 256 pixel values becomes, in a model with one channel."""
    pixels = np.resize(np.arange(256, dtype=np.uint8), (1, spec.size, spec.size))
    return np.asarray(Preprocess(spec, target).tensor(pixels)).ravel()[:256]


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"), [("int8", 0.0157, -1), ("uint8", 0.02, 100), ("int8", 0.004, 0)]
)
def test_quantized_input_is_the_rounded_real_value_for_every_pixel_value(
    dtype: str, scale: float, zero_point: int
) -> None:
    real = (np.arange(256) / 255 - 0.5) / 0.25
    limits = np.iinfo(np.dtype(dtype))
    wanted = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max)
    found = _stored(GRAY, TensorSpec("x", dtype, GRAY.shape, scale, zero_point))
    assert found.dtype == dtype
    assert np.array_equal(found, wanted)


def test_values_beyond_the_integer_range_are_clipped_and_do_not_wrap() -> None:
    found = _stored(GRAY, TensorSpec("x", "int8", GRAY.shape, 0.004, 0))
    assert (found[0], found[255]) == (-128, 127)
    assert np.all(np.diff(found.astype(int)) >= 0)


def test_float_input_is_normalised_for_every_pixel_value() -> None:
    found = _stored(GRAY, TensorSpec("x", "float32", GRAY.shape))
    assert found.dtype == np.float32
    assert found == pytest.approx((np.arange(256) / 255 - 0.5) / 0.25, abs=1e-6)


def test_each_channel_has_its_own_mean_and_std() -> None:
    found = Preprocess(RGB).tensor(np.full((1, 16, 16, 3), 255, dtype=np.uint8))
    wanted = [(1 - mean) / std for mean, std in zip(RGB.mean, RGB.std, strict=True)]
    assert found[0, 3, 5].tolist() == pytest.approx(wanted, rel=1e-6)


def test_channels_first_is_channels_last_moved() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    last = Preprocess(RGB).tensor(crops)
    first = Preprocess(RGB.model_copy(update={"layout": "NCHW"})).tensor(crops)
    assert first.shape == (2, 3, 16, 16)
    assert np.array_equal(first, np.moveaxis(last, -1, 1))


def test_a_runtime_gets_memory_in_one_piece() -> None:
    found = Preprocess(RGB.model_copy(update={"layout": "NCHW"}))(PICTURE)
    assert found.flags["C_CONTIGUOUS"]


def test_a_batch_is_its_faces_one_after_the_other() -> None:
    preprocess = Preprocess(GRAY, INT8)
    crops = [preprocess.pixels(PICTURE, Box(x, 10, 40, 40)) for x in (0, 20, 60)]
    assert np.array_equal(preprocess.tensor(crops), np.concatenate([preprocess.tensor(c[None]) for c in crops]))


def test_calling_it_does_both_steps() -> None:
    preprocess = Preprocess(GRAY, INT8)
    box = Box(10, 10, 50, 50)
    assert np.array_equal(preprocess(PICTURE, box), preprocess.tensor(preprocess.pixels(PICTURE, box)[None]))


# --- the options


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mean": (0.5, 0.5)}, "mean and std need 1 values for gray input"),
        ({"color": "rgb"}, "mean and std need 3 values for rgb input"),
        ({"color": "hsv"}, "Input should be 'gray', 'rgb' or 'bgr'"),
        ({"std": (0.0,)}, "greater than 0"),
        ({"size": 7}, "greater than or equal to 8"),
        ({"size": 1025}, "less than or equal to 1024"),
        ({"layout": "NWHC"}, "Input should be 'NHWC' or 'NCHW'"),
        ({"crop": {"yunet": {"margin": 4.1}}}, "less than or equal to 4"),
        ({"crop": {"yunet": {"dz": 0.0}}}, "Extra inputs"),
    ],
)
def test_an_option_outside_the_closed_set_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        PreprocessSpec.model_validate({**GRAY.model_dump(), **change})


@pytest.mark.parametrize(
    ("color", "layout", "shape"),
    [("gray", "NHWC", (1, 32, 32, 1)), ("gray", "NCHW", (1, 1, 32, 32)), ("bgr", "NCHW", (1, 3, 32, 32))],
)
def test_the_shape_follows_from_colour_and_layout(color: str, layout: str, shape: tuple[int, ...]) -> None:
    channels = 1 if color == "gray" else 3
    options = {"color": color, "size": 32, "mean": (0.5,) * channels, "std": (0.5,) * channels, "layout": layout}
    assert PreprocessSpec.model_validate(options).shape == shape
