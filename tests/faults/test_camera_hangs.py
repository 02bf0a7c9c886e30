"""Row 3: a read that never returns is noticed by the frames' age; a second one needs a new process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fer_edge.daemon import capturing
from fer_edge.daemon.capturing import Capturing, Change, Wedged
from fer_edge.daemon.slot import Slot
from fer_edge.errors import ExitCode
from fer_edge.health import Health
from fer_edge.types import Frame
from support.clocks import StillClock
from support.daemons import PATIENCE_S, Hang, ScriptedCamera, opener

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from fer_edge.daemon import capturing
from fer_edge.clock import SystemClock
from fer_edge.command import guarded
from support.daemons import Hang, ScriptedCamera, daemon
capturing.STALL_AFTER_S, capturing.STALL_PERIODS, capturing.PAUSES_S = 0.2, 0, (0.0,)
cameras = [ScriptedCamera([0, Hang()], live=True) for _ in range(2)]
subject, _ = daemon(cameras, clock=SystemClock())
sys.exit(guarded("fer-edge", subject.run))
"""


def test_a_second_reader_takes_over_and_a_second_hang_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "PAUSES_S", (0.0,))
    clock, health = StillClock(), Health()
    hangs = [Hang(), Hang()]
    cameras = [ScriptedCamera([i, hang], live=True) for i, hang in enumerate(hangs)]
    subject = Capturing(opener(cameras), Slot[Frame](), clock, health)
    subject.start()
    assert hangs[0].begun.wait(PATIENCE_S)
    assert subject.poll() == Change("opened")
    assert subject.poll() is None
    clock.now_s += capturing.STALL_AFTER_S + 0.1
    lost = subject.poll()
    assert lost is not None
    assert (lost.kind, "gave no frame for 3 s, and says nothing" in lost.reason) == ("lost", True)
    subject.poll()
    assert hangs[1].begun.wait(PATIENCE_S)
    assert subject.poll() == Change("back", attempts=1)
    assert [reader.thread.is_alive() for reader in subject._left] == [True]
    clock.now_s += capturing.STALL_AFTER_S + 0.1
    with pytest.raises(Wedged, match="hangs in 2 calls"):
        subject.poll()
    for hang in hangs:
        hang.over.set()


def test_a_slow_camera_is_given_ten_of_its_periods() -> None:
    clock, hang = StillClock(), Hang()
    camera = ScriptedCamera([0, hang], live=True)
    camera.fps = 1.0
    subject = Capturing(opener([camera]), Slot[Frame](), clock, Health())
    subject.start()
    assert hang.begun.wait(PATIENCE_S)
    subject.poll()
    clock.now_s += 9.0
    assert subject.poll() is None
    clock.now_s += 2.0
    change = subject.poll()
    assert change is not None
    assert change.kind == "lost"
    hang.over.set()


def test_a_frame_that_comes_late_from_an_abandoned_reader_is_not_seen() -> None:
    clock, hang, slot = StillClock(), Hang(), Slot[Frame]()
    subject = Capturing(opener([ScriptedCamera([0, hang, 1, 2], live=True)]), slot, clock, Health())
    subject.start()
    assert hang.begun.wait(PATIENCE_S)
    subject.poll()
    first = slot.take(0.0)
    assert first is not None
    assert first.seq == 0
    reader = subject._reader
    clock.now_s += 60.0
    subject.poll()
    hang.over.set()
    assert reader is not None
    reader.thread.join(PATIENCE_S)
    assert not reader.thread.is_alive()
    assert slot.take(0.0) is None


def test_a_process_that_is_wedged_ends_with_the_status_that_asks_for_another_try() -> None:
    tests = next(path for path in sys.path if path.endswith("tests"))
    command = [sys.executable, "-c", PROGRAM, tests]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == ExitCode.TRY_AGAIN, ended.stderr
    assert "a new process is needed" in ended.stderr.splitlines()[-1]
