"""`--source`: what each word opens, and one sentence for each that opens nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras import opening
from fer_edge.cameras.checked import CheckedCamera
from fer_edge.cameras.demo import DemoCamera
from fer_edge.cameras.files import PictureCamera
from fer_edge.cameras.opening import open_camera
from fer_edge.cameras.picam import PiCamera
from fer_edge.cameras.v4l2 import CameraOptions
from fer_edge.cameras.video import ClipCamera
from fer_edge.errors import CameraBroken, CameraLost, ExitCode, InputError, RuntimeUnavailable, UsageError
from support.clocks import StillClock
from support.picamera2_fake import Machine, info
from support.shared import media


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), np.full((20, 30, 3), 80, np.uint8))
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, CameraOptions | None]]:
    """Which devices were asked for; there are none."""
    found: list[tuple[str, CameraOptions | None]] = []

    def fake(path: Path, _: object, options: CameraOptions | None = None) -> None:
        found.append((str(path), options))
        raise CameraLost("absent")

    monkeypatch.setattr(opening, "open_v4l2", fake)
    return found


def test_demo_opens_the_built_in_face() -> None:
    with open_camera("demo") as camera:
        assert isinstance(camera, DemoCamera)


def test_a_clip_opens_as_a_clip() -> None:
    with open_camera(str(media("short_hamilton_clip.mp4"))) as camera:
        assert isinstance(camera, ClipCamera)


def test_a_gif_opens_as_a_clip() -> None:
    with open_camera(str(media("classroom.gif"))) as camera:
        assert isinstance(camera, ClipCamera)


def test_a_picture_opens_as_a_picture(picture: Path) -> None:
    with open_camera(str(picture)) as camera:
        assert isinstance(camera, PictureCamera)


def test_a_picture_without_a_suffix_is_known_by_its_bytes(picture: Path) -> None:
    bare = picture.rename(picture.with_suffix(""))
    with open_camera(str(bare)) as camera:
        assert isinstance(camera, PictureCamera)


def test_a_folder_opens_as_its_pictures(picture: Path) -> None:
    with open_camera(str(picture.parent)) as camera:
        frame = camera.read(1.0)
        assert frame is not None
        assert frame.origin == str(picture)


@pytest.mark.parametrize(
    ("source", "device"),
    [
        ("0", "/dev/video0"),
        ("12", "/dev/video12"),
        ("/dev/video3", "/dev/video3"),
        ("v4l2:/dev/video3", "/dev/video3"),
        ("v4l2:2", "/dev/video2"),
        ("v4l2:/dev/v4l/by-id/usb-HD_Webcam-index0", "/dev/v4l/by-id/usb-HD_Webcam-index0"),
    ],
)
def test_numbers_and_device_paths_open_v4l2(
    asked: list[tuple[str, CameraOptions | None]], source: str, device: str
) -> None:
    options = CameraOptions(320, 240, 10.0)
    with pytest.raises(CameraLost):
        open_camera(source, options=options)
    assert asked == [(device, options)]


def test_a_link_to_a_device_opens_v4l2(asked: list[tuple[str, CameraOptions | None]], tmp_path: Path) -> None:
    (tmp_path / "webcam").symlink_to("/dev/null")
    with pytest.raises(CameraLost):
        open_camera(str(tmp_path / "webcam"))
    assert asked == [(str(tmp_path / "webcam"), None)]


def test_a_camera_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(CameraLost, match=r"there is no camera /dev/video917") as error:
        open_camera("917")
    assert error.value.exit_code == ExitCode.UNAVAILABLE


def test_auto_on_a_machine_without_cameras_is_broken_and_tells_of_the_demo() -> None:
    if list(Path("/dev").glob("video*")):
        pytest.skip("this machine has cameras")
    with pytest.raises(CameraBroken, match="--source demo"):
        open_camera("auto")


@pytest.mark.parametrize(
    "source", ["camera-one", "v4l2:abc", "-1", "", "DEMO", "udp://10.0.0.1:5000", "\u0663", "picamera2:x"]
)
def test_a_word_that_cannot_be_a_source_is_a_usage_error_that_names_what_can(source: str) -> None:
    with pytest.raises(
        UsageError, match=r"is neither a file, a folder.*expected auto, demo, a camera number such as 0"
    ):
        open_camera(source)


@pytest.mark.parametrize(
    "source", ["gone.mp4", "no/such/folder", "/no/such/clip", "./demo", "~/clip.mp4", "v4l2:/dev/ttyS0"]
)
def test_a_word_that_looks_like_a_path_is_a_missing_file(source: str) -> None:
    with pytest.raises(InputError, match=f"^no such file: {source}$") as error:
        open_camera(source)
    assert error.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(("source", "number"), [("picamera2", 0), ("picamera2:1", 1)])
def test_picamera2_opens_the_pis_camera_module(monkeypatch: pytest.MonkeyPatch, source: str, number: int) -> None:
    machine = Machine(cameras=[info(0), info(1)])
    monkeypatch.setitem(sys.modules, "picamera2", machine.module())
    with open_camera(source, options=CameraOptions(320, 240, 10.0)) as camera:
        assert camera.name == f"picamera2:{number} (imx219), 320 x 240"
        frame = camera.read(10.0)
    assert frame is not None
    assert frame.image.shape == (240, 320, 3)


@pytest.mark.parametrize(("source", "number"), [("csi", 0), ("csi:1", 1)])
def test_csi_opens_a_jetsons_camera(monkeypatch: pytest.MonkeyPatch, source: str, number: int) -> None:
    asked: list[tuple[int, CameraOptions | None]] = []

    def fake(number: int, _: object, options: CameraOptions | None) -> None:
        asked.append((number, options))
        raise CameraLost("absent")

    monkeypatch.setattr(opening, "open_csi", fake)
    options = CameraOptions(1280, 720, 30.0)
    with pytest.raises(CameraLost):
        open_camera(source, options=options)
    assert asked == [(number, options)]


def test_picamera2_on_another_machine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(RuntimeUnavailable, match="apt install python3-picamera2"):
        open_camera("picamera2")


def test_auto_takes_the_pis_own_camera_first(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(cameras=[info(0, "HD Webcam", "/base/usb@0/1.2"), info(1)])
    monkeypatch.setitem(sys.modules, "picamera2", machine.module())
    monkeypatch.setattr(opening, "installed", lambda: True)
    with open_camera("auto") as camera:
        assert camera.name.startswith("picamera2:1 (imx219)")


def test_auto_takes_another_camera_where_the_pis_own_does_not_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(acquire_error="Failed to acquire camera: Device or resource busy")
    monkeypatch.setitem(sys.modules, "picamera2", machine.module())
    monkeypatch.setattr(opening, "installed", lambda: True)
    monkeypatch.setattr(opening, "open_first", lambda clock, _: DemoCamera(clock))
    with open_camera("auto") as camera:
        assert camera.name == "demo"
    assert "picamera2:0 (imx219) is busy" in caplog.text


def test_a_live_camera_comes_out_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", Machine().module())
    with open_camera("picamera2") as camera:
        assert isinstance(camera, CheckedCamera)
        assert isinstance(camera.camera, PiCamera)


def test_fault_opens_another_source_that_fails(picture: Path) -> None:
    clock = StillClock()
    with open_camera(f"fault:{picture}?loop,stall@5s", clock) as camera:
        assert camera.live
        frame = camera.read(2.0)
        assert frame is not None
        assert frame.origin == str(picture)
        clock.sleep(5.0)
        with pytest.raises(CameraLost, match="gave no frame for 2 s"):
            camera.read(2.0)


def test_fault_around_nothing_is_the_error_of_what_is_inside() -> None:
    with pytest.raises(InputError, match=r"^no such file: gone\.mp4$"):
        open_camera("fault:gone.mp4?stall@5s", StillClock())


def test_a_file_that_is_neither_picture_nor_clip_is_broken(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n" * 100)
    with pytest.raises(CameraBroken, match=r"notes\.txt is not a picture or a clip that can be read"):
        open_camera(str(tmp_path / "notes.txt"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is neither a file, a folder nor a camera"):
        open_camera(str(tmp_path / "pipe"))


def test_a_mistyped_url_does_not_show_its_password() -> None:
    with pytest.raises(UsageError) as error:
        open_camera("rtmp://me:s3cret@camera/live")
    assert "s3cret" not in str(error.value)
