"""The Pi's camera modules, with a module in place of picamera2 that behaves as it does."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fer_edge.cameras import picam
from fer_edge.cameras.picam import PiCamera, open_picam
from fer_edge.cameras.v4l2 import CameraAbsent, CameraBusy, CameraOptions, Devices
from fer_edge.clock import SystemClock
from fer_edge.errors import CameraBroken, CameraLost, ExitCode, RuntimeUnavailable
from support.clocks import StillClock
from support.picamera2_fake import Machine, info

READ_S = 10.0
OPTIONS = CameraOptions(320, 240, 25.0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setitem(sys.modules, "picamera2", made.module())
    return made


def opened(machine: Machine, clock: StillClock | None = None, *, lores: bool = False) -> PiCamera:
    return open_picam(0, clock or StillClock(), OPTIONS, lores=lores)


def test_frames_are_blue_green_red_in_the_size_asked_for(machine: Machine) -> None:
    with opened(machine) as camera:
        image = camera.read(READ_S).image
    assert image.shape == (240, 320, 3)
    assert image.dtype == np.uint8
    assert tuple(image[0, 0]) == (7, 100, 50)


def test_the_rate_the_buffers_and_no_raw_stream_are_asked_for(machine: Machine) -> None:
    with opened(machine):
        config = machine.opened[0].camera_configuration()
    assert config["controls"] == {"FrameDurationLimits": (40000, 40000)}
    assert config["buffer_count"] == picam.BUFFERS
    assert config["raw"] is None
    assert config["main"]["format"] == "RGB888"


def test_a_camera_is_live_and_named_after_number_sensor_and_size(machine: Machine) -> None:
    with opened(machine) as camera:
        assert camera.live
        assert camera.fps == 25.0
        assert camera.name == "picamera2:0 (imx219), 320 x 240"


def test_every_buffer_goes_back_so_that_frames_never_stop(machine: Machine) -> None:
    with opened(machine) as camera:
        for _ in range(picam.BUFFERS * 3):
            camera.read(READ_S)
    assert machine.opened[0].free.qsize() == picam.BUFFERS


def test_a_frame_that_cannot_be_copied_gives_its_buffer_back_all_the_same(machine: Machine) -> None:
    with opened(machine) as camera:
        machine.opened[0].camera_configuration()["main"]["size"] = (-1, 4)
        with pytest.raises(CameraLost, match="broke off"):
            camera.read(READ_S)
        assert machine.opened[0].free.qsize() == picam.BUFFERS


def test_frames_are_counted_by_the_camera_so_that_missed_ones_show(machine: Machine) -> None:
    machine.skip = 3
    with opened(machine) as camera:
        assert [camera.read(READ_S).seq for _ in range(3)] == [0, 3, 6]


def test_the_time_of_a_frame_is_when_the_sensor_was_read(machine: Machine) -> None:
    clock = StillClock()
    machine.now_ns = lambda: round((clock.now_s - 0.05) * 1e9)
    with opened(machine, clock) as camera:
        assert camera.read(READ_S).captured_s == pytest.approx(clock.now_s - 0.05)


def test_a_sensor_clock_with_another_origin_is_laid_onto_ours(machine: Machine) -> None:
    clock = StillClock()
    begun_s = clock.now_s
    machine.now_ns = lambda: round((clock.now_s + 5000.0) * 1e9)
    with opened(machine, clock) as camera:
        first = camera.read(READ_S).captured_s
        clock.sleep(1.5)
        second = camera.read(READ_S).captured_s
    assert [first, second] == pytest.approx([begun_s, begun_s + 1.5])


def test_without_a_sensor_clock_the_arrival_counts(machine: Machine) -> None:
    machine.stamps = False
    clock = StillClock()
    with opened(machine, clock) as camera:
        assert camera.read(READ_S).captured_s == clock.now_s


def test_what_libcamera_says_of_the_last_frame_is_kept(machine: Machine) -> None:
    with opened(machine) as camera:
        camera.read(READ_S)
        assert camera.metadata["ExposureTime"] == 9999


def test_a_small_picture_comes_along_when_it_is_asked_for(machine: Machine) -> None:
    with opened(machine, lores=True) as camera:
        camera.read(READ_S)
        small = camera.lores
    assert small is not None
    assert small.shape == (240, 320, 3)
    assert np.ptp(small) == 0  # grey in, grey out


def test_the_padding_of_the_small_picture_is_cut_off(machine: Machine) -> None:
    machine.lores_padding = 64
    with opened(machine, lores=True) as camera:
        camera.read(READ_S)
        assert camera.lores is not None
        assert camera.lores.shape == (240, 320, 3)


def test_a_camera_without_an_image_processor_gives_no_small_picture_and_no_set_rate(machine: Machine) -> None:
    machine.properties = {"Model": "webcam"}
    with opened(machine, lores=True) as camera:
        camera.read(READ_S)
        assert camera.lores is None
    assert machine.opened[0].camera_configuration()["controls"] == {}


def test_a_camera_from_which_nothing_comes_is_lost_in_time(machine: Machine) -> None:
    machine.frames = 1
    with opened(machine) as camera:
        camera.read(READ_S)
        with pytest.raises(CameraLost, match=r"gave no frame for 0\.05 s; if it stays so, check its ribbon cable"):
            camera.read(0.05)


def test_a_frame_that_comes_late_can_be_waited_for_again(machine: Machine) -> None:
    clock = SystemClock()
    hold = threading.Event()
    machine.now_ns = lambda: int(hold.wait(READ_S))
    with open_picam(0, clock, OPTIONS) as camera:
        with pytest.raises(CameraLost):
            camera.read(0.01)
        hold.set()
        assert camera.read(READ_S).seq == 0


def test_an_error_of_libcamera_is_a_lost_camera(machine: Machine) -> None:
    machine.capture_error = RuntimeError("Failed to queue request\nand more")
    with opened(machine) as camera, pytest.raises(CameraLost, match=r"broke off: Failed to queue request$"):
        camera.read(READ_S)


def test_closing_twice_stops_the_camera(machine: Machine) -> None:
    camera = opened(machine)
    camera.close()
    camera.close()
    assert machine.opened[0].closed
    assert not camera.hanging()


def test_a_camera_that_hangs_while_it_closes_is_left_behind_and_says_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picam, "RELEASE_WAIT_S", 0.01)
    machine.hang_in = "close"
    camera = opened(machine)
    camera.close()
    assert camera.hanging()
    machine.let_go.set()


@pytest.mark.parametrize("where", ["open", "start"])
def test_a_camera_that_hangs_while_it_opens_is_lost(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(picam, "OPEN_TIMEOUT_S", 0.05)
    monkeypatch.setattr(picam, "RELEASE_WAIT_S", 0.01)
    machine.hang_in = where
    with pytest.raises(CameraLost, match=r"did not open within 0\.05 s; libcamera hangs"):
        opened(machine)
    machine.let_go.set()


def test_a_camera_that_another_process_has_says_which(machine: Machine, tmp_path: Path) -> None:
    machine.acquire_error = "Failed to acquire camera: Device or resource busy"
    (tmp_path / "media2").touch()
    links = tmp_path / "proc" / "4711" / "fd"
    links.mkdir(parents=True)
    (links / "9").symlink_to(tmp_path / "media2")
    (links.parent / "comm").write_text("rpicam-vid\n")
    devices = Devices()
    devices.folder, devices.processes = tmp_path, tmp_path / "proc"
    with pytest.raises(
        CameraBusy, match=r"picamera2:0 \(imx219\) is busy; it is in use by rpicam-vid \(process 4711\)"
    ) as e:
        open_picam(0, StillClock(), OPTIONS, devices=devices)
    assert e.value.exit_code == ExitCode.TRY_AGAIN


def test_a_camera_that_does_not_open_gives_the_first_reason_too(machine: Machine) -> None:
    machine.acquire_error = "Initialization failed."
    with pytest.raises(CameraLost, match=r"cannot be opened: Initialization failed\.; Camera __init__ sequence"):
        opened(machine)


def test_a_camera_that_does_not_start_is_closed_again(machine: Machine) -> None:
    machine.start_error = "Failed to start camera"
    with pytest.raises(CameraLost, match="Failed to start camera"):
        opened(machine)
    assert machine.opened[0].closed


def test_a_camera_that_gives_another_format_is_broken(machine: Machine) -> None:
    machine.given_format = "MJPEG"
    with pytest.raises(CameraBroken, match=r"picamera2:0 \(imx219\): it gives MJPEG and no RGB888"):
        opened(machine)


def test_a_camera_that_is_not_there_names_those_that_are(machine: Machine) -> None:
    machine.cameras = [info(0), info(1, "ov5647")]
    with pytest.raises(
        CameraAbsent, match=r"no camera picamera2:2: there are picamera2:0 \(imx219\), picamera2:1 \(ov5647\)"
    ):
        open_picam(2, StillClock())


def test_a_board_without_cameras_speaks_of_the_cable(machine: Machine) -> None:
    machine.cameras = []
    with pytest.raises(CameraAbsent, match="none is attached; check the ribbon cable"):
        opened(machine)


def test_without_picamera2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    words = "apt install python3-picamera2.*--system-site-packages"
    with pytest.raises(RuntimeUnavailable, match=words) as error:
        open_picam(0, StillClock())
    assert error.value.exit_code == ExitCode.UNAVAILABLE


def test_a_picamera2_for_another_numpy_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(RuntimeUnavailable, match=r"numpy.dtype size changed.*install numpy below 2"):
        open_picam(0, StillClock())


def test_an_error_while_listing_is_a_lost_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        @staticmethod
        def global_camera_info() -> list[dict[str, object]]:
            raise RuntimeError("no camera manager")

    broken = ModuleType("picamera2")
    vars(broken)["Picamera2"] = Failing
    monkeypatch.setitem(sys.modules, "picamera2", broken)
    with pytest.raises(CameraLost, match="libcamera cannot list its cameras: no camera manager"):
        picam.attached()


def test_older_versions_that_do_not_number_their_cameras_are_understood(machine: Machine) -> None:
    machine.cameras = [{"Model": "imx219", "Id": "/base/a"}, {"Model": "webcam", "Id": "/base/usb@0/1.2"}]
    assert [(each.number, each.usb) for each in picam.attached()] == [(0, False), (1, True)]
