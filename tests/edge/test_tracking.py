"""Tracks: stable ids, ages in seconds, places also where nobody looked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.tracking import Tracked, Tracker, TrackerOptions
from fer_edge.types import Box, Face

FRAME_S = 1 / 30


def face(x: float, y: float = 100.0, size: float = 50.0, score: float = 0.9) -> Face:
    return Face(Box(x, y, size, size), score)


def ids(tracked: Tracked) -> list[int]:
    return [track.track_id for track in tracked.tracks]


def test_ids_count_from_one_in_the_order_of_the_faces() -> None:
    assert ids(Tracker().update([face(0), face(200), face(400)], 0.0)) == [1, 2, 3]


def test_a_track_keeps_its_id_while_the_face_moves() -> None:
    tracker = Tracker()
    for i in range(60):
        assert ids(tracker.update([face(i * 8.0)], i * FRAME_S)) == [1]


def test_a_track_keeps_its_id_while_the_face_grows() -> None:
    tracker = Tracker()
    for i in range(60):
        assert ids(tracker.update([face(300 - i, 200 - i, 20 + 2 * i)], i * FRAME_S)) == [1]


def test_a_second_face_gets_the_next_id() -> None:
    tracker = Tracker()
    tracker.update([face(0)], 0.0)
    assert ids(tracker.update([face(300), face(0)], FRAME_S)) == [1, 2]


def test_the_better_overlap_decides_whose_face_it_is() -> None:
    tracker = Tracker()
    tracker.update([face(0), face(45)], 0.0)
    tracked = tracker.update([face(44), face(10)], FRAME_S)
    found = {track.track_id: track.box.center[0] for track in tracked.tracks}
    assert found == {1: pytest.approx(35), 2: pytest.approx(69)}


def test_a_track_that_is_not_found_is_shown_for_a_while() -> None:
    tracker = Tracker(TrackerOptions(show_s=0.4))
    tracker.update([face(0)], 0.0)
    assert ids(tracker.update([], 0.4)) == [1]
    assert ids(tracker.update([], 0.41)) == []


def test_a_track_that_comes_back_in_time_has_its_old_id() -> None:
    tracker = Tracker(TrackerOptions(keep_s=1.0))
    tracker.update([face(0)], 0.0)
    assert tracker.update([], 0.9).left == ()
    assert ids(tracker.update([face(0)], 1.0)) == [1]


def test_a_track_that_stays_away_ends_and_its_id_is_not_given_again() -> None:
    tracker = Tracker(TrackerOptions(keep_s=1.0))
    tracker.update([face(0)], 0.0)
    assert tracker.update([], 1.01).left == (1,)
    assert ids(tracker.update([face(0)], 1.1)) == [2]


def test_after_a_long_gap_a_face_in_the_same_place_is_another() -> None:
    tracker = Tracker()
    tracker.update([face(0)], 0.0)
    assert tracker.known(30.0) == []
    tracked = tracker.update([face(0)], 30.0)
    assert (ids(tracked), tracked.left) == ([2], (1,))


def test_a_cut_ends_every_track() -> None:
    tracker = Tracker()
    tracker.update([face(0), face(200)], 0.0)
    tracked = tracker.update([face(0)], FRAME_S, cut=True)
    assert (ids(tracked), tracked.left) == ([3], (1, 2))


def test_an_end_is_told_once() -> None:
    tracker = Tracker()
    tracker.update([face(0)], 0.0)
    assert tracker.update([], 5.0).left == (1,)
    assert tracker.update([], 6.0).left == ()


def test_a_weak_face_is_a_track_only_when_found_again() -> None:
    tracker = Tracker(TrackerOptions(sure_score=0.75, min_hits=2))
    assert ids(tracker.update([face(0, score=0.65)], 0.0)) == []
    assert ids(tracker.update([face(0, score=0.65)], 0.1)) == [1]


def test_a_weak_face_that_is_not_found_again_never_was() -> None:
    tracker = Tracker()
    tracker.update([face(0, score=0.65)], 0.0)
    assert tracker.update([], 0.1) == Tracked(())
    assert ids(tracker.update([face(0, score=0.65)], 0.2)) == []


def test_a_weak_face_waits_through_frames_that_were_not_searched() -> None:
    tracker = Tracker()
    tracker.update([face(0, score=0.65)], 0.0)
    tracker.update([], FRAME_S, looked=False)
    assert tracker.known(FRAME_S) == [face(0).box]
    assert ids(tracker.update([face(0, score=0.65)], 2 * FRAME_S)) == [1]


def test_a_face_that_never_was_a_track_does_not_end() -> None:
    tracker = Tracker()
    tracker.update([face(0, score=0.65)], 0.0)
    assert tracker.update([], 9.0).left == ()


def test_where_nobody_looked_a_face_goes_on_as_it_moved() -> None:
    tracker = Tracker()
    for i in range(10):
        tracker.update([face(i * 10.0)], i * 0.1)
    (track,) = tracker.update([], 1.0, looked=False).tracks
    assert track.box.center[0] == pytest.approx(100 + 25, abs=1.0)
    assert not track.found


def test_a_face_is_not_carried_on_for_ever() -> None:
    tracker = Tracker(TrackerOptions(coast_s=0.2, show_s=5.0, keep_s=5.0))
    for i in range(10):
        tracker.update([face(i * 10.0)], i * 0.1)
    late, later = (tracker.known(0.9 + ahead_s)[0] for ahead_s in (0.2, 4.0))
    assert late == later


def test_a_found_face_is_where_it_was_found() -> None:
    tracker = Tracker()
    for i in range(10):
        (track,) = tracker.update([face(i * 13.0)], i * 0.1).tracks
        assert track.found
        assert track.box.center == pytest.approx(face(i * 13.0).box.center)


def test_the_size_is_calmed() -> None:
    tracker = Tracker(TrackerOptions(size_s=0.15))
    sizes = [tracker.update([face(0, 0, 50 + 10 * (i % 2))], i * 0.1).tracks[0].box.w for i in range(20)]
    assert max(sizes[10:]) - min(sizes[10:]) < 5


def test_averages_can_be_switched_off() -> None:
    tracker = Tracker(TrackerOptions(size_s=0.0, velocity_s=0.0))
    tracker.update([face(0, 0, 50)], 0.0)
    tracker.update([face(0, 0, 60)], 0.1)
    assert tracker.known(0.1) == [Box(0, 0, 60, 60)]


def test_no_more_tracks_are_begun_than_allowed() -> None:
    tracker = Tracker(TrackerOptions(max_tracks=2))
    assert ids(tracker.update([face(200 * i) for i in range(5)], 0.0)) == [1, 2]


def test_a_clock_that_stands_still_does_no_harm() -> None:
    tracker = Tracker()
    for i in range(5):
        (track,) = tracker.update([face(i)], 0.0).tracks
    assert math.isfinite(track.box.x)


Path = list[tuple[float, float]]


@st.composite
def smooth_paths(draw: st.DrawFn, y: float) -> Path:
    """Centres of a face of 50 px, frame by frame at 30 fps; it moves half a face at most in a tenth of a second."""
    x, speed = draw(st.floats(100, 500)), draw(st.floats(-150, 150))
    rise = draw(st.floats(-60, 60))
    swing, period_s = draw(st.floats(0, 15)), draw(st.floats(0.8, 3.0))
    path = []
    for i in range(draw(st.integers(10, 90))):
        t_s = i * FRAME_S
        path.append((x + speed * t_s, y + rise * t_s + swing * math.sin(2 * math.pi * t_s / period_s)))
    return path


@settings(max_examples=60, deadline=None)
@given(path=smooth_paths(0.0), skip=st.integers(1, 3))
def test_a_face_that_moves_smoothly_keeps_its_id_however_often_it_is_looked_for(path: Path, skip: int) -> None:
    tracker = Tracker()
    for i, (x, y) in enumerate(path):
        found = [face(x - 25, y - 25)] if i % skip == 0 else []
        assert ids(tracker.update(found, i * FRAME_S, looked=i % skip == 0)) == [1]


@settings(max_examples=60, deadline=None)
@given(upper=smooth_paths(0.0), lower=smooth_paths(600.0), skip=st.integers(1, 3), swap=st.booleans())
def test_two_faces_that_do_not_cross_never_swap(upper: Path, lower: Path, skip: int, swap: bool) -> None:
    tracker = Tracker()
    for i, ((x0, y0), (x1, y1)) in enumerate(zip(upper, lower, strict=False)):
        looked = i % skip == 0
        found = [face(x0 - 25, y0 - 25), face(x1 - 25, y1 - 25)] if looked else []
        order = found[::-1] if swap and i else found
        tracked = tracker.update(order, i * FRAME_S, looked=looked)
        assert [track.track_id for track in tracked.tracks] == [1, 2]
        assert tracked.tracks[0].box.y < tracked.tracks[1].box.y


Scene = list[list[tuple[int, int, int, bool]]]
scenes = st.lists(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(10, 90), st.booleans()), max_size=5),
    max_size=40,
)


def play(scene: Scene, looks: list[bool], step_s: float) -> list[Tracked]:
    tracker = Tracker()
    played = []
    for i, row in enumerate(scene):
        faces = [face(x, y, size, 0.9 if sure else 0.65) for x, y, size, sure in row]
        looked = looks[i % len(looks)]
        played.append(tracker.update(faces if looked else [], i * step_s, looked=looked, cut=i % 17 == 16))
    return played


@settings(max_examples=80, deadline=None)
@given(scene=scenes, looks=st.lists(st.booleans(), min_size=1, max_size=5), step_s=st.floats(0.01, 0.6))
def test_ids_are_unique_in_a_frame_and_never_come_back_after_their_end(
    scene: Scene, looks: list[bool], step_s: float
) -> None:
    ended: set[int] = set()
    seen: set[int] = set()
    for tracked in play(scene, looks, step_s):
        shown = ids(tracked)
        assert len(set(shown)) == len(shown)
        assert not ended & set(tracked.left)
        ended |= set(tracked.left)
        assert not ended & set(shown)
        seen |= set(shown)
        assert seen == set(range(1, len(seen) + 1))


@settings(max_examples=30, deadline=None)
@given(scene=scenes, looks=st.lists(st.booleans(), min_size=1, max_size=5), step_s=st.floats(0.01, 0.6))
def test_equal_input_gives_equal_tracks(scene: Scene, looks: list[bool], step_s: float) -> None:
    assert play(scene, looks, step_s) == play(scene, looks, step_s)
