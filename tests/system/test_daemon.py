"""`fer-edge run` as a real process on real frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fer_edge.cameras.demo import CYCLE_S, FPS, TIMELINE, expected_label
from support.commands import events, fer_edge
from support.shared import media, yunet

CYCLE_FRAMES = round(CYCLE_S * FPS)


@pytest.fixture(scope="module")
def demo() -> list[dict[str, Any]]:
    """One cycle of the demo with the shipped bundle and the default detector, every frame told of."""
    ended = fer_edge("run", "--source", "demo", "--no-pace", "--rate", "all", "--max-frames", str(CYCLE_FRAMES))
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return events(ended.stdout)


def test_the_demo_needs_nothing_and_tells_who_it_is(demo: list[dict[str, Any]]) -> None:
    assert demo[0]["type"] == "started"
    assert demo[0]["model"] == "fernet-s"
    assert demo[0]["artifact"] == "tflite/int8"
    assert demo[0]["effective_precision"] == "int8"
    assert [event["type"] for event in demo[-2:]] == ["statistics", "stopped"]


def test_the_face_of_the_demo_is_one_track_from_beginning_to_end(demo: list[dict[str, Any]]) -> None:
    tracks = {event["track"] for event in demo if "track" in event}
    assert len(tracks) == 1
    seen = sum(event["type"] == "expression" for event in demo)
    assert seen >= 0.98 * CYCLE_FRAMES


def test_the_expression_follows_the_timeline(demo: list[dict[str, Any]]) -> None:
    told = [event for event in demo if event["type"] == "expression" and expected_label(event["t_s"])]
    right = sum(event["label"] == expected_label(event["t_s"]) for event in told)
    assert right >= 0.8 * len(told), f"{right} of {len(told)}"


def test_every_expression_of_the_timeline_is_told_in_its_order(demo: list[dict[str, Any]]) -> None:
    changes = [event["label"] for event in demo if event["type"] in {"face_entered", "expression_changed"}]
    wanted = [moment.label for moment in TIMELINE]
    order = iter(changes)
    assert all(label in order for label in wanted), f"{wanted} in {changes}"


def test_frames_of_a_clip_are_all_processed_and_none_dropped() -> None:
    ended = fer_edge(
        "run", "--source", media("short_hamilton_clip.mp4"), "--detector-weights", yunet(), "--rate", "all"
    )
    assert ended.returncode == 0, ended.stderr
    found = events(ended.stdout)
    statistics = next(event for event in found if event["type"] == "statistics")
    assert (statistics["frames"], statistics["dropped_frames"], statistics["lost_events"]) == (275, 0, 0)


def test_the_same_clip_gives_the_same_events_again() -> None:
    clip = media("head-pose-face-detection-female-and-male.gif")
    flags = ("run", "--source", clip, "--detector-weights", yunet(), "--rate", "all")
    first, second = (
        [
            {key: value for key, value in event.items() if key != "time"}
            for event in events(fer_edge(*flags).stdout)
            if event["type"] != "statistics"
        ]
        for _ in range(2)
    )
    assert first == second


def test_a_folder_of_pictures_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(media("biden.jpg").read_bytes())
    (tmp_path / "b.txt").write_text("not a picture, not a source")
    ended = fer_edge("run", "--source", tmp_path, "--detector-weights", yunet(), "--rate", "all")
    assert ended.returncode == 0, ended.stderr
    assert any(event.get("file", "").endswith("a.jpg") for event in events(ended.stdout))
