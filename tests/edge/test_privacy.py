"""Counts of a group, and nothing of anybody."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.events import Event
from fer_edge.privacy import Aggregate, PrivacySettings
from fer_edge.types import Box, Expression, Observation, TrackedFace

LABELS = ("happy", "sad", "neutral")
WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)
SETTINGS = PrivacySettings(mode="aggregate", window_s=60.0, min_group=5)


def seen(t_s: float, people: dict[int, str | None]) -> Observation:
    faces = tuple(
        TrackedFace(track, Box(0, 0, 9, 9), 0.9, Expression((0.5, 0.3, 0.2), label)) for track, label in people.items()
    )
    return Observation(int(t_s * 10), t_s, WALL + timedelta(seconds=t_s), 64, 48, faces)


def told(*observations: Observation, settings: PrivacySettings = SETTINGS) -> list[Event]:
    subject = Aggregate(LABELS, settings)
    return [event for observation in observations for event in subject.events(observation)]


def crowd(first: int, count: int, label: str) -> dict[int, str | None]:
    return dict.fromkeys(range(first, first + count), label)


def test_a_window_tells_how_many_showed_what() -> None:
    people = {**crowd(0, 6, "happy"), **crowd(6, 5, "sad")}
    events = told(seen(0.0, people), seen(30.0, people), seen(60.0, {}))
    assert len(events) == 1
    event = events[0]
    assert (event["type"], event["people"], event["since"], event["time"]) == (
        "counts", 11, "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z",
    )  # fmt: skip
    assert event["labels"] == {"happy": 6, "sad": 5, "neutral": None, "uncertain": None}


def test_a_person_counts_once_with_what_they_showed_most() -> None:
    people = crowd(0, 5, "happy")
    changed = {**people, 0: "sad"}
    events = told(seen(0.0, people), seen(1.0, people), seen(2.0, changed), seen(61.0, {}))
    assert events[0]["labels"]["happy"] == 5


def test_too_few_are_not_counted_out_loud_nor_told_by_subtraction() -> None:
    people = {**crowd(0, 6, "happy"), 6: "sad", 7: None}
    event = told(seen(0.0, people), seen(61.0, {}))[0]
    assert event["labels"] == {"happy": 6, "sad": None, "neutral": None, "uncertain": None}
    assert event["people"] is None


@pytest.mark.parametrize("people", [{}, {1: "happy"}, {1: "sad"}, {1: None, 2: "sad", 3: "happy", 4: "neutral"}])
def test_one_person_cannot_be_told_from_another_or_from_nobody(people: dict[int, str | None]) -> None:
    event = told(seen(0.0, people), seen(60.0, {}))[0]
    assert (event["people"], set(event["labels"].values())) == (None, {None})


def test_a_clock_that_begins_anew_ends_the_window() -> None:
    events = told(seen(50.0, crowd(0, 5, "sad")), seen(0.0, {}), seen(60.0, {}))
    assert [event["people"] for event in events] == [5, None]


def test_the_next_window_begins_with_the_frame_that_ended_the_last() -> None:
    people = crowd(0, 7, "sad")
    events = told(seen(0.0, {}), seen(60.0, people), seen(120.0, {}))
    assert [event["people"] for event in events] == [None, 7]


@given(st.dictionaries(st.integers(0, 40), st.sampled_from([*LABELS, None]), max_size=30), st.integers(2, 10))
def test_nothing_of_anybody_leaves(people: dict[int, str | None], few: int) -> None:
    settings = PrivacySettings(mode="aggregate", min_group=few)
    for event in told(seen(0.0, people), seen(61.0, people), settings=settings):
        numbers = [value for value in event["labels"].values() if value]
        assert all(value >= few for value in numbers)
        text = json.dumps(event)
        assert not any(word in text for word in ("track", "box", "probabilities", "confidence", "score"))
        if event["people"]:
            assert event["people"] == sum(numbers)
            assert event["people"] >= few


@pytest.mark.parametrize("bad", [{"mode": "all"}, {"window_s": 1.0}, {"min_group": 1}])
def test_settings_that_would_tell_of_single_people_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        PrivacySettings.model_validate(bad)
