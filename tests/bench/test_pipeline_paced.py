"""A daemon at its source's own pace: its events' ages, its memory, and how it may end. It is played by a script."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fer_bench.machine.energy import Found, Power
from fer_bench.pipeline import paced
from fer_bench.pipeline.following import Following
from fer_bench.pipeline.paced import follow, growth, per_frame, watch
from fer_edge.errors import InputError
from support.boards import lay
from support.clocks import WALL, StillClock

DEADLINE_S = 30.0
HEAD = """
import json, os, signal, sys, time
def say(**event):
    print(json.dumps(event), flush=True)
def end(*_):
    say(type="statistics", frames=60, faces=60, seconds=2.0, fps=30.0, cpu_ms_per_frame=2.0, searches={}, stages_ms={},
        dropped_frames=0)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
say(type="started", live=True, artifact="tflite/int8", detector="yunet")
"""
FRAMES = HEAD + "for i in range(2000):\n    say(type='expression', frame=i, time='', t_s=time.monotonic() - 0.5)\nend()"
PLAYING = HEAD + (
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"  # no end in the middle of a line
    "i = 0\n"
    "while signal.sigtimedwait([signal.SIGTERM], 0.02) is None:\n"
    "    say(type='expression', frame=i, time='', t_s=time.monotonic() - 0.05); i += 1\n"
    "end()\n"
)


def script(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to warm up, and many looks in a short time."""
    monkeypatch.setattr(paced, "WARM_S", 0.0)
    monkeypatch.setattr(paced, "PERIOD_S", 0.02)


def silent() -> Following:
    """A daemon that says nothing, so that a test can note events itself."""
    return Following(script("import signal; signal.pause()"), StillClock())


def test_an_event_of_a_live_source_is_as_old_as_its_frame_on_the_clock_of_all_processes() -> None:
    with silent() as daemon:
        daemon.note({"type": "started", "live": True}, 0.0, WALL)
        daemon.note({"type": "expression", "frame": 1, "time": "", "t_s": 7.25}, 7.5, WALL)
        assert daemon.take() == [250_000_000]


def test_an_event_of_another_source_is_as_old_as_the_time_of_day_says() -> None:
    with silent() as daemon:
        daemon.note({"type": "started", "live": False}, 0.0, WALL)
        event = {"type": "expression", "frame": 1, "t_s": 0.0, "time": "2026-01-01T00:00:00.000Z"}
        daemon.note(event, 7.5, datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=30))
        assert daemon.take() == [30_000_000]


def test_of_a_frame_with_several_events_the_last_one_counts() -> None:
    with silent() as daemon:
        daemon.note({"type": "started", "live": True}, 0.0, WALL)
        for kind, at_s in (("face_entered", 1.1), ("expression", 1.2)):
            daemon.note({"type": kind, "frame": 4, "time": "", "t_s": 1.0}, at_s, WALL)
        daemon.note({"type": "expression", "frame": 5, "time": "", "t_s": 2.0}, 2.125, WALL)
        assert [round(age / 1e6) for age in daemon.take()] == [200, 125]
        assert daemon.take() == []


def test_events_that_belong_to_no_frame_have_no_age() -> None:
    with silent() as daemon:
        daemon.note({"type": "camera_lost", "time": "", "reason": "x"}, 1.0, WALL)
        assert daemon.take() == []


def test_every_line_is_read_and_what_is_no_json_is_passed_over() -> None:
    with Following(script(f"print('INFO: a library')\n{FRAMES}")) as daemon:
        assert daemon.over.wait(DEADLINE_S)
        ages = daemon.take()
        assert len(ages) == 2000
        assert min(ages) >= 500_000_000
        assert daemon.statistics["fps"] == 30.0


def test_a_process_is_not_left_behind() -> None:
    with Following(script("import signal; signal.pause()")) as daemon:
        assert daemon.memory()[0] is not None
    assert daemon._process.returncode is not None
    assert daemon.memory() == (None, None)


def test_memory_and_cpu_are_those_of_the_process() -> None:
    code = f"ballast = b'x' * 60_000_000\n{HEAD}signal.pause()"
    with Following(script(code)) as daemon:
        assert daemon.started.wait(DEADLINE_S)
        now, peak = daemon.memory()
        assert now is not None
        assert peak is not None
        assert 60_000_000 < now <= peak < 120_000_000
        assert (daemon.cpu_s() or 0.0) < DEADLINE_S


def test_a_source_at_its_own_pace_is_followed_for_as_long_as_was_asked(hurried: None) -> None:
    found = follow({"command": script(PLAYING), "seconds": 1.0})
    assert found["ages_ns"]
    assert min(found["ages_ns"]) >= 50_000_000
    assert (found["fps"], found["identity"]["artifact"]) == (30.0, "tflite/int8")
    assert found["growth_bytes"] is not None
    assert json.dumps(found, allow_nan=False)


def test_energy_is_by_the_meter_of_the_board(hurried: None, tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0"
    lay(tmp_path, {f"{chip}/name": "ina226", f"{chip}/power1_input": "3000000"})
    found = follow({"command": script(PLAYING), "seconds": 0.2}, root=tmp_path)
    assert found["watts"] == pytest.approx(3.0)
    assert found["mj_per_frame"] == pytest.approx(100.0)
    assert found["energy"]["covers"] == "what the chip ina226 is wired to"


def test_a_board_without_a_meter_gives_no_energy_and_a_reason(hurried: None, tmp_path: Path) -> None:
    found = follow({"command": script(PLAYING), "seconds": 0.2}, root=tmp_path)
    assert (found["watts"], found["mj_per_frame"], found["energy"]) == (None, None, None)
    assert found["no_energy"] == "this machine has no meter of its power"


def test_a_meter_that_falls_silent_is_told(hurried: None) -> None:
    with silent() as daemon:
        found = watch(daemon, 0.1, Found(Power("chip", "all", lambda: None)))
    assert (found["energy"], found["no_energy"]) == (None, "chip gave no number")


@pytest.mark.parametrize(
    ("code", "seconds", "reason"),
    [
        ("import sys; sys.exit('no such camera')", 20.0, "ended with status 1: no such camera"),
        ("import os; os.kill(os.getpid(), 9)", 20.0, "SIGKILL"),
        (f"{HEAD}end()", 20.0, "ended before its time was over"),
        (f"{HEAD.replace('sys.exit(0)', 'sys.exit(3)')}signal.pause()", 0.1, "ended with status 3"),
        (f"{HEAD.replace('fps=30.0', 'fps=None')}signal.pause()", 0.1, "saw too few frames"),
    ],
)
def test_a_daemon_that_does_not_last_is_told_with_its_reason(
    hurried: None, code: str, seconds: float, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        follow({"command": script(code), "seconds": seconds})


def test_growth_is_between_the_medians_of_the_first_and_the_last_quarter() -> None:
    assert growth([100, 101, 500, 1, 1, 1, 1, 1, 1, 203, 999, 202]) == 102
    assert growth([1, 2, 3]) is None


def test_millijoules_of_a_frame_are_watts_by_frames_per_second() -> None:
    assert per_frame({"watts": 4.0}, 20.0) == {"watts": 4.0, "mj_per_frame": 200.0}
