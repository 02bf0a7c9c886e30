"""Row 12: the disk is full, read-only or broken; events are counted, the file is tried once a minute, others go on."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fer_edge.events import Event
from fer_edge.health import Health
from fer_edge.sinks.jsonl import RETRY_S, JsonLines
from support.clocks import StillClock

NOBODY = 65534


def event(number: int) -> Event:
    return {"number": number, "text": "x" * 100}


def whole(path: Path) -> list[int]:
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line)["number"] for line in text.splitlines()]


@contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[Path]:
    """A real file system of so many KiB."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a file system cannot be mounted here: that needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions mean nothing to root, so the test is somebody else for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


class Counting:
    """`os.write` that fails with this error while told to, and counts how often it was asked."""

    def __init__(self, code: int) -> None:
        self.failing, self.asked = True, 0
        self._code, self._write = code, os.write

    def __call__(self, fd: int, data: bytes) -> int:
        if not data.startswith(b"{"):
            return self._write(fd, data)
        self.asked += 1
        if self.failing:
            raise OSError(self._code, os.strerror(self._code))
        return self._write(fd, data)


def test_a_device_that_is_full_degrades_and_counts_and_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    health, clock = Health(), StillClock()
    health.running()
    sink = JsonLines("/dev/full", health=health, clock=clock)
    for number in range(1800):
        sink.emit(event(number))
        clock.sleep(0.1)
    sink.close()
    assert sink.lost == 1800
    assert health.status().state == "degraded"
    assert health.status().reasons["events"] == (
        "events cannot be written to /dev/full: No space left on device; they are counted as lost"
    )
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 3


def test_a_disk_that_is_full_and_then_is_not(tmp_path: Path) -> None:
    health, clock = Health(), StillClock()
    with small_disk(tmp_path, 64) as disk:
        other = JsonLines(str(tmp_path.parent / "other.jsonl"))
        (disk / "ballast").write_bytes(b"\0" * 40_000)
        sink = JsonLines(str(disk / "events.jsonl"), health=health, clock=clock)
        number = 0
        while not health.status().reasons:
            sink.emit(event(number))
            other.emit(event(number))
            number += 1
            assert number < 1000
        (disk / "ballast").unlink()
        sink.emit(event(number))  # too early
        clock.sleep(RETRY_S)
        sink.emit(event(number + 1))
        assert health.status().reasons == {}
        sink.close()
        other.close()
        found = whole(disk / "events.jsonl")
        assert found[-1] == number + 1
        assert len(found) + sink.lost == number + 2
        assert sink.lost == 2
    assert whole(tmp_path.parent / "other.jsonl") == list(range(number))


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_broken_disk_is_tried_once_a_minute_and_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    health, clock = Health(), StillClock()
    sink = JsonLines(str(tmp_path / "events.jsonl"), health=health, clock=clock)
    disk = Counting(code)
    monkeypatch.setattr(os, "write", disk)
    for number in range(300):
        sink.emit(event(number))
        clock.sleep(1.0)
    assert disk.asked == 5
    assert os.strerror(code) in health.status().reasons["events"]
    disk.failing = False
    clock.sleep(RETRY_S)
    sink.emit(event(300))
    sink.emit(event(301))
    sink.close()
    assert health.status().reasons == {}
    assert whole(tmp_path / "events.jsonl") == [300, 301]
    assert sink.lost == 300


def test_a_folder_that_has_become_read_only_stops_the_rotation_and_says_so() -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        stack.enter_context(unprivileged())
        health, clock = Health(), StillClock()
        path = folder / "events.jsonl"
        sink = JsonLines(str(path), health=health, clock=clock, max_bytes=500, keep=2)
        folder.chmod(0o555)
        for number in range(10):
            sink.emit(event(number))
        assert "Permission denied" in health.status().reasons["events"]
        assert path.stat().st_size <= 500
        written = len(whole(path))
        assert sink.lost == 10 - written
        folder.chmod(0o755)
        clock.sleep(RETRY_S)
        sink.emit(event(10))
        sink.close()
        assert health.status().reasons == {}
        assert whole(path) == [10]
        assert whole(folder / "events.jsonl.1") == list(range(written))


def test_a_folder_that_is_gone_is_counted_until_it_is_back(tmp_path: Path) -> None:
    health, clock = Health(), StillClock()
    card = tmp_path / "card"
    card.mkdir()
    sink = JsonLines(str(card / "events.jsonl"), health=health, clock=clock, max_bytes=300, keep=1)
    sink.emit(event(0))
    sink.emit(event(1))
    card.rename(tmp_path / "away")
    for number in range(2, 6):
        sink.emit(event(number))
        clock.sleep(RETRY_S)
    assert "No such file or directory" in health.status().reasons["events"]
    (tmp_path / "away").rename(card)
    sink.emit(event(6))
    sink.close()
    assert health.status().reasons == {}
    assert [*whole(card / "events.jsonl.1"), *whole(card / "events.jsonl")] == [0, 1, 6]
    assert sink.lost == 4


def test_a_file_that_was_swapped_while_a_line_was_cut_gets_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "events.jsonl", StillClock()
    sink = JsonLines(str(path), clock=clock)
    write, room = os.write, [10]

    def scarce(fd: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= 10
        return write(fd, data[:10])

    monkeypatch.setattr(os, "write", scarce)
    sink.emit(event(0))
    sink.emit(event(1))
    monkeypatch.undo()
    path.unlink()
    clock.sleep(RETRY_S)
    sink.emit(event(2))
    sink.close()
    assert whole(path) == [2]
    assert sink.lost == 2


def test_the_clock_of_the_wall_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StillClock()
    sink = JsonLines(str(tmp_path / "events.jsonl"), clock=clock, max_bytes=10_000)
    monkeypatch.setattr(clock, "wall", lambda: pytest.fail("asked for the time of day"))
    for number in range(50):
        sink.emit(event(number))
    sink.close()
    assert len(list(tmp_path.iterdir())) == 1
