"""The daemon's life: start, frames, loss of the camera, signals, end."""

from __future__ import annotations

import os
import signal

import pytest

from fer_edge.daemon import capturing
from fer_edge.errors import CameraBroken, CameraLost, ExitCode
from fer_edge.types import Frame
from support.daemons import OneFace, ScriptedCamera, daemon


def test_every_frame_of_a_clip_is_seen_and_the_end_is_told() -> None:
    camera = ScriptedCamera(range(5))
    subject, sink = daemon([camera])
    assert subject.run(model="m") == ExitCode.OK
    assert sink.kinds() == ["started", "face_entered", *["expression"] * 5, "statistics", "stopped"]
    assert sink.events[0]["model"] == "m"
    assert sink.events[-1]["reason"] == "done"
    assert camera.closed >= 1
    assert sink.closed == 1


def test_statistics_count_frames_faces_and_stage_times() -> None:
    subject, sink = daemon([ScriptedCamera(range(4))])
    subject.run()
    told = next(event for event in sink.events if event["type"] == "statistics")
    assert (told["frames"], told["faces"], told["dropped_frames"], told["lost_events"]) == (4, 4, 0, 0)
    assert told["stages_ms"] == {"detect": {"p50": 2.0, "p95": 2.0, "p99": 2.0}}
    assert told["cpu_ms_per_frame"] >= 0.0


def test_it_stops_after_the_asked_number_of_frames() -> None:
    subject, sink = daemon([ScriptedCamera(range(1000))], max_frames=3)
    assert subject.run() == ExitCode.OK
    assert sink.kinds().count("expression") == 3


def test_a_clip_that_breaks_off_keeps_its_events_and_fails_with_its_reason() -> None:
    subject, sink = daemon([ScriptedCamera([0, 1, CameraLost("clip.mp4 breaks off at frame 2")])])
    with pytest.raises(CameraLost, match="breaks off at frame 2"):
        subject.run()
    assert sink.kinds() == ["started", "face_entered", "expression", "expression", "statistics", "stopped"]
    assert sink.events[-1]["reason"] == "clip.mp4 breaks off at frame 2"


def test_a_source_that_does_not_open_is_an_error_before_any_event() -> None:
    subject, sink = daemon([CameraBroken("no camera")])
    with pytest.raises(CameraBroken, match="no camera"):
        subject.run()
    assert sink.events == []


def test_a_lost_live_camera_is_opened_again_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "PAUSES_S", (0.0,))
    lost = CameraLost("unplugged")
    first = ScriptedCamera([0, lost], live=True)
    second = ScriptedCamera([1], live=True)
    subject, sink = daemon([first, CameraLost("still away"), second])
    assert subject.run() == ExitCode.OK
    changes = [event for event in sink.events if event["type"].startswith("camera")]
    assert [(event["type"], event.get("reason"), event.get("attempts")) for event in changes] == [
        ("camera_lost", "unplugged", None),
        ("camera_back", None, 2),
    ]
    assert first.closed == 1


def test_a_signal_ends_the_run_cleanly() -> None:
    steps = OneFace(also=lambda frame: os.kill(os.getpid(), signal.SIGTERM) if frame.seq == 2 else None)
    subject, sink = daemon([ScriptedCamera(range(10_000_000))], steps)
    before = signal.getsignal(signal.SIGTERM)
    assert subject.run() == ExitCode.OK
    assert sink.kinds()[-2:] == ["statistics", "stopped"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_mistake_in_the_code_is_raised_not_swallowed() -> None:
    def fail(_: Frame) -> None:
        raise ZeroDivisionError("a bug")

    subject, sink = daemon([ScriptedCamera(range(5))], OneFace(also=fail))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        subject.run()
    assert sink.closed == 1


def test_it_ends_when_nobody_reads_its_events_any_more() -> None:
    subject, sink = daemon([ScriptedCamera(range(10_000_000))])
    sink.reader_gone = True
    assert subject.run() == ExitCode.OK
