"""Fault 36: a second daemon wants the camera of the first. It is told who has it, and ends with status 75."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.cameras import v4l2
from fer_edge.cameras.capture import Capture
from fer_edge.cameras.v4l2 import CameraBusy, Devices, V4l2Camera, open_v4l2
from fer_edge.clock import SystemClock
from fer_edge.command import guarded
from fer_edge.errors import CameraLost, ExitCode

CLOCK = SystemClock()
GOOD = np.full((48, 64, 3), 90, np.uint8)
HOLD = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


class GoodCapture:
    def __init__(self, *, opens: bool = True) -> None:
        self.opens = opens

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def read(self) -> tuple[bool, Any]:
        return True, GOOD

    def get(self, prop: int, /) -> float:
        return 0.0

    def set(self, prop: int, value: float, /) -> bool:
        return prop != cv2.CAP_PROP_FOURCC

    def release(self) -> None:
        """Nothing is held."""


class FileAsDevice(Devices):
    """A plain file in the place of /dev/video0: locks and open descriptors work alike."""

    def __init__(self, capture: Capture | None = None) -> None:
        self._capture = capture or GoodCapture()

    def card(self, path: Path) -> str:
        return "HD Webcam"

    def capture(self, path: Path) -> Capture:
        return self._capture


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


@pytest.fixture
def other_daemon(device: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked the device."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLD, str(device)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        yield child
        child.kill()


def opened(device: Path, devices: Devices | None = None) -> V4l2Camera:
    return open_v4l2(device, CLOCK, None, devices or FileAsDevice())


def test_the_second_is_told_which_process_holds_the_camera(device: Path, other_daemon: subprocess.Popen[str]) -> None:
    words = rf"video0 \(HD Webcam\) is busy; it is in use by \S+ \(process {other_daemon.pid}\); stop that, or name"
    with pytest.raises(CameraBusy, match=words):
        opened(device)


def test_the_second_ends_with_status_75(
    device: Path, other_daemon: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = guarded("fer-edge", lambda: opened(device) is None)
    assert status == 75
    assert f"(process {other_daemon.pid})" in capsys.readouterr().err


def test_a_holder_whose_descriptors_are_hidden_is_known_by_its_lock(
    device: Path, other_daemon: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v4l2, "_has_open", lambda *_: False)  # it runs as another user
    with pytest.raises(CameraBusy, match=rf"\(process {other_daemon.pid}\)"):
        opened(device)


def test_a_holder_of_which_nothing_can_be_known_is_still_a_busy_camera(
    device: Path, other_daemon: subprocess.Popen[str], tmp_path: Path
) -> None:
    devices = FileAsDevice()
    devices.processes = tmp_path / "no proc"
    with pytest.raises(CameraBusy, match="is busy; another process has locked it; stop that"):
        opened(device, devices)


def test_when_the_first_is_gone_the_camera_is_free(device: Path, other_daemon: subprocess.Popen[str]) -> None:
    other_daemon.kill()
    other_daemon.wait()
    with opened(device) as camera:
        assert camera.read(10.0).seq == 0


def test_a_daemon_that_closes_its_camera_can_open_it_again(device: Path) -> None:
    with opened(device):
        pass
    with opened(device) as camera:
        assert camera.read(10.0).seq == 0


def test_a_camera_that_did_not_open_is_not_kept_locked(device: Path) -> None:
    with pytest.raises(CameraLost, match="cannot be opened"):
        opened(device, FileAsDevice(GoodCapture(opens=False)))
    with opened(device) as camera:
        assert camera.read(10.0).seq == 0


def test_a_driver_that_is_busy_names_who_has_it_open(
    device: Path, other_daemon: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def busy(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if Path(path) == device:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return really_open(path, flags, mode)

    monkeypatch.setattr("fer_edge.cameras.v4l2.os.open", busy)
    with pytest.raises(CameraLost, match=rf"busy; it is in use by \S+ \(process {other_daemon.pid}\)") as error:
        Devices().card(device)
    assert error.value.exit_code == ExitCode.TRY_AGAIN


def test_a_device_that_cannot_be_locked_is_used_all_the_same(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fer_edge.cameras.v4l2.fcntl.flock", refuse)
    with opened(device) as camera:
        assert camera.read(10.0).seq == 0
