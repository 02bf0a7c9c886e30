"""What `fer-edge cameras` tells of a machine: drivers that answer as the kernel's do, in a made-up root."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fer_edge.cameras import listing, picam
from fer_edge.cameras.listing import Found, as_document, as_text, listed, looked_for
from fer_edge.cameras.v4l2 import CAPABILITY, VIDIOC_QUERYCAP
from support.picamera2_fake import Machine, info

WEBCAM, METADATA, CODEC = 0x0420_0001, 0x04A0_0000, 0x0400_8000
WHOLE = 0x84A0_0001
SIZES = {b"MJPG": [(640, 480), (1280, 720)], b"YUYV": [(640, 480)]}


class Driver:
    """Answers the three questions of a V4L2 device as a driver does."""

    def __init__(
        self, driver: bytes = b"uvcvideo", own: int = WEBCAM, whole: int = WHOLE, *, stepwise: bool = False
    ) -> None:
        self.driver, self.own, self.whole, self.stepwise = driver, own, whole, stepwise
        self.formats = list(SIZES)

    def answer(self, request: int, question: bytes) -> bytes:
        if request == VIDIOC_QUERYCAP:
            return CAPABILITY.pack(self.driver, b"HD Webcam", b"usb-1", 0, self.whole, self.own)
        index, second = struct.unpack_from("=II", question)
        if request == listing.VIDIOC_ENUM_FMT:
            assert second == listing.BUF_TYPE_VIDEO_CAPTURE
            fourcc = self.formats[_within(index, self.formats)]
            return listing.FORMAT.pack(index, second, 1, b"Motion-JPEG", int.from_bytes(fourcc, "little"), 0)
        assert request == listing.VIDIOC_ENUM_FRAMESIZES
        sizes = SIZES[second.to_bytes(4, "little")]
        width, height = sizes[_within(index, sizes)]
        if self.stepwise:
            return listing.SIZE.pack(index, second, 3, 16, width, 2, 16, height, 2)
        return listing.SIZE.pack(index, second, listing.SIZE_DISCRETE, width, height, 0, 0, 0, 0)


def _within(index: int, items: Sequence[object]) -> int:
    if index >= len(items):
        raise OSError(errno.EINVAL, "Invalid argument")
    return index


class Root:
    """A made-up machine."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self._drivers, self._errors = path, dict[str, Driver | None](), dict[str, int]()
        (path / "dev").mkdir()
        (path / "proc").mkdir()
        really_open = os.open

        def opens(name: str | Path, flags: int, mode: int = 0o777) -> int:
            if Path(name).name in self._errors:
                code = self._errors[Path(name).name]
                raise OSError(code, os.strerror(code))
            return really_open(name, flags, mode)

        def ioctl(handle: int, request: int, question: bytes) -> bytes:
            driver = self._drivers[Path(f"/proc/self/fd/{handle}").readlink().name]
            if driver is None:
                raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
            return driver.answer(request, question)

        monkeypatch.setattr("fer_edge.cameras.listing.os.open", opens)
        monkeypatch.setattr("fer_edge.cameras.listing.fcntl.ioctl", ioctl)
        monkeypatch.setattr(picam, "installed", lambda: False)

    def add(self, name: str, driver: Driver | None = None, error: int = 0) -> Path:
        path = self.path / "dev" / name
        path.touch()
        self._drivers[name] = driver
        if error:
            self._errors[name] = error
        return path

    def write(self, name: str, text: str = "") -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def only(self) -> Found:
        (found,) = listed(self.path)
        return found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    return Root(tmp_path, monkeypatch)


def test_a_webcam_is_listed_with_name_driver_formats_and_sizes(root: Root) -> None:
    root.add("video0", Driver())
    found = root.only()
    assert (found.source, found.name, found.driver) == ("v4l2:/dev/video0", "HD Webcam", "uvcvideo")
    assert [(each.fourcc, each.sizes) for each in found.formats] == [
        ("MJPG", ("640 x 480", "1280 x 720")),
        ("YUYV", ("640 x 480",)),
    ]
    assert found.usable


