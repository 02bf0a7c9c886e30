"""Which faces have a track on them, with overlaps that can be worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fer_bench.pipeline.coverage import boxes_of_events, cover, matches
from fer_edge.types import Box

FACE = Box(0, 0, 10, 10)


def moved(dx: float) -> Box:
    """FACE moved right: an overlap of (10 - dx) / (10 + dx)."""
    return FACE.shifted(dx, 0)


@pytest.mark.parametrize(("dx", "covered"), [(0, 1), (4, 1), (4.5, 0), (20, 0)])
def test_a_track_covers_a_face_from_an_overlap_of_04_on(dx: float, covered: int) -> None:
    assert matches([FACE], [moved(dx)]) == covered


def test_one_track_covers_one_face_only() -> None:
    assert matches([FACE, moved(2)], [moved(1)]) == 1


def test_two_tracks_on_one_face_count_once() -> None:
    assert matches([FACE], [moved(1), moved(2)]) == 1


def test_the_best_overlap_is_matched_first() -> None:
    # The track at 3 overlaps both faces; the face at 3 gets it, and the one at 0 gets the track at -3.
    assert matches([FACE, moved(3)], [moved(3), moved(-3)]) == 2


def test_frames_are_compared_with_their_own_tracks() -> None:
    found = cover([[FACE], [FACE], []], {0: [FACE], 2: [FACE]})
    assert (found.faces, found.covered, found.share, found.unmatched) == (2, 1, 0.5, 1)
    assert found.share_ci95[0] < 0.5 < found.share_ci95[1]


def test_frames_beyond_the_reference_are_left_out() -> None:
    assert cover([[FACE]], {0: [FACE], 7: [FACE]}).unmatched == 0


def test_without_faces_there_is_no_share() -> None:
    assert cover([[], []], {}).share is None


def event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


def test_a_face_that_is_told_of_twice_in_a_frame_is_one_box() -> None:
    face = {"frame": 3, "track": 1, "box": [1.0, 2.0, 3.0, 4.0]}
    boxes, _ = boxes_of_events([event("face_entered", **face), event("expression", **face)])
    assert boxes == {3: [Box(1.0, 2.0, 3.0, 4.0)]}


def test_two_tracks_of_a_frame_are_two_boxes() -> None:
    one, two = {"frame": 0, "track": 1, "box": [0, 0, 1, 1]}, {"frame": 0, "track": 2, "box": [5, 0, 1, 1]}
    boxes, _ = boxes_of_events([event("expression", **one), event("expression", **two)])
    assert len(boxes[0]) == 2


def test_what_is_no_face_gives_no_box_and_the_last_statistics_are_kept() -> None:
    lines = [event("started"), event("face_left", frame=1, track=1), event("statistics", frames=9), event("stopped")]
    boxes, statistics = boxes_of_events(lines)
    assert boxes == {}
    assert statistics["frames"] == 9
