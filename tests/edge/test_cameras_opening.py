"""`--source`: what each word opens, and one sentence for each that opens nothing."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras import opening
from fer_edge.cameras.demo import DemoCamera
from fer_edge.cameras.files import PictureCamera
from fer_edge.cameras.opening import open_camera
from fer_edge.cameras.v4l2 import CameraOptions
from fer_edge.cameras.video import ClipCamera
from fer_edge.errors import CameraBroken, CameraLost, ExitCode, InputError, UsageError
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


@pytest.mark.parametrize("source", ["camera-one", "v4l2:abc", "-1", "", "DEMO", "udp://10.0.0.1:5000", "\u0663"])
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


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("picamera2", "the Pi's camera module by picamera2"),
        ("picamera2:1", "the Pi's camera module by picamera2"),
        ("csi:0", "a Jetson's CSI camera"),
    ],
)
def test_a_camera_of_a_later_version_is_refused_with_what_works(source: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"this version cannot read {words}; it reads auto, demo"):
        open_camera(source)


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