def test_sizes_that_come_as_a_range_are_told_as_one(root: Root) -> None:
    root.add("video0", Driver(stepwise=True))
    assert root.only().formats[1].sizes == ("16 x 16 to 640 x 480",)


def test_a_driver_that_never_says_no_more_is_not_asked_for_ever(root: Root) -> None:
    driver = Driver()
    driver.formats = [b"MJPG"] * 1000
    root.add("video0", driver)
    assert len(root.only().formats) == listing.MAX_FORMATS


def test_the_metadata_node_of_a_webcam_is_left_out(root: Root) -> None:
    root.add("video0", Driver())
    root.add("video1", Driver(own=METADATA))
    assert [found.source for found in listed(root.path)] == ["v4l2:/dev/video0"]


def test_a_codec_is_told_to_give_no_pictures(root: Root) -> None:
    root.add("video10", Driver(b"bcm2835-codec", CODEC, 0x8400_8000))
    assert "it is a codec or an output" in root.only().reason


@pytest.mark.parametrize(
    ("driver", "fix"), [(b"unicam", "use --source picamera2:N"), (b"tegra-video", "use --source csi:N")]
)
def test_a_raw_sensor_is_told_with_the_source_that_makes_pictures_of_it(root: Root, driver: bytes, fix: str) -> None:
    root.add("video0", Driver(driver))
    found = listed(root.path)[0]
    assert found.reason == "it gives a sensor's raw data, which is no picture yet"
    assert found.fix == fix


def test_a_device_without_formats_is_told(root: Root) -> None:
    driver = Driver()
    driver.formats = []
    root.add("video0", driver)
    assert root.only().reason == "it offers no format"


def test_a_file_that_is_no_device_is_told(root: Root) -> None:
    root.add("video0", None)
    assert root.only().reason == "it does not answer as a video device"


@pytest.mark.parametrize(
    ("code", "reason", "fix"),
    [
        (errno.EACCES, "this user has no permission", "run `sudo usermod -aG video $USER` and log in again"),
        (errno.EBUSY, "it is busy", "stop the program that uses it"),
        (errno.ENODEV, "it cannot be opened: No such device", "unplug it and plug it in again"),
    ],
)
def test_a_device_that_cannot_be_opened_says_why_and_keeps_its_name(
    root: Root, code: int, reason: str, fix: str
) -> None:
    root.add("video0", Driver(), code)
    root.write("sys/class/video4linux/video0/name", "HD Pro Webcam C920\n")
    found = root.only()
    assert (found.name, found.reason, found.fix) == ("HD Pro Webcam C920", reason, fix)


def test_a_device_that_another_process_holds_names_it(root: Root) -> None:
    device = root.add("video0", Driver())
    root.write("proc/4711/comm", "cheese\n")
    (root.path / "proc/4711/fd").mkdir()
    (root.path / "proc/4711/fd/3").symlink_to(device)
    found = root.only()
    assert (found.reason, found.fix) == ("cheese (process 4711) has it open", "stop that program")
    assert [each.fourcc for each in found.formats] == ["MJPG", "YUYV"]


