"""What is remembered of a running daemon, for how long, and what is never remembered."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest

from fer_edge.events import Event, EventStream, plain
from fer_edge.health import Health
from fer_edge.live import (
    FPS_WINDOW_S,
    KEPT_WINDOWS,
    MAX_EVENTS,
    MAX_FACES,
    MAX_STAGES,
    MAX_TYPES,
    STALE_S,
    TIMELINE_S,
    Live,
)
from fer_edge.privacy import PrivacySettings
from fer_edge.types import Box, Expression, Observation, TrackedFace
from support.clocks import StillClock
from support.http import LABELS, WALL, face, seen, started


class Scene:
    """A `Live` whose time the test holds."""

    def __init__(self, privacy: PrivacySettings | None = None) -> None:
        self.clock, self.health = StillClock(), Health()
        self.live = Live(LABELS, self.health, self.clock, privacy)
        self.health.running()
        self.seq = 0

    def step(self, *faces: TrackedFace, after_s: float = 0.1) -> None:
        self.clock.now_s += after_s
        self.live.observe(seen(self.seq, *faces))
        self.seq += 1

    def now(self) -> dict[str, Any]:
        return self.live.snapshot()


def test_the_faces_of_the_newest_frame_are_shown_the_largest_first() -> None:
    scene = Scene()
    scene.step(face(1, "sad", 0.6, size=20.0), face(2, "happy", 0.9, size=80.0))
    first, second = scene.now()["faces"]
    assert (first["track"], first["label"], first["confidence"]) == (2, "happy", 0.9)
    assert second["track"] == 1
    assert set(first["probabilities"]) == set(LABELS)
    assert first["box"] == [40.0, 30.0, 80.0, 80.0]


def test_a_face_that_is_not_sure_is_uncertain() -> None:
    scene = Scene()
    even = Expression((1 / 7,) * 7, None)
    scene.step(TrackedFace(1, Box(0, 0, 5, 5), 0.9, even))
    assert scene.now()["faces"][0]["label"] == "uncertain"


def test_before_the_first_frame_there_is_nothing_to_show() -> None:
    found = Scene().now()
    assert (found["frame"], found["faces"], found["fps"], found["board"]) == (None, [], 0.0, None)
    assert found["timeline"]["points"] == []


def test_old_faces_are_not_taken_for_present_ones() -> None:
    scene = Scene()
    scene.step(face())
    scene.clock.now_s += STALE_S + 0.1
    assert scene.now()["faces"] == []
    assert scene.now()["frame"]["age_s"] == pytest.approx(STALE_S + 0.1)


def test_a_lost_camera_shows_no_face_at_once() -> None:
    scene = Scene()
    scene.step(face())
    scene.health.camera_lost("unplugged")
    found = scene.now()
    assert (found["faces"], found["state"], found["ready"]) == ([], "camera_lost", False)
    assert found["reasons"] == {"camera": "unplugged"}


def test_speed_is_that_of_the_last_seconds() -> None:
    scene = Scene()
    for _ in range(100):
        scene.step(after_s=0.1)
    assert scene.now()["fps"] == pytest.approx(10.0, rel=0.05)
    scene.clock.now_s += FPS_WINDOW_S + 0.1
    assert scene.now()["fps"] == 0.0


def test_stage_times_are_percentiles_of_the_last_seconds() -> None:
    scene = Scene()
    for value in range(1, 101):
        scene.clock.now_s += 0.01
        scene.live.observe(Observation(value, 0.0, WALL, 4, 4, (), stages_ms={"detect": float(value)}))
    assert scene.now()["stages_ms"] == {"detect": {"p50": 51.0, "p95": 96.0}}
    assert scene.live.totals()["stages"] == {"detect": (100, pytest.approx(5.05))}
    scene.clock.now_s += 60.0
    assert scene.now()["stages_ms"] == {}


def test_the_timeline_has_the_mean_of_the_most_prominent_face_per_second() -> None:
    scene = Scene()
    scene.step(face(1, "happy", 0.9, size=80.0), face(2, "sad", 0.9, size=10.0), after_s=0.1)
    scene.step(face(1, "happy", 0.7, size=80.0), after_s=0.1)
    scene.step(after_s=1.0)
    scene.step(after_s=1.0)
    first, second = scene.now()["timeline"]["points"]
    assert first[:2] == [0, 2]
    assert first[2][LABELS.index("happy")] == pytest.approx(0.8)
    assert second == [1, 0, None]


def test_a_second_without_frames_is_no_point_of_the_timeline() -> None:
    scene = Scene()
    scene.step(face(), after_s=0.1)
    scene.step(face(), after_s=5.0)
    scene.step(face(), after_s=1.0)
    assert [point[0] for point in scene.now()["timeline"]["points"]] == [0, 5]


def test_the_timeline_forgets_what_is_older_than_its_span() -> None:
    scene = Scene()
    for _ in range(TIMELINE_S + 50):
        scene.step(face(), after_s=1.0)
    points = scene.now()["timeline"]["points"]
    assert len(points) == TIMELINE_S
    scene.clock.now_s += TIMELINE_S - 10
    assert len(scene.now()["timeline"]["points"]) <= 11


def test_the_short_snapshot_has_only_the_last_full_second_of_the_timeline() -> None:
    scene = Scene()
    for _ in range(5):
        scene.step(face(), after_s=1.0)
    assert len(scene.live.snapshot(timeline=False)["timeline"]["points"]) == 1


def test_a_model_with_other_labels_takes_over_without_a_break() -> None:
    scene = Scene()
    scene.step(face(), after_s=0.1)
    started(scene.live, labels=["happy", "sad"])
    scene.clock.now_s += 0.1
    other = TrackedFace(1, Box(0, 0, 9, 9), 0.9, Expression((0.8, 0.2), "happy"))
    scene.live.observe(seen(1, other))
    found = scene.now()
    assert found["labels"] == ["happy", "sad"]
    assert found["faces"][0]["probabilities"] == {"happy": 0.8, "sad": 0.2}


def test_who_runs_is_what_the_first_event_said() -> None:
    scene = Scene()
    started(scene.live, model="mine")
    assert scene.now()["who"]["model"] == "mine"
    assert "type" not in scene.now()["who"]


def test_counts_come_from_frames_events_and_those_who_count() -> None:
    scene = Scene()
    scene.step(face(1), face(2))
    scene.step(face(1))
    scene.live.count(dropped_frames=7, lost_events=2)
    scene.live.emit(plain("camera_lost", WALL, reason="gone"))
    counts = {"frames": 2, "faces": 3, "dropped_frames": 7, "lost_events": 2, "camera_losses": 1}
    assert scene.now()["counts"] == counts


def test_the_board_is_told_as_it_was_read() -> None:
    scene = Scene()
    scene.live.board(temperature_c=61.5, throttled=["under-voltage"], memory_available_bytes=5)
    board = {"temperature_c": 61.5, "throttled": ["under-voltage"], "memory_available_bytes": 5}
    assert scene.now()["board"] == board
    scene.live.board()
    assert scene.now()["board"] == dict.fromkeys(board)


def test_a_snapshot_is_json_and_says_its_version() -> None:
    scene = Scene()
    started(scene.live)
    scene.step(face())
    assert json.loads(json.dumps(scene.now(), allow_nan=False))["schema_version"] == 1


def test_a_snapshot_does_not_change_afterwards() -> None:
    scene = Scene()
    scene.step(face(), after_s=1.5)
    scene.live.emit(plain("camera_lost", WALL, reason="gone"))
    before = scene.now()
    kept = json.dumps(before)
    scene.health.report("mqtt", "down")
    for _ in range(5):
        scene.step(face(5, "sad"), after_s=1.0)
    assert json.dumps(before) == kept


def test_events_are_kept_for_readers_who_broke_off() -> None:
    live = Scene().live
    for number in range(5):
        live.emit({"type": "x", "number": number})
    found, lost = live.since(2)
    assert [told.event["number"] for told in found] == [2, 3, 4]
    assert ([told.number for told in found], lost, live.newest) == ([3, 4, 5], 0, 5)
    assert json.loads(found[0].text) == {"type": "x", "number": 2}


def test_events_that_are_forgotten_are_counted() -> None:
    live = Scene().live
    for number in range(MAX_EVENTS + 10):
        live.emit({"type": "x", "number": number})
    found, lost = live.since(0)
    assert (len(found), lost) == (MAX_EVENTS, 10)


def test_listeners_are_woken_by_every_event_until_they_end() -> None:
    live = Scene().live
    woken: list[int] = []
    end = live.listen(lambda: woken.append(1))
    live.emit({"type": "x"})
    end()
    live.emit({"type": "x"})
    assert woken == [1]


def test_memory_stays_bounded_whatever_comes() -> None:
    scene = Scene()
    scene.step(*(face(track) for track in range(MAX_FACES + 40)))
    scene.live.observe(
        Observation(1, 0.0, WALL, 4, 4, (), stages_ms={f"stage {i}": 1.0 for i in range(MAX_STAGES + 20)})
    )
    for number in range(MAX_TYPES + 50):
        scene.live.emit({"type": f"kind {number}"})
    totals = scene.live.totals()
    assert len(totals["events"]) == MAX_TYPES
    assert len(totals["stages"]) == MAX_STAGES
    scene.step(*(face(track) for track in range(MAX_FACES + 40)))
    assert len(scene.now()["faces"]) == MAX_FACES


def test_many_threads_may_use_it_at_once() -> None:
    scene = Scene()
    failures: list[BaseException] = []

    def work(what: str) -> None:
        try:
            for number in range(200):
                if what == "read":
                    json.dumps(scene.now())
                elif what == "emit":
                    scene.live.emit({"type": "x", "number": number})
                else:
                    scene.live.observe(seen(number, face()))
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(what,)) for what in ("read", "read", "emit", "see", "see")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)
    finally:
        sys.setswitchinterval(before)
    assert failures == []
    assert scene.now()["counts"]["frames"] == 400
    assert scene.live.newest == 200


CROWD = PrivacySettings(mode="aggregate", min_group=3, window_s=10.0)


def counts(people: int) -> Event:
    return plain("counts", WALL, since="2026-01-01T00:00:00.000Z", people=people, labels={"happy": people})


def test_in_aggregate_the_newest_windows_are_shown_and_their_number_is_bounded() -> None:
    live = Scene(CROWD).live
    for people in range(KEPT_WINDOWS + 5):
        live.emit(counts(people))
    found = live.snapshot()["aggregate"]
    assert (found["window_s"], found["min_group"], len(found["windows"])) == (10.0, 3, KEPT_WINDOWS)
    assert found["windows"][-1]["labels"] == {"happy": KEPT_WINDOWS + 4}


def test_in_aggregate_statistics_do_not_tell_whether_anybody_is_there() -> None:
    live = Scene(CROWD).live
    live.emit(plain("statistics", WALL, frames=5, faces=3, searches={"around": 2}))
    (told,) = live.since(0)[0]
    assert "frames" in told.event
    assert not {"faces", "searches"} & set(told.event)


def test_in_aggregate_faces_are_not_counted() -> None:
    found = fill(CROWD).snapshot()
    assert (found["faces"], found["timeline"], found["counts"]["faces"]) == (None, None, None)
    assert found["counts"]["frames"] == 3


def reachable(thing: object, seen_ids: set[int] | None = None) -> list[object]:
    """Everything that an object holds, at any depth."""
    known = set() if seen_ids is None else seen_ids
    if id(thing) in known:
        return []
    known.add(id(thing))
    inner: list[object] = []
    if isinstance(thing, dict):
        inner = [*thing, *thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)) or type(thing).__name__ == "deque":
        inner = list(thing)  # type: ignore[call-overload]
    elif hasattr(thing, "__dict__"):
        inner = list(vars(thing).values())
    return [thing, *(found for each in inner for found in reachable(each, known))]


def fill(privacy: PrivacySettings) -> Live:
    """Faces with tracks 1000 to 1005, seen and told of."""
    scene = Scene(privacy)
    stream = EventStream(LABELS, float("inf"))
    for seq in range(3):
        faces = tuple(face(1000 + i, "happy", 0.8125) for i in range(6))
        observation = Observation(seq, seq / 10, WALL, 320, 240, faces, left=(999,))
        scene.clock.now_s += 1.0
        scene.live.observe(observation)
        for event in stream.events(observation):
            scene.live.emit(event)
    return scene.live


def test_in_aggregate_no_track_no_box_and_no_probability_is_held_anywhere() -> None:
    held = reachable(fill(CROWD))
    assert not [thing for thing in held if isinstance(thing, (TrackedFace, Box, Expression, Observation))]
    assert not {1000, 1005, 0.8125} & {thing for thing in held if isinstance(thing, (int, float))}


def test_the_search_through_what_is_held_finds_faces_where_they_may_be() -> None:
    held = reachable(fill(PrivacySettings()))
    assert [thing for thing in held if isinstance(thing, TrackedFace)]
    assert {1000, 1005, 0.8125} <= {thing for thing in held if isinstance(thing, (int, float))}


def test_in_aggregate_events_of_faces_are_neither_kept_nor_counted() -> None:
    live = fill(CROWD)
    assert live.since(0) == ([], 0)
    assert live.totals()["events"] == {}
    live.emit(plain("camera_lost", WALL, reason="gone"))
    assert [told.event["type"] for told in live.since(0)[0]] == ["camera_lost"]


@pytest.mark.parametrize("mode", ["events", "aggregate", "no-frames"])
def test_no_mode_holds_a_pixel(mode: Any) -> None:
    assert not [
        thing for thing in reachable(fill(PrivacySettings(mode=mode))) if type(thing).__module__.startswith("numpy")
    ]
