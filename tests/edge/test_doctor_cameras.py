"""Every camera that cannot be used says why, and what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.doctor.cameras import CAPABILITY, Open, camera_findings, holders, picamera2_findings
from fer_edge.doctor.finding import Finding
from support.boards import lay

TIME_LIMIT_S = 120.0


def refusing(code: int) -> Open:
    def refuse(_: Path, __: int) -> int:
        raise OSError(code, os.strerror(code))

    return refuse


def answering(monkeypatch: pytest.MonkeyPatch, card: bytes, capabilities: int) -> None:
    """Every device that is opened is this one."""
    answer = CAPABILITY.pack(b"uvcvideo", card, b"usb-1", 0, 0x8000_0000, capabilities)
    monkeypatch.setattr("fer_edge.doctor.cameras.fcntl.ioctl", lambda *_: answer)


def held(root: Path, device: str) -> None:
    """A process of somebody else's that has the device open."""
    fd = root / "proc/4711/fd"
    fd.mkdir(parents=True)
    (fd / "3").symlink_to(root / device)
    (fd.parent / "comm").write_text("motion\n")


def test_a_camera_is_told_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, {"dev/video10": "", "dev/video2": ""})
    answering(monkeypatch, b"HD Webcam", 1)
    assert camera_findings(tmp_path) == [
        Finding("/dev/video2", "ok", "HD Webcam"),
        Finding("/dev/video10", "ok", "HD Webcam"),
    ]


@pytest.mark.parametrize(("card", "capabilities"), [(b"HD Webcam", 0), (b"bcm2835-isp", 1), (b"unicam", 1)])
def test_a_node_that_is_no_camera_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: bytes, capabilities: int
) -> None:
    lay(tmp_path, {"dev/video0": ""})
    answering(monkeypatch, card, capabilities)
    assert [(each.name, each.level) for each in camera_findings(tmp_path)] == [("cameras", "note")]


def test_a_camera_without_permission_names_the_group_and_the_command(tmp_path: Path) -> None:
    lay(tmp_path, {"dev/video0": ""})
    finding = camera_findings(tmp_path, refusing(errno.EACCES))[0]
    assert finding.level == "problem"
    assert finding.found.startswith("no permission: it belongs to the group ")
    assert finding.fix.startswith("sudo usermod -aG ")
    assert finding.fix.endswith(", then log in again")


def test_a_busy_camera_names_the_process_that_holds_it(tmp_path: Path) -> None:
    lay(tmp_path, {"dev/video0": ""})
    held(tmp_path, "dev/video0")
    finding = camera_findings(tmp_path, refusing(errno.EBUSY))[0]
    assert (finding.level, finding.found) == ("problem", "in use by motion (process 4711)")


def test_a_busy_camera_of_another_user_says_so(tmp_path: Path) -> None:
    lay(tmp_path, {"dev/video0": ""})
    assert camera_findings(tmp_path, refusing(errno.EBUSY))[0].found == "in use by a process of another user"


def test_a_camera_that_opens_but_is_held_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, {"dev/video0": ""})
    held(tmp_path, "dev/video0")
    answering(monkeypatch, b"HD Webcam", 1)
    finding = camera_findings(tmp_path)[0]
    assert (finding.level, finding.found) == ("warning", "HD Webcam, in use by motion (process 4711)")


def test_a_camera_that_is_gone_again_says_so(tmp_path: Path) -> None:
    lay(tmp_path, {"dev/video0": ""})
    assert camera_findings(tmp_path, refusing(errno.ENODEV))[0].found == "cannot be opened: No such device"


def test_a_file_that_is_no_device_is_told(tmp_path: Path) -> None:
    lay(tmp_path, {"dev/video0": ""})
    assert camera_findings(tmp_path)[0] == Finding("/dev/video0", "warning", "is not a video device")


def test_without_any_camera_the_demo_is_named(tmp_path: Path) -> None:
    (finding,) = camera_findings(tmp_path)
    assert finding.level == "note"
    assert "--source demo" in finding.fix


def test_a_real_process_that_holds_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.touch()
    with path.open() as file:
        assert holders(Path("/"), path) == []  # this process itself is not another
        with subprocess.Popen(["sleep", "600"], stdin=file) as process:
            found = holders(Path("/"), path)
            process.kill()
    assert found == [f"sleep (process {process.pid})"]


@pytest.mark.parametrize(
    ("code", "system", "words", "fix"),
    [
        (None, False, "is not installed", "sudo apt install python3-picamera2"),
        (None, True, "does not see the system's packages", "--system-site-packages"),
        ("raise ModuleNotFoundError(\"No module named 'libcamera'\")", False, "is not installed", "sudo apt install"),
        (
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
            True,
            "was built for another numpy",
            "pip install 'numpy<2'",
        ),
        ("raise OSError('no IPA')", True, "cannot be imported: OSError: no IPA", "apt install --reinstall"),
    ],
)
def test_a_picamera2_that_cannot_be_imported_says_why(
    tmp_path: Path, code: str | None, system: bool, words: str, fix: str
) -> None:
    if system:
        lay(tmp_path, {"usr/lib/python3/dist-packages/picamera2/__init__.py": ""})
    shadow = lay(tmp_path / "shadow", {"picamera2.py": code} if code else {".keep": ""})
    environment = {**os.environ, "PYTHONPATH": str(shadow)}
    (finding,) = picamera2_findings(tmp_path, environment, TIME_LIMIT_S)
    if sys.prefix == sys.base_prefix and "--system" in fix:
        pytest.skip("this Python is the system's own")
    assert finding.level == "warning"
    assert words in finding.found
    assert fix in finding.fix


def test_a_picamera2_that_can_be_imported_is_fine(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(lay(tmp_path, {"picamera2.py": ""}))}
    assert picamera2_findings(tmp_path, environment, TIME_LIMIT_S) == [Finding("picamera2", "ok", "can be imported")]
