"""Row 1: a camera that is absent at the start is waited for with growing pauses, and the process stays up."""

from __future__ import annotations

import pytest

from fer_edge.cameras.v4l2 import CameraBusy
from fer_edge.daemon import capturing
from fer_edge.daemon.capturing import Capturing, Change
from fer_edge.daemon.slot import Slot
from fer_edge.errors import CameraBroken, CameraLost, ExitCode
from fer_edge.health import Health
from fer_edge.types import Frame
from support.clocks import StillClock
from support.daemons import PATIENCE_S, ScriptedCamera, daemon, opener

AWAY = CameraLost("there is no /dev/video0")


def settled(subject: Capturing) -> Change | None:
    """What a look finds once the thread of the newest opening is done or has a frame."""
    reader = subject._reader
    if reader is not None:
        reader.stirred.wait(PATIENCE_S)
    return subject.poll()


def test_pauses_grow_to_half_a_minute_and_the_camera_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "JITTER", 0.0)
    clock, health = StillClock(), Health()
    camera = ScriptedCamera([0], live=True)
    subject = Capturing(opener([AWAY] * 6 + [camera]), Slot[Frame](), clock, health)
    subject.start()
    assert settled(subject) == Change("lost", str(AWAY))
    waits = []
    for _ in range(6):
        assert health.status().state == "camera_lost"
        assert not health.status().ready
        began_s = clock.now_s
        while subject.waiting:
            clock.now_s += 0.5
            subject.poll()
        waits.append(clock.now_s - began_s)
        change = settled(subject)
    assert waits == [1.0, 2.0, 5.0, 10.0, 30.0, 30.0]
    assert change == Change("back", attempts=6)
    assert health.status().reasons == {}
    assert subject.reopened == 1


def test_the_daemon_says_so_and_goes_on_where_it_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "PAUSES_S", (0.0,))
    subject, sink = daemon([AWAY, AWAY, ScriptedCamera([0, 1], live=True)], wait=True, source="0")
    assert subject.run() == 0
    assert sink.kinds()[:2] == ["started", "camera_lost"]
    assert (sink.events[0]["source"], sink.events[0]["live"]) == ("0", None)
    assert [event["attempts"] for event in sink.events if event["type"] == "camera_back"] == [2]


def test_without_waiting_it_is_an_error_with_its_own_words() -> None:
    subject, sink = daemon([AWAY])
    with pytest.raises(CameraLost, match="there is no /dev/video0"):
        subject.run()
    assert sink.events == []


def test_a_camera_that_another_process_has_is_not_waited_for() -> None:
    subject, sink = daemon([CameraBusy("process 7 has it")], wait=True)
    with pytest.raises(CameraBusy, match="process 7 has it") as caught:
        subject.run()
    assert caught.value.exit_code == ExitCode.TRY_AGAIN
    assert sink.events == []


def test_a_source_that_can_never_work_is_not_waited_for() -> None:
    subject, _ = daemon([CameraBroken("this is no camera")], wait=True)
    with pytest.raises(CameraBroken, match="no camera"):
        subject.run()


def test_pauses_are_longer_by_chance_so_that_cameras_do_not_come_back_together() -> None:
    clock = StillClock()
    dues = set()
    for _ in range(5):
        subject = Capturing(opener([AWAY]), Slot[Frame](), clock, Health())
        subject.start()
        settled(subject)
        dues.add(subject._due_s)
    assert len(dues) > 1
    assert all(101.0 <= due <= 101.0 + capturing.JITTER for due in dues if due is not None)
