"""The values of the pipeline: rectangles, expressions, and what an observation must not hold."""

from __future__ import annotations

import dataclasses
import typing
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge import types
from fer_edge.types import Box, Expression, Face, Frame, Observation, TensorSpec, TrackedFace

_place = st.floats(-500, 500)
_length = st.floats(0.5, 500)
boxes = st.builds(Box, _place, _place, _length, _length)


def test_the_iou_of_half_overlapping_squares_is_a_third() -> None:
    assert Box(0, 0, 10, 10).iou(Box(5, 0, 10, 10)) == pytest.approx(1 / 3)


def test_boxes_that_only_touch_share_nothing() -> None:
    assert Box(0, 0, 10, 10).iou(Box(10, 0, 10, 10)) == 0.0


@given(boxes)
def test_a_box_overlaps_itself_fully(box: Box) -> None:
    assert box.iou(box) == pytest.approx(1.0)


@given(boxes, boxes)
def test_iou_is_symmetric_and_between_0_and_1(one: Box, other: Box) -> None:
    assert one.iou(other) == pytest.approx(other.iou(one))
    assert 0.0 <= one.iou(other) <= 1.0 + 1e-9


def test_boxes_without_area_do_not_divide_by_zero() -> None:
    assert Box(3, 3, 0, 0).iou(Box(3, 3, 0, 0)) == 0.0


def test_scaling_multiplies_place_and_size_per_axis() -> None:
    assert Box(1, 2, 3, 4).scaled(2, 10) == Box(2, 20, 6, 40)


def test_shifting_moves_the_corner_and_keeps_the_size() -> None:
    assert Box(1, 2, 3, 4).shifted(10, -10) == Box(11, -8, 3, 4)


def test_the_centre_is_the_middle() -> None:
    assert Box(10, 20, 4, 8).center == (12, 24)


def test_confidence_is_the_highest_probability() -> None:
    assert Expression((0.1, 0.7, 0.2), None).confidence == 0.7


def test_a_tensor_with_a_scale_is_quantized_and_one_without_is_not() -> None:
    assert TensorSpec("x", "int8", (1,), 0.5, 3).quantized
    assert not TensorSpec("x", "float32", (1,)).quantized


@pytest.mark.parametrize("kind", [Frame, Box, Face, Expression, TrackedFace, Observation, TensorSpec])
def test_values_of_the_pipeline_do_not_change(kind: type) -> None:
    first = dataclasses.fields(kind)[0].name
    value: object = object.__new__(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, None)


def _kinds_inside(kind: object) -> set[object]:
    """Every type that can be reached from a dataclass through its fields."""
    found: set[object] = {kind}
    for part in typing.get_args(kind):
        found |= _kinds_inside(part)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        for hint in typing.get_type_hints(kind, vars(types)).values():
            found |= _kinds_inside(hint)
    return found


def test_an_observation_has_no_place_for_pixels() -> None:
    inside = {typing.get_origin(kind) or kind for kind in _kinds_inside(Observation)}
    assert np.ndarray not in inside
    assert bytes not in inside
    assert np.ndarray in {typing.get_origin(kind) or kind for kind in _kinds_inside(Frame)}  # the search does find it


def test_two_observations_do_not_share_their_timings() -> None:
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    one, other = (Observation(i, 0.0, now, 4, 3, ()) for i in range(2))
    assert one.stages_ms is not other.stages_ms
