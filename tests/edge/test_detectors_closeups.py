"""Close-ups bring every known face to one size and its box back into the frame."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fer_edge.detectors.closeups import Closeups, among, mapped
from fer_edge.types import Box, Face
from support.painted import PaintedDetector, background, paint

FACE_PX, TILE_PX = 48, 96


def closeups(detector: PaintedDetector | None = None) -> Closeups:
    return Closeups(detector or PaintedDetector(), FACE_PX, TILE_PX)


def test_without_known_faces_nothing_is_searched() -> None:
    detector = PaintedDetector()
    assert closeups(detector).detect(background(), []) == []
    assert detector.searched == []


def test_all_known_faces_are_searched_as_one_picture() -> None:
    detector = PaintedDetector()
    boxes = [Box(50, 50, 60, 70), Box(300, 80, 20, 24), Box(480, 100, 120, 140)]
    found = closeups(detector).detect(paint(background(), *boxes), boxes)
    assert detector.searched == [(3 * TILE_PX, TILE_PX)]
    assert len(found) == 3


@settings(max_examples=80, deadline=None)
@given(
    x=st.integers(-20, 600),
    y=st.integers(-20, 320),
    size=st.integers(20, 160),
    dx=st.floats(-0.25, 0.25),
    dy=st.floats(-0.25, 0.25),
)
def test_a_face_that_moved_is_found_where_it_is(x: int, y: int, size: int, dx: float, dy: float) -> None:
    left, top, right, bottom = max(0, x), max(0, y), min(640, x + size), min(360, y + size)
    face = Box(left, top, right - left, bottom - top)
    assume(min(face.w, face.h) >= 16)
    assume(max(face.w, face.h) <= 1.6 * min(face.w, face.h))
    before = Box(face.x + dx * face.w, face.y + dy * face.h, face.w, face.h)
    (found,) = closeups().detect(paint(background(), face), [before])
    assert found.box.iou(face) > 0.8


def test_landmarks_move_with_their_box() -> None:
    box = Box(300, 80, 40, 48)
    (found,) = closeups().detect(paint(background(), box), [Box(10, 10, 30, 30), box])
    assert found.landmarks[0] == pytest.approx((found.box.x, found.box.y))


def test_a_face_that_is_gone_is_not_found() -> None:
    assert closeups().detect(background(), [Box(100, 100, 50, 50)]) == []


def test_a_known_place_outside_the_frame_is_searched_without_harm() -> None:
    assert closeups().detect(background(), [Box(5000, -4000, 50, 50)]) == []


def test_one_face_is_not_found_twice_for_two_known_places() -> None:
    face = Box(200, 100, 60, 60)
    found = closeups().detect(paint(background(), face), [face, face.shifted(15, 0)])
    assert len(found) == 1


def test_a_neighbour_in_the_window_is_not_taken_for_the_known_face() -> None:
    known, neighbour = Box(200, 100, 60, 60), Box(265, 100, 50, 60)
    assert closeups().detect(paint(background(), neighbour), [known]) == []


def test_nothing_of_the_last_picture_stays_on_the_canvas() -> None:
    looks = closeups()
    corner, middle = Box(0, 0, 40, 40), Box(300, 200, 40, 40)
    assert len(looks.detect(paint(background(), middle), [middle])) == 1
    assert looks.detect(background(), [corner]) == []


def test_the_window_is_as_many_times_the_face_as_the_tile_is() -> None:
    assert closeups().window(Box(100, 100, 32, 50)) == Box(76, 85, 80, 80)


def test_a_face_is_mapped_by_scale_then_shift() -> None:
    face = mapped(Face(Box(1, 2, 3, 4), 0.5, ((1, 1),)), 2.0, 3.0, (10.0, 20.0))
    assert face == Face(Box(12, 26, 6, 12), 0.5, ((12, 23),))


def test_a_box_is_among_faces_that_it_overlaps_well() -> None:
    faces = [Face(Box(0, 0, 10, 10), 1.0)]
    assert among(Box(2, 2, 10, 10), faces)
    assert not among(Box(9, 9, 10, 10), faces)