def test_the_pis_camera_modules_come_first_and_its_webcams_once(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(cameras=[info(0), info(1, "HD Webcam", "/base/scb/pcie/usb@0/1.2:1.0")])
    monkeypatch.setitem(sys.modules, "picamera2", machine.module())
    monkeypatch.setattr(picam, "installed", lambda: True)
    root.add("video0", Driver())
    assert [(found.source, found.name) for found in listed(root.path)] == [
        ("picamera2:0", "imx219"),
        ("v4l2:/dev/video0", "HD Webcam"),
    ]
    assert "picamera2: 1 camera module" in looked_for(root.path)


def test_a_picamera2_that_cannot_be_loaded_is_told_with_the_fix(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setattr(picam, "installed", lambda: True)
    found = root.only()
    assert "picamera2 is not installed" in found.reason
    assert "--system-site-packages" in found.fix


def test_a_jetsons_sensors_are_listed_as_csi_cameras(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/gst-launch-1.0")
    root.write(listing.ARGUS_SOCKET)
    root.write(listing.JETSON_RELEASE, "# R36\n")
    for name in ("video0", "video1"):
        root.add(name, Driver(b"tegra-video"))
    assert [found.source for found in listed(root.path) if found.usable] == ["csi:0", "csi:1"]
    assert "Jetson CSI: this is a Jetson" in looked_for(root.path)


def test_a_jetson_whose_camera_daemon_is_down_says_how_to_start_it(root: Root) -> None:
    root.add("video0", Driver(b"tegra-video"))
    found = listed(root.path)[1]
    assert (found.source, found.fix) == ("csi:0", "run `sudo systemctl restart nvargus-daemon`")


def test_a_jetson_without_gstreamer_says_what_to_install(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    root.write(listing.ARGUS_SOCKET)
    root.add("video0", Driver(b"tegra-video"))
    assert listed(root.path)[1].fix == "run `sudo apt install gstreamer1.0-tools`"


def test_the_text_has_one_block_per_camera(root: Root) -> None:
    root.add("video0", Driver())
    root.add("video2", Driver(), errno.EACCES)
    text = as_text(listed(root.path), looked_for(root.path))
    assert text == (
        "v4l2:/dev/video0  HD Webcam  [uvcvideo]\n"
        "  MJPG (Motion-JPEG): 640 x 480, 1280 x 720\n"
        "  YUYV (Motion-JPEG): 640 x 480\n"
        "v4l2:/dev/video2  camera\n"
        "  cannot be used: this user has no permission\n"
        "  fix: run `sudo usermod -aG video $USER` and log in again"
    )


def test_a_machine_without_cameras_says_what_was_looked_for(root: Root) -> None:
    text = as_text(listed(root.path), looked_for(root.path))
    assert text.startswith("no camera was found; looked for\n  V4L2: 0 devices /dev/video*")
    assert "picamera2: not installed; on a Raspberry Pi, run `sudo apt install python3-picamera2`" in text
    assert "this is no Jetson" in text
    assert "--source demo" in text


def test_the_document_is_json_of_the_same(root: Root) -> None:
    root.add("video0", Driver())
    document = json.loads(json.dumps(as_document(listed(root.path), looked_for(root.path))))
    (camera,) = document["cameras"]
    assert (camera["source"], camera["usable"]) == ("v4l2:/dev/video0", True)
    assert camera["formats"][0]["sizes"] == ["640 x 480", "1280 x 720"]
    assert len(document["looked_for"]) == 4


def test_this_machine_can_be_listed() -> None:
    assert as_text(listed(), looked_for())


def test_the_kernels_header_has_the_same_numbers_and_sizes(tmp_path: Path) -> None:
    if shutil.which("gcc") is None or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("gcc or linux/videodev2.h is not installed")
    names = {"v4l2_capability": "QUERYCAP", "v4l2_fmtdesc": "ENUM_FMT", "v4l2_frmsizeenum": "ENUM_FRAMESIZES"}
    line = 'printf("%u %zu\\n", (unsigned)VIDIOC_{1}, sizeof(struct {0}));'
    prints = "".join(line.format(*pair) for pair in names.items())
    source = tmp_path / "numbers.c"
    source.write_text(f"#include <linux/videodev2.h>\n#include <stdio.h>\nint main(void){{{prints}return 0;}}\n")
    subprocess.run(["gcc", str(source), "-o", str(tmp_path / "numbers")], check=True)
    answer = subprocess.run([str(tmp_path / "numbers")], check=True, capture_output=True, text=True).stdout.split()
    assert [int(word) for word in answer] == [
        *(VIDIOC_QUERYCAP, CAPABILITY.size),
        *(listing.VIDIOC_ENUM_FMT, listing.FORMAT.size),
        *(listing.VIDIOC_ENUM_FRAMESIZES, listing.SIZE.size),
    ]
