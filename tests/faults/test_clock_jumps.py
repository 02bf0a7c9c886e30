"""Row 14: a wall clock that jumps, for want of a battery or by daylight saving, moves nothing but the shown time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from fer_edge.clock import SystemClock
from fer_edge.sinks.jsonl import JsonLines
from support.daemons import OneFace, ScriptedCamera, daemon

BEGIN = datetime(2026, 3, 29, 0, 59, 59, tzinfo=timezone.utc)
JUMPS = (timedelta(hours=-1), timedelta(days=365), timedelta(days=-365 * 30), timedelta(hours=1))


class Jumping(SystemClock):
    """Steady seconds that are the machine's, and a time of day that jumps at every look."""

    def __init__(self) -> None:
        self.looks = 0

    def wall(self) -> datetime:
        self.looks += 1
        return BEGIN + sum(JUMPS[: self.looks % (len(JUMPS) + 1)], timedelta())


def test_nothing_is_reopened_timed_out_or_lost() -> None:
    clock = Jumping()
    subject, sink = daemon([ScriptedCamera(range(60), live=True)], clock=clock, statistics_every_s=3600.0)
    subject.run()
    assert not {"camera_lost", "camera_back", "state_changed", "frame_failed"} & set(sink.kinds())
    assert sink.kinds().count("statistics") == 1
    assert clock.looks >= 3


def test_a_clip_is_told_of_in_its_own_seconds() -> None:
    subject, sink = daemon([ScriptedCamera(range(30))], OneFace(), clock=Jumping())
    subject.run()
    told = [event["t_s"] for event in sink.events if event["type"] == "expression"]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(2.9)


def test_jumps_rotate_no_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("events")
    sink = JsonLines(str(folder / "events.jsonl"), clock=Jumping(), max_bytes=1_000_000)
    for i in range(50):
        sink.emit({"i": i})
    sink.close()
    assert [path.name for path in folder.iterdir()] == ["events.jsonl"]
    assert sink.lost == 0
