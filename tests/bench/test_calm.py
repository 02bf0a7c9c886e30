"""Changes of labels are counted per face, before and after smoothing, with the delay between them."""

from __future__ import annotations

import pytest

from fer_bench.pipeline.calm import Calm, sentence
from fer_edge.types import Box, Expression, Observation, TrackedFace
from support.painted import WALL

Said = tuple[str | None, str | None]
"""What one classification says and what is shown; `-` for what was not classified."""


def said(label: str | None) -> Expression:
    return Expression((0.5, 0.5), label)


def frame(seq: int, faces: dict[int, Said], left: tuple[int, ...] = ()) -> Observation:
    tracked = tuple(
        TrackedFace(track, Box(0, 0, 9, 9), 1.0, said(shown), None if raw == "-" else said(raw))
        for track, (raw, shown) in faces.items()
    )
    return Observation(seq, seq / 10, WALL, 64, 48, tracked, left, "full", {})


def watched(*frames: Observation) -> Calm:
    calm = Calm()
    for each in frames:
        calm.see(each)
    return calm


def test_a_change_is_counted_where_it_is_said_and_where_it_is_shown_and_how_long_that_takes() -> None:
    rows: list[Said] = [("a", "a"), ("b", "a"), ("a", "a"), ("b", "a"), ("-", "a"), ("b", "b"), ("b", "b")]
    calm = watched(*(frame(i, {1: row}) for i, row in enumerate(rows)))
    assert (calm.said, calm.shown) == (3, 1)
    assert calm.delays_s == [pytest.approx(0.2)]
    assert calm.face_s == pytest.approx(0.6)


def test_uncertain_is_a_label_too_and_one_that_nobody_said_has_no_delay() -> None:
    calm = watched(*(frame(i, {1: row}) for i, row in enumerate([("a", "a"), ("b", "a"), ("b", None)])))
    assert (calm.said, calm.shown, calm.delays_s) == (1, 1, [])


def test_faces_are_counted_apart_and_one_that_left_starts_anew() -> None:
    calm = watched(
        frame(0, {1: ("a", "a"), 2: ("b", "b")}),
        frame(1, {1: ("a", "a"), 2: ("b", "b")}),
        frame(2, {2: ("b", "b")}, left=(1,)),
        frame(3, {1: ("b", "b"), 2: ("b", "b")}),
    )
    assert (calm.said, calm.shown) == (0, 0)
    assert calm.face_s == pytest.approx(0.4)


def test_the_sentence_tells_changes_per_minute_and_face() -> None:
    told = sentence({"said": 30, "shown": 3, "face_s": 90.0, "delays_s": [0.3, 0.1, 0.2]})
    assert told == (
        "labels change 20 times per minute and face in single classifications, 2 times after smoothing, "
        "0.20 s later in the median (of 3)"
    )


def test_where_no_face_stayed_nothing_is_divided() -> None:
    assert "no changes of labels" in sentence(Calm().answer())
