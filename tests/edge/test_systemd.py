"""systemd is told the truth over a real socket, and is told that all is well only with proof."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.system.systemd import MAX_STATUS_CHARS, Notifier, Progress, Watchdog, watchdog_period_s
from support.clocks import StillClock

WAIT_S = 10.0
WELL = Progress(loops=0, frame_age_s=0.1, stall_after_s=2.0, reopening=False, inference_s=None, inference_limit_s=10.0)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(WAIT_S)
        yield listener


def told(listener: socket.socket) -> str:
    return listener.recv(4096).decode()


def notifier(listener: socket.socket) -> Notifier:
    return Notifier.from_environment({"NOTIFY_SOCKET": str(listener.getsockname())})


def test_a_service_says_that_it_is_ready_what_it_does_and_that_it_stops(systemd: socket.socket) -> None:
    tell = notifier(systemd)
    assert tell.listening
    assert tell.ready("3 cameras\nfound")
    assert told(systemd) == "READY=1\nSTATUS=3 cameras found"
    assert tell.status("12.0 frames/s")
    assert told(systemd) == "STATUS=12.0 frames/s"
    assert tell.stopping()
    assert told(systemd) == "STOPPING=1"


def test_a_reload_carries_the_monotonic_time_in_microseconds(systemd: socket.socket) -> None:
    assert notifier(systemd).reloading(StillClock())
    assert told(systemd) == "RELOADING=1\nMONOTONIC_USEC=100000000"


def test_an_abstract_name_is_understood() -> None:
    name = f"fer-edge-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(WAIT_S)
        assert Notifier(f"@{name}").ping()
        assert told(listener) == "WATCHDOG=1"


@pytest.mark.parametrize("address", [None, "", "@", "/", "vsock:2:1234", "relative/path"])
def test_without_a_socket_nothing_happens(address: str | None, caplog: pytest.LogCaptureFixture) -> None:
    tell = Notifier(address)
    assert not tell.listening
    assert not any((tell.ready(), tell.status("x"), tell.stopping(), tell.ping(), tell.reloading(StillClock())))
    assert caplog.messages == []


def test_the_environment_without_a_socket_is_quiet() -> None:
    assert not Notifier.from_environment({}).ready()


def test_a_socket_that_went_away_is_said_once_and_not_raised(
    systemd: socket.socket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell = notifier(systemd)
    (tmp_path / "notify").unlink()
    assert not tell.ping()
    assert not tell.ping()
    assert caplog.messages == ["systemd cannot be told how the service is: No such file or directory"]


def test_a_systemd_that_does_not_read_holds_nobody_up_for_ever(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_edge.system.systemd.SEND_TIMEOUT_S", 0.05)
    tell = notifier(systemd)
    over = threading.Event()

    def flood() -> None:
        while tell.ping():
            pass
        over.set()

    threading.Thread(target=flood, daemon=True).start()
    assert over.wait(WAIT_S)


def test_an_empty_status_is_not_sent_and_a_long_one_is_cut(systemd: socket.socket) -> None:
    tell = notifier(systemd)
    assert not tell.status("  \n ")
    assert tell.status("x" * 10_000)
    assert told(systemd) == "STATUS=" + "x" * MAX_STATUS_CHARS


def test_the_watchdogs_period_is_read_from_the_environment() -> None:
    assert watchdog_period_s({"WATCHDOG_USEC": "20000000"}) == 20.0
    assert watchdog_period_s({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}) == 0.5
    assert watchdog_period_s({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "12"}, pid=12) == 0.5


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_that_is_absent_or_meant_for_another_process_is_none(environment: dict[str, str]) -> None:
    assert watchdog_period_s(environment, pid=4711) is None


def test_fresh_frames_a_turning_loop_and_a_short_inference_are_proof() -> None:
    assert replace(WELL, loops=1, inference_s=9.9).trouble(0) is None


def test_a_lost_camera_that_is_being_reopened_is_no_reason_to_die() -> None:
    assert replace(WELL, loops=1, frame_age_s=3600.0, reopening=True).trouble(0) is None
    assert replace(WELL, loops=1, frame_age_s=None, reopening=True).trouble(0) is None


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (WELL, "the supervisor's loop did not run"),
        (replace(WELL, loops=1, frame_age_s=2.1), "the newest frame is 2.1 s old and nobody is reopening the camera"),
        (replace(WELL, loops=1, frame_age_s=None), "no frame ever came and nobody is opening the camera"),
        (replace(WELL, loops=1, inference_s=10.1), "an inference has been running for 10.1 s, limit 10 s"),
        (
            replace(WELL, loops=1, inference_s=10.1, reopening=True),
            "an inference has been running for 10.1 s, limit 10 s",
        ),
    ],
)
def test_what_is_no_proof_says_why(progress: Progress, words: str) -> None:
    assert progress.trouble(0) == words


def test_it_pings_at_half_of_the_period_and_not_more_often(systemd: socket.socket) -> None:
    clock = StillClock()
    watchdog = Watchdog(notifier(systemd), 20.0, clock)
    assert watchdog.every_s == 10.0
    pings = []
    for turn in range(1, 31):
        pings.append(watchdog.tick(replace(WELL, loops=turn)))
        clock.now_s += 1.0
    assert [index for index, ping in enumerate(pings) if ping] == [0, 10, 20]
    assert told(systemd) == "WATCHDOG=1"


def test_without_proof_nothing_is_sent_until_there_is_some(
    systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    clock = StillClock()
    watchdog = Watchdog(notifier(systemd), 20.0, clock)
    assert watchdog.tick(replace(WELL, loops=1))
    clock.now_s += 10.0
    assert not watchdog.tick(replace(WELL, loops=1))  # the loop has not turned since the last ping
    withheld = [watchdog.withheld]
    assert not watchdog.tick(replace(WELL, loops=1))
    assert watchdog.tick(replace(WELL, loops=2))  # at once, and not after another half period
    assert [*withheld, watchdog.withheld] == ["the supervisor's loop did not run", None]
    assert caplog.messages == ["systemd's watchdog is not answered: the supervisor's loop did not run"]


def test_a_stalled_camera_stops_the_pings(systemd: socket.socket) -> None:
    clock = StillClock()
    watchdog = Watchdog(notifier(systemd), 20.0, clock)
    assert watchdog.tick(replace(WELL, loops=1))
    assert told(systemd) == "WATCHDOG=1"
    for turn in range(2, 200):
        clock.now_s += 1.0
        watchdog.tick(replace(WELL, loops=turn, frame_age_s=float(turn) + 1.0))
    systemd.setblocking(False)  # noqa: FBT003 - the socket's own name for it
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_where_nobody_watches_nothing_is_pinged(systemd: socket.socket) -> None:
    watchdog = Watchdog(notifier(systemd), None, StillClock())
    assert watchdog.every_s is None
    assert not watchdog.tick(replace(WELL, loops=1))
