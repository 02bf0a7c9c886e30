"""V4L2 cameras, with a scripted capture in place of the device and a made-up /dev and /proc."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras import live, v4l2
from fer_edge.cameras.capture import Capture, open_capture
from fer_edge.cameras.v4l2 import CameraAbsent, CameraOptions, Devices, open_first, open_v4l2
from fer_edge.clock import SystemClock
from fer_edge.errors import CameraBroken, CameraLost, ExitCode
from fer_edge.types import Image

CLOCK = SystemClock()
READ_S = 5.0
DEVICE = Path("/dev/video0")
GOOD = np.full((480, 640, 3), 90, np.uint8)
SMALL = np.full((240, 320, 3), 90, np.uint8)
EMPTY = np.zeros((0, 0, 3), np.uint8)
GREY = np.zeros((480, 640), np.uint8)


class ScriptedCapture:
    """Gives the pictures of its script, then failures."""

    def __init__(self, script: Sequence[Image | None] = (), *, opens: bool = True) -> None:
        self.script, self.opens = list(script), opens
        self.wanted: dict[int, float] = {}
        self.released = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def read(self) -> tuple[bool, Image | None]:
        image = self.script.pop(0) if self.script else None
        return image is not None, image

    def get(self, prop: int, /) -> float:
        return self.wanted.get(prop, 0.0)

    def set(self, prop: int, value: float, /) -> bool:
        self.wanted[prop] = value
        return True

    def release(self) -> None:
        self.released.set()


class HangingCapture(ScriptedCapture):
    """Its reads do not return until a test says so."""

    def __init__(self) -> None:
        super().__init__([GOOD])
        self.answer = threading.Event()

    def read(self) -> tuple[bool, Image | None]:
        self.answer.wait(30.0)
        return super().read()


class FakeDevices(Devices):
    """A machine with these cameras."""

    def __init__(self, cameras: dict[str, Capture | Exception]) -> None:
        self.cameras = {Path(name): camera for name, camera in cameras.items()}

    def paths(self) -> list[Path]:
        return list(self.cameras)

    def card(self, path: Path) -> str:
        camera = self.cameras[path]
        if isinstance(camera, Exception):
            raise camera
        return "Test Camera"

    def capture(self, path: Path) -> Capture:
        camera = self.cameras[path]
        assert not isinstance(camera, Exception)
        return camera


def camera_of(capture: Capture, options: CameraOptions | None = None) -> live.LiveCamera:
    return open_v4l2(DEVICE, CLOCK, options, FakeDevices({str(DEVICE): capture}))


def test_frames_carry_the_time_of_their_arrival_and_are_counted() -> None:
    before_s = CLOCK.monotonic_s()
    with camera_of(ScriptedCapture([GOOD, GOOD])) as camera:
        frames = [camera.read(READ_S), camera.read(READ_S)]
    assert [frame.seq for frame in frames] == [0, 1]
    assert before_s <= frames[0].captured_s <= frames[1].captured_s <= CLOCK.monotonic_s()
    assert frames[0].image is GOOD


def test_a_camera_is_live_and_named_after_device_card_and_size() -> None:
    with camera_of(ScriptedCapture()) as camera:
        assert camera.live
        assert camera.name == "/dev/video0 (Test Camera, 640 x 480)"
        assert camera.fps == 30.0


def test_motion_jpeg_the_asked_size_and_a_short_queue_are_requested() -> None:
    capture = ScriptedCapture()
    camera_of(capture, CameraOptions(1280, 720, 15.0)).close()
    assert capture.wanted == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_BUFFERSIZE: 1,
        cv2.CAP_PROP_CONVERT_RGB: 0,
    }
    assert next(iter(capture.wanted)) == cv2.CAP_PROP_FOURCC


@pytest.mark.parametrize("bad", [None, EMPTY, GREY, GOOD.astype(np.float32)])
def test_an_unusable_picture_is_passed_over(bad: Image | None) -> None:
    with camera_of(ScriptedCapture([bad, GOOD])) as camera:
        assert camera.read(READ_S).image is GOOD


def test_a_picture_of_another_size_than_the_first_is_passed_over() -> None:
    with camera_of(ScriptedCapture([GOOD, SMALL, GOOD])) as camera:
        assert [camera.read(READ_S).image.shape for _ in range(2)] == [GOOD.shape, GOOD.shape]


@pytest.mark.parametrize("bad", [None, EMPTY])
def test_too_many_unusable_pictures_in_a_row_lose_the_camera(bad: Image | None) -> None:
    script = [GOOD, *[bad] * v4l2.MAX_BAD_READS, GOOD]
    with camera_of(ScriptedCapture(script)) as camera:
        camera.read(READ_S)
        with pytest.raises(CameraLost, match="10 reads in a row gave no usable picture; it was unplugged"):
            camera.read(READ_S)


def test_one_unusable_picture_less_than_too_many_is_survived() -> None:
    with camera_of(ScriptedCapture([*[None] * (v4l2.MAX_BAD_READS - 1), GOOD])) as camera:
        assert camera.read(READ_S).seq == 0


def test_a_read_that_hangs_loses_the_camera_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RELEASE_WAIT_S", 0.01)
    capture = HangingCapture()
    camera = camera_of(capture)
    with pytest.raises(CameraLost, match=r"gave no frame for 0\.05 s"):
        camera.read(0.05)
    camera.close()
    assert not capture.released.is_set()  # its thread still hangs in it
    capture.answer.set()
    assert capture.released.wait(READ_S)


def test_a_slow_read_can_be_waited_for_again() -> None:
    capture = HangingCapture()
    with camera_of(capture) as camera:
        with pytest.raises(CameraLost):
            camera.read(0.01)
        capture.answer.set()
        assert camera.read(READ_S).seq == 0


def test_an_error_within_opencv_is_a_lost_camera() -> None:
    class Failing(ScriptedCapture):
        def read(self) -> tuple[bool, Image | None]:
            cv2.imdecode(np.zeros(0, np.uint8), cv2.IMREAD_COLOR)  # raises cv2.error
            return False, None

    with camera_of(Failing()) as camera, pytest.raises(CameraLost, match="broke off"):
        camera.read(READ_S)


def test_closing_twice_releases_the_device() -> None:
    capture = ScriptedCapture()
    camera = camera_of(capture)
    camera.close()
    camera.close()
    assert capture.released.is_set()


def test_a_device_that_does_not_open_is_lost_and_released() -> None:
    capture = ScriptedCapture(opens=False)
    with pytest.raises(
        CameraLost, match=r"/dev/video0 \(Test Camera\) cannot be opened; another program may be using it"
    ):
        camera_of(capture)
    assert capture.released.is_set()


def test_a_device_that_hangs_while_it_opens_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "OPEN_TIMEOUT_S", 0.02)
    monkeypatch.setattr(live, "RELEASE_WAIT_S", 0.01)
    go_on = threading.Event()

    class Stuck(FakeDevices):
        def capture(self, path: Path) -> Capture:
            go_on.wait(30.0)
            return super().capture(path)

    with pytest.raises(CameraLost, match=r"did not open within 0\.02 s"):
        open_v4l2(DEVICE, CLOCK, None, Stuck({str(DEVICE): ScriptedCapture()}))
    go_on.set()


def test_auto_takes_the_first_camera_that_gives_a_picture() -> None:
    silent, good = ScriptedCapture(), ScriptedCapture([GOOD, GOOD])
    metadata = CameraBroken("/dev/video1 (Test) gives no pictures: it is a metadata, codec or output device")
    devices = FakeDevices({"/dev/video0": silent, "/dev/video1": metadata, "/dev/video2": good})
    with open_first(CLOCK, None, devices) as camera:
        assert camera.name.startswith("/dev/video2")
        assert camera.read(READ_S).image is GOOD
    assert silent.released.is_set()


def test_auto_without_any_device_tells_of_the_demo() -> None:
    with pytest.raises(CameraBroken, match=r"no camera was found \(there is no /dev/video\*\).*--source demo") as error:
        open_first(CLOCK, None, FakeDevices({}))
    assert error.value.exit_code == ExitCode.UNAVAILABLE


def test_auto_gives_the_reason_for_every_device_that_it_cannot_use() -> None:
    devices = FakeDevices(
        {"/dev/video0": CameraBroken("no permission to use /dev/video0"), "/dev/video1": ScriptedCapture()}
    )
    with pytest.raises(CameraBroken, match=r"no permission to use /dev/video0; /dev/video1 .* no usable picture"):
        open_first(CLOCK, None, devices)


def made_up(tmp_path: Path) -> Devices:
    devices = Devices()
    devices.folder, devices.processes = tmp_path, tmp_path / "proc"
    return devices


def test_devices_are_listed_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("video10", "video2", "video0", "null"):
        (tmp_path / name).touch()
    assert [path.name for path in made_up(tmp_path).paths()] == ["video0", "video2", "video10"]


def test_a_missing_camera_names_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "video2").touch()
    with pytest.raises(CameraAbsent, match=r"there is no camera .*video0: there are .*video2$"):
        made_up(tmp_path).card(tmp_path / "video0")


def test_a_missing_camera_may_be_tried_again_but_tells_the_shell_that_it_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match="no camera is plugged in; the built-in `--source demo` needs none") as error:
        made_up(tmp_path).card(tmp_path / "video0")
    assert error.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.EACCES, CameraBroken, r"no permission .* belongs to the group \w+; run `sudo usermod -aG \w+ \$USER`"),
        (errno.EBUSY, CameraLost, "Device or resource busy"),
        (errno.ENODEV, CameraLost, "No such device"),
    ],
)
def test_a_device_that_the_system_refuses_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], words: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fer_edge.cameras.v4l2.os.open", refuse)
    with pytest.raises(kind, match=words):
        made_up(tmp_path).card(tmp_path)


def test_what_is_no_video_device_is_refused() -> None:
    with pytest.raises(CameraBroken, match="/dev/null is not a video device"):
        Devices().card(Path("/dev/null"))


@pytest.mark.parametrize(
    ("whole", "own", "usable"),
    [
        (0x8420_0001, 0x0420_0001, True),  # a webcam's first node
        (0x84A0_0001, 0x04A0_0000, False),  # its second node: metadata
        (0x0000_0001, 0, True),  # an old driver that states no capabilities of the node itself
        (0x8420_8000, 0x0420_8000, False),  # a codec
    ],
)
def test_only_nodes_that_capture_pictures_are_cameras(
    monkeypatch: pytest.MonkeyPatch, whole: int, own: int, usable: bool
) -> None:
    answer = v4l2.CAPABILITY.pack(b"uvcvideo", b"HD Webcam", b"usb-1", 0, whole, own)
    monkeypatch.setattr("fer_edge.cameras.v4l2.fcntl.ioctl", lambda *_: answer)
    if usable:
        assert Devices().card(Path("/dev/null")) == "HD Webcam"
    else:
        with pytest.raises(CameraBroken, match=r"\(HD Webcam\) gives no pictures"):
            Devices().card(Path("/dev/null"))


def test_the_process_that_holds_a_device_is_named(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    links = tmp_path / "proc" / "4711" / "fd"
    links.mkdir(parents=True)
    (links / "3").symlink_to(device)
    (links.parent / "comm").write_text("cheese\n")
    (tmp_path / "proc" / "4712" / "fd").mkdir(parents=True)
    assert made_up(tmp_path).users(device) == "; it is in use by cheese (process 4711)"


def test_a_build_of_opencv_without_the_backend_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: False)
    with pytest.raises(CameraBroken, match="this build of OpenCV has no V4L2, which reads cameras; install opencv"):
        open_capture("/dev/video0", cv2.CAP_V4L2)


def test_the_error_of_a_thread_reaches_the_one_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoBackend(FakeDevices):
        def capture(self, path: Path) -> Capture:
            raise CameraBroken("this build of OpenCV has no V4L2")

    with pytest.raises(CameraBroken, match="no V4L2"):
        open_v4l2(DEVICE, CLOCK, None, NoBackend({str(DEVICE): ScriptedCapture()}))
