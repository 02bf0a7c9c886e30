"""The schedule looks where it must, and nowhere else. Painted faces; the geometry is real."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from fer_edge.detectors.schedule import Found, Search, SearchOptions
from fer_edge.detectors.whole import Whole
from fer_edge.types import Box, Image
from support.painted import PaintedDetector, background, paint

FACE = Box(300, 120, 60, 72)
SETTLED_S = 10.0
FRAME_S = 1 / 30


def settled(detector: PaintedDetector, picture: Image, **options: float) -> Search:
    """A search that has seen this picture for long, with its last full search at `SETTLED_S`."""
    search = Search(detector, SearchOptions.model_validate(options))
    search.step(picture, [], 0.0)
    search.step(picture, [], SETTLED_S)
    detector.searched.clear()
    return search


def modes(search: Search, picture: Image, known: list[Box], count: int) -> list[str]:
    return [search.step(picture, known, SETTLED_S + (i + 1) * FRAME_S).mode for i in range(count)]


def test_the_first_frame_is_searched_in_full() -> None:
    found = Search(PaintedDetector()).step(paint(background(), FACE), [], 0.0)
    assert found.mode == "full"
    assert found.faces[0].box.iou(FACE) > 0.9


def test_a_full_search_sees_a_reduced_picture() -> None:
    detector = PaintedDetector()
    Search(detector, SearchOptions(full_px=320)).step(background(1280, 720), [], 0.0)
    assert detector.searched == [(320, 180)]


def test_an_upright_picture_is_reduced_by_its_longer_side() -> None:
    detector = PaintedDetector()
    Search(detector, SearchOptions(full_px=320)).step(background(720, 1280), [], 0.0)
    assert detector.searched == [(180, 320)]


def test_a_small_picture_is_not_enlarged() -> None:
    detector = PaintedDetector()
    Search(detector, SearchOptions(full_px=320)).step(background(160, 120), [], 0.0)
    assert detector.searched == [(160, 120)]


def test_boxes_are_in_the_pixels_of_the_frame() -> None:
    face = Box(900, 400, 120, 150)
    found = Search(PaintedDetector()).step(paint(background(1920, 1080), face), [], 0.0)
    assert found.faces[0].box.iou(face) > 0.9


def test_known_faces_are_looked_at_every_fourth_frame_of_thirty_and_else_nothing_is() -> None:
    picture = paint(background(), FACE)
    assert modes(settled(PaintedDetector(), picture), picture, [FACE], 8) == [*["none"] * 3, "around"] * 2


def test_a_look_around_is_cheaper_than_a_full_search() -> None:
    detector, picture = PaintedDetector(), paint(background(), FACE)
    search = settled(detector, picture)
    assert modes(search, picture, [FACE], 4)[-1] == "around"
    assert detector.searched == [(96, 96)]


def test_a_slow_source_is_searched_in_every_frame() -> None:
    picture = paint(background(), FACE)
    search = settled(PaintedDetector(), picture)
    assert all(search.step(picture, [FACE], SETTLED_S + i * 0.2).mode != "none" for i in range(1, 10))


def test_a_still_picture_is_searched_in_full_once_a_second() -> None:
    picture = paint(background(), FACE)
    assert modes(settled(PaintedDetector(), picture), picture, [FACE], 90).count("full") == 3


def test_a_change_outside_the_known_faces_is_searched_in_full_earlier() -> None:
    picture = paint(background(), FACE)
    search = settled(PaintedDetector(), picture)
    found = modes(search, paint(picture, Box(50, 50, 40, 40)), [FACE], 15)
    assert "full" in found[:12]


def test_a_change_within_a_known_face_is_none() -> None:
    picture = paint(background(), FACE)
    search = settled(PaintedDetector(), picture)
    assert "full" not in modes(search, paint(background(), FACE.shifted(10, 5)), [FACE], 12)


def test_full_searches_come_as_much_more_rarely_as_a_hot_board_needs() -> None:
    search = settled(PaintedDetector(), background())
    search.rarer = 3.0
    assert modes(search, background(), [], 90).count("full") == 1


def test_an_empty_still_room_is_searched_once_a_second_and_else_not_at_all() -> None:
    found = modes(settled(PaintedDetector(), background()), background(), [], 90)
    assert found.count("full") == 3
    assert found.count("none") == 87


def test_a_face_that_enters_an_empty_room_is_found_within_its_period() -> None:
    search = settled(PaintedDetector(), background(), empty_every_s=0.2)
    picture = paint(background(), FACE)
    found = [search.step(picture, [], SETTLED_S + (i + 1) * FRAME_S) for i in range(6)]
    assert [len(one.faces) for one in found] == [0, 0, 0, 0, 0, 1]


def test_a_cut_is_searched_in_full_at_once_and_told() -> None:
    search = settled(PaintedDetector(), background())
    found = search.step(paint(background(seed=1), FACE), [], SETTLED_S + FRAME_S)
    assert (found.mode, found.cut, len(found.faces)) == ("full", True, 1)


def test_after_a_cut_every_look_is_a_full_search_for_a_while() -> None:
    search = settled(PaintedDetector(), background(), settle_s=0.3)
    picture = paint(background(seed=1), FACE)
    search.step(picture, [], SETTLED_S + FRAME_S)
    found = [search.step(picture, [FACE], SETTLED_S + (i + 2) * FRAME_S).mode for i in range(12)]
    assert found == ["none", "none", "full"] * 2 + ["none", "none", "none", "around", "none", "none"]


def test_a_known_face_that_left_its_window_is_found_in_the_same_frame() -> None:
    search = settled(PaintedDetector(), paint(background(), FACE), around_every_s=0.0)
    there = Box(60, 60, 60, 72)
    search.step(paint(background(), FACE), [FACE], SETTLED_S + 0.4)
    found = search.step(paint(background(), there), [FACE], SETTLED_S + 0.45)
    assert found.mode == "full"
    assert found.faces[0].box.iou(there) > 0.9


def test_a_face_that_is_gone_does_not_make_every_look_a_full_search() -> None:
    search = settled(PaintedDetector(), paint(background(), FACE), retry_every_s=0.5, full_every_s=1.0)
    found = modes(search, background(), [FACE], 27)
    assert found.count("full") == 1
    assert found.count("around") >= 5


def test_a_known_face_that_is_too_small_for_a_full_search_is_looked_at_closely() -> None:
    face = Box(300, 120, 12, 12)
    detector = PaintedDetector(smallest_px=8)
    found = Search(detector).step(paint(background(), face), [face], 0.0)
    assert detector.searched == [(352, 198), (96, 96)]
    assert found.faces[0].box.iou(face) > 0.6


def unsure_when_small(size_px: float) -> float:
    return 0.9 if size_px > 40 else 0.5


def never_sure(size_px: float) -> float:
    return 0.55


def test_a_face_that_is_unsure_in_the_reduced_frame_is_believed_in_the_close_up() -> None:
    detector = PaintedDetector(score=unsure_when_small)
    found = Search(detector).step(paint(background(), FACE), [], 0.0)
    assert [face.score for face in found.faces] == [0.9]
    assert len(detector.searched) == 2


def test_a_face_that_stays_weak_in_the_close_up_is_none() -> None:
    assert Search(PaintedDetector(score=never_sure)).step(paint(background(), FACE), [], 0.0).faces == ()


def test_a_known_face_may_be_weak() -> None:
    found = Search(PaintedDetector(score=never_sure)).step(paint(background(), FACE), [FACE], 0.0)
    assert [face.score for face in found.faces] == [0.55]


def test_many_known_faces_are_searched_in_full_instead_of_one_by_one() -> None:
    faces = [Box(20 + 80 * i, 100, 40, 48) for i in range(7)]
    picture = paint(background(), *faces)
    search = settled(PaintedDetector(), picture, max_closeups=6)
    assert modes(search, picture, faces, 4) == ["none", "none", "none", "full"]


def test_a_face_is_not_told_twice_when_both_searches_find_it() -> None:
    search = settled(PaintedDetector(), paint(background(), FACE), around_every_s=0.0, retry_every_s=0.0)
    gone = Box(60, 60, 60, 72)
    found = search.step(paint(background(), FACE), [FACE, gone], SETTLED_S + FRAME_S)
    assert found.mode == "full"
    assert len(found.faces) == 1


def test_where_the_clock_stands_still_every_frame_is_searched_in_full() -> None:
    search = Search(PaintedDetector())
    assert [search.step(background(), [], 0.0).mode for _ in range(3)] == ["full"] * 3


def test_where_the_clock_goes_back_the_frame_is_searched_in_full() -> None:
    search = settled(PaintedDetector(), background())
    assert search.step(background(), [], 1.0).mode == "full"
    assert search.step(background(), [], 1.0 + FRAME_S).mode == "none"


def test_the_whole_picture_as_a_face_needs_no_schedule() -> None:
    search = Search(Whole())
    found = [search.step(background(seed=i), [], i * FRAME_S) for i in range(3)]
    assert all(one == Found(one.faces, "full", cut=False) for one in found)
    assert found[0].faces[0].box == Box(140, 0, 360, 360)


def test_a_picture_on_its_own_is_searched_at_the_size_asked_for() -> None:
    detector = PaintedDetector()
    face = Box(400, 300, 200, 240)
    found = Search(detector).still(paint(background(1280, 960), face), 640)
    assert detector.searched == [(640, 480)]
    assert found[0].box.iou(face) > 0.9


def test_a_picture_on_its_own_does_not_touch_the_schedule() -> None:
    picture = paint(background(), FACE)
    search = settled(PaintedDetector(), picture)
    search.still(background(seed=3), 640)
    assert modes(search, picture, [FACE], 4) == ["none", "none", "none", "around"]


def test_a_face_that_does_not_fit_into_its_close_up_is_refused() -> None:
    with pytest.raises(ValidationError, match="a face of 96 px does not fit into a close-up of 64 px"):
        SearchOptions(face_px=96, tile_px=64)
