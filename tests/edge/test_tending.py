"""The main thread's rounds: the board, systemd, and telling the state."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fer_edge.daemon.capturing import Capturing
from fer_edge.daemon.slot import Slot
from fer_edge.daemon.tending import Guarding, Sparing, Telling
from fer_edge.health import Health
from fer_edge.system.board import Readings
from fer_edge.system.governor import Governor, GovernorSettings, Limits
from fer_edge.system.systemd import Notifier, Watchdog
from fer_edge.types import Frame
from support.clocks import StillClock
from support.daemons import PATIENCE_S, Hang, ScriptedCamera, opener


class Hot:
    """A board of this temperature."""

    def __init__(self, temperature_c: float) -> None:
        self.temperature_c = temperature_c
        self.asked = 0

    def readings(self) -> Readings:
        self.asked += 1
        return Readings(temperature_c=self.temperature_c)


def test_a_hot_board_is_spared_step_by_step_and_comes_back() -> None:
    board, clock, health, applied = Hot(90.0), StillClock(), Health(), list[Limits]()
    health.running()
    settings = GovernorSettings(every_s=5.0, step_s=15.0, recover_s=60.0)
    subject = Sparing(board, Governor(settings), applied.append, health, clock)  # type: ignore[arg-type]
    for _ in range(40):
        subject.tick()
        clock.now_s += 1.0
    assert board.asked == 8
    assert [limits.search_factor for limits in applied] == [3.0, 3.0, 3.0]
    assert (applied[1].max_fps, applied[2].precision) == (8.0, "int8")
    assert health.status().state == "degraded"
    board.temperature_c = 40.0
    for _ in range(300):
        subject.tick()
        clock.now_s += 1.0
    assert applied[-1] == Limits()
    assert health.status().reasons == {}


class Daemon:
    """What the watchdog asks."""

    def __init__(self, capturing: Capturing) -> None:
        self.loops, self.capturing, self.thinking_s = 0, capturing, 0.0

    def thinking_for_s(self) -> float:
        return self.thinking_s


@pytest.fixture
def heard(tmp_path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.settimeout(0.0)
    return channel


def messages(channel: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(channel.recv(4096).decode())
        except BlockingIOError:
            return found


def test_systemd_hears_the_state_and_a_ping_only_while_there_is_progress(heard: socket.socket, tmp_path: Path) -> None:
    clock, health, hang = StillClock(), Health(), Hang()
    capturing = Capturing(opener([ScriptedCamera([0, hang], live=True)]), Slot[Frame](), clock, health)
    capturing.start()
    assert hang.begun.wait(PATIENCE_S)
    capturing.poll()
    notifier = Notifier(str(tmp_path / "notify"))
    subject = Guarding(notifier, Watchdog(notifier, 20.0, clock), health, 10.0)
    daemon = Daemon(capturing)
    subject.watch(daemon)

    def round_after(seconds: float) -> list[str]:
        clock.now_s += seconds
        daemon.loops += 1
        subject.tick()
        return messages(heard)

    with heard:
        assert round_after(0.0) == ["READY=1\nSTATUS=starting", "WATCHDOG=1"]
        health.running()
        assert round_after(0.5) == ["READY=1\nSTATUS=running"]
        assert round_after(10.0) == [], "the newest frame is old and nobody says that the camera is lost"
        capturing.poll()
        health.camera_lost("it says nothing")
        assert round_after(0.0) == ["READY=1\nSTATUS=camera_lost; camera: it says nothing", "WATCHDOG=1"]
        daemon.thinking_s = 11.0
        assert round_after(10.0) == []
    hang.over.set()


def test_the_state_is_told_once_a_second() -> None:
    clock, told = StillClock(), []
    subject = Telling(lambda: told.append(clock.now_s), clock)
    for _ in range(30):
        subject.tick()
        clock.now_s += 0.1
    assert len(told) == 3
