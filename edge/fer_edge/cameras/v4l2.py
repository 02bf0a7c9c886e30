"""Video4Linux cameras: USB webcams and whatever else is a /dev/video* that gives pictures."""

from __future__ import annotations

import fcntl
import grp
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from fer_edge.cameras.capture import Capture, open_capture
from fer_edge.cameras.files import natural
from fer_edge.cameras.live import LiveCamera, OwnedCapture
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, ExitCode

OPEN_TIMEOUT_S = 10.0
"""A USB camera that wakes up takes 1 to 3 s; one that hangs takes for ever."""
FIRST_FRAME_S = 5.0
"""How long `auto` waits for the picture that proves a device."""
MAX_BAD_READS = 10
"""A third of a second of unusable pictures at 30 fps: a torn JPEG now and then is usual on a long USB cable."""
BUFFERED_FRAMES = 1
MJPG = cv2.VideoWriter.fourcc(*"MJPG")
"""Preferred because raw 640 x 480 at 30 fps takes most of a USB 2 bus, and larger pictures do not fit."""

VIDIOC_QUERYCAP = 0x80685600
"""_IOR('V', 0, struct v4l2_capability), linux/videodev2.h."""
CAPABILITY = struct.Struct("<16s32s32sIII12x")
CAP_VIDEO_CAPTURE = 0x0000_0001
CAP_DEVICE_CAPS = 0x8000_0000


class CameraAbsent(CameraLost):
    """There is no such device, or not yet: opening it again may help, but the shell is told that it is unavailable."""

    exit_code = ExitCode.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """What is asked of a camera; it gives the nearest that it can, and its name tells what that is."""

    width_px: int = 640
    height_px: int = 480
    fps: float = 30.0


class Devices:
    """The machine's video devices; tests put theirs in its place."""

    folder = Path("/dev")
    processes = Path("/proc")

    def paths(self) -> list[Path]:
        """All /dev/video*, in the order of their numbers."""
        return sorted(self.folder.glob("video*"), key=natural)

    def card(self, path: Path) -> str:
        """What the camera calls itself. Raises CameraAbsent, CameraLost or CameraBroken when it cannot be used."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            there = ", ".join(map(str, self.paths()))
            hint = f"there are {there}" if there else "no camera is plugged in; the built-in `--source demo` needs none"
            raise CameraAbsent(f"there is no camera {path}: {hint}") from None
        except PermissionError:
            raise CameraBroken(
                f"no permission to use {path}: it belongs to the group {_group(path)}; "
                f"run `sudo usermod -aG {_group(path)} $USER` and log in again"
            ) from None
        except OSError as error:
            raise CameraLost(f"cannot open {path}: {error.strerror}{self.users(path)}") from None
        try:
            return self._card(handle, path)
        finally:
            os.close(handle)

    def capture(self, path: Path) -> Capture:
        """OpenCV's capture of a device."""
        return open_capture(str(path), cv2.CAP_V4L2)

    def users(self, path: Path) -> str:
        """Which other processes hold the device, in words; only those that this user may look into."""
        found: list[str] = []
        device = os.path.realpath(path)
        for process in self.processes.glob("[0-9]*"):
            if process.name == str(os.getpid()):
                continue
            try:
                held = any(str(link.readlink()) == device for link in (process / "fd").iterdir())
                if held:
                    found.append(f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})")
            except OSError:  # it ended meanwhile, or belongs to somebody else
                continue
        return f"; it is in use by {', '.join(found)}" if found else ""

    def _card(self, handle: int, path: Path) -> str:
        try:
            answer = fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
        except OSError:
            raise CameraBroken(f"{path} is not a video device") from None
        _, card, _, _, whole, own = CAPABILITY.unpack(answer)
        name: str = card.split(b"\0")[0].decode("utf-8", "replace")
        if not (own if whole & CAP_DEVICE_CAPS else whole) & CAP_VIDEO_CAPTURE:
            raise CameraBroken(f"{path} ({name}) gives no pictures: it is a metadata, codec or output device")
        return name


def open_v4l2(
    path: Path, clock: Clock, options: CameraOptions | None = None, devices: Devices | None = None
) -> LiveCamera:
    """Open one camera.

    Raises CameraAbsent when it is not there, CameraBroken when it cannot be used (permission, no camera), CameraLost
    when it is busy or does not answer.
    """
    options, devices = options or CameraOptions(), devices or Devices()
    card = devices.card(path)
    capture = OwnedCapture(str(path), _opener(path, options, devices), clock)
    try:
        opened = capture.wait_open(OPEN_TIMEOUT_S)
    except TimeoutError:
        capture.close()
        raise CameraLost(f"{path} ({card}) did not open within {OPEN_TIMEOUT_S:g} s{devices.users(path)}") from None
    if opened is None:
        capture.close()
        hint = devices.users(path) or "; another program may be using it"
        raise CameraLost(f"{path} ({card}) cannot be opened{hint}")
    name = f"{path} ({card}, {opened.width_px} x {opened.height_px})"
    ended = f"{MAX_BAD_READS} reads in a row gave no usable picture; it was unplugged, or its cable is bad"
    return LiveCamera(name, opened.fps, capture, clock, MAX_BAD_READS, ended)


def open_first(clock: Clock, options: CameraOptions | None = None, devices: Devices | None = None) -> LiveCamera:
    """Open the first camera that gives a picture, in the order of /dev/video0, 1, 2...

    Raises CameraBroken, with the reason for each device, when none does.
    """
    devices = devices or Devices()
    reasons: list[str] = []
    for path in devices.paths():
        try:
            camera = open_v4l2(path, clock, options, devices)
        except (CameraLost, CameraBroken) as error:
            reasons.append(str(error))
            continue
        try:
            camera.read(FIRST_FRAME_S)
        except CameraLost as error:
            camera.close()
            reasons.append(str(error))
            continue
        return camera
    found = (
        f"no camera can be used ({'; '.join(reasons)})" if reasons else "no camera was found (there is no /dev/video*)"
    )
    raise CameraBroken(f"{found}; the built-in `--source demo` needs none")


def _opener(path: Path, options: CameraOptions, devices: Devices) -> Callable[[], Capture]:
    wanted: Sequence[tuple[int, float]] = (
        (cv2.CAP_PROP_FOURCC, MJPG),  # first: it decides which sizes and rates there are
        (cv2.CAP_PROP_FRAME_WIDTH, options.width_px),
        (cv2.CAP_PROP_FRAME_HEIGHT, options.height_px),
        (cv2.CAP_PROP_FPS, options.fps),
        (cv2.CAP_PROP_BUFFERSIZE, BUFFERED_FRAMES),
    )

    def opener() -> Capture:
        capture = devices.capture(path)
        if capture.isOpened():
            for prop, value in wanted:
                capture.set(prop, value)
        return capture

    return opener


def _group(path: Path) -> str:
    """The group that may use a device: `video` on every distribution we know."""
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"
