"""Observations become events."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import numpy as np
import pytest

from fer_edge.events import TYPES, Event, EventStream, plain
from fer_edge.types import Box, Expression, Observation, TrackedFace

LABELS = ("happy", "sad", "neutral")
WALL = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


def face(track_id: int, label: str | None, probabilities: tuple[float, ...] = (0.7, 0.2, 0.1)) -> TrackedFace:
    return TrackedFace(track_id, Box(10.04, 20.0, 30.0, 40.0), 0.912345, Expression(probabilities, label))


def seen(seq: int, t_s: float, *faces: TrackedFace, left: tuple[int, ...] = ()) -> Observation:
    return Observation(seq, t_s, WALL, 640, 480, faces, left)


def kinds(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def test_a_new_face_enters_and_is_told_of() -> None:
    stream = EventStream(LABELS, rate_hz=2.0)
    assert kinds(stream.events(seen(0, 0.0, face(1, "happy")))) == ["face_entered", "expression"]


def test_a_face_that_does_not_change_is_told_of_at_the_asked_rate() -> None:
    stream = EventStream(LABELS, rate_hz=2.0)
    told = [kinds(stream.events(seen(i, i / 10, face(1, "happy")))) for i in range(21)]
    assert sum(events.count("expression") for events in told) == 5  # at 0.0, 0.5, 1.0, 1.5 and 2.0 s


def test_a_rate_of_all_tells_of_every_frame() -> None:
    stream = EventStream(LABELS, rate_hz=float("inf"))
    told = [kinds(stream.events(seen(i, 0.0, face(1, "happy")))) for i in range(4)]
    assert [events.count("expression") for events in told] == [1, 1, 1, 1]


def test_with_changes_only_a_steady_face_is_told_of_once() -> None:
    stream = EventStream(LABELS, rate_hz=0.0)
    told = [kinds(stream.events(seen(i, float(i), face(1, "happy")))) for i in range(5)]
    assert told == [["face_entered"], [], [], [], []]


def test_a_change_is_told_at_once_with_what_was_before() -> None:
    stream = EventStream(LABELS, rate_hz=0.0)
    stream.events(seen(0, 0.0, face(1, "happy")))
    (event,) = stream.events(seen(1, 0.01, face(1, None)))
    assert (event["type"], event["from"], event["label"]) == ("expression_changed", "happy", "uncertain")


def test_a_face_that_left_is_told_of_with_its_last_label() -> None:
    stream = EventStream(LABELS, rate_hz=0.0)
    stream.events(seen(0, 0.0, face(1, "sad")))
    (event,) = stream.events(seen(1, 0.1, left=(1,)))
    assert (event["type"], event["track"], event["label"]) == ("face_left", 1, "sad")


def test_a_face_that_was_never_shown_does_not_leave() -> None:
    stream = EventStream(LABELS, rate_hz=0.0)
    assert stream.events(seen(0, 0.0, left=(9,))) == []


def test_an_event_is_json_with_time_in_utc_and_box_in_pixels() -> None:
    stream = EventStream(LABELS, rate_hz=2.0)
    event = stream.events(seen(3, 1.5, face(1, "happy")))[0]
    assert json.loads(json.dumps(event)) == {
        "schema_version": 1,
        "type": "face_entered",
        "time": "2026-01-02T03:04:05.678Z",
        "t_s": 1.5,
        "frame": 3,
        "track": 1,
        "label": "happy",
        "confidence": 0.7,
        "probabilities": {"happy": 0.7, "sad": 0.2, "neutral": 0.1},
        "box": [10.0, 20.0, 30.0, 40.0],
        "score": 0.9123,
    }


def test_a_picture_is_named_in_its_events() -> None:
    observation = Observation(0, 0.0, WALL, 10, 10, (face(1, "sad"),), origin="a.jpg")
    assert EventStream(LABELS, 2.0).events(observation)[0]["file"] == "a.jpg"


def test_probabilities_that_do_not_match_the_labels_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        EventStream(LABELS, 2.0).events(seen(0, 0.0, face(1, "happy", (0.5, 0.5))))


def test_no_observation_can_hold_pixels() -> None:
    held = [str(kind) for kind in Observation.__annotations__.values()]
    assert not any("Image" in kind or "NDArray" in kind or "ndarray" in kind for kind in held)
    assert np.ndarray not in Observation.__annotations__.values()


def test_every_type_that_is_emitted_is_published() -> None:
    stream = EventStream(LABELS, 2.0)
    found = kinds(stream.events(seen(0, 0.0, face(1, "happy"))))
    found += kinds(stream.events(seen(1, 0.1, face(1, "sad"))))
    found += kinds(stream.events(seen(2, 0.2, left=(1,))))
    found.append(plain("statistics", WALL)["type"])
    assert set(found) <= set(TYPES)
