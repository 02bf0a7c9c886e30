"""Video4Linux cameras: USB webcams and whatever else is a /dev/video* that gives pictures."""

from __future__ import annotations

import errno
import fcntl
import grp
import logging
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.cameras.capture import Capture, open_capture
from fer_edge.cameras.checked import CorruptFrame, Spoilt, decode_jpeg, strict_decoder
from fer_edge.cameras.files import natural
from fer_edge.cameras.live import LiveCamera, OwnedCapture
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, ExitCode

log = logging.getLogger(__name__)

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

RAW_DRIVERS = {
    "unicam": "picamera2",
    "rp1-cfe": "picamera2",
    "bcm2835-isp": "picamera2",
    "pispbe": "picamera2",
    "tegra-video": "csi",
}
"""Drivers whose nodes give a sensor's raw data, or take them, and the source that makes pictures of them."""


class CameraAbsent(CameraLost):
    """There is no such device, or not yet: opening it again may help, but the shell is told that it is unavailable."""

    exit_code = ExitCode.UNAVAILABLE


class CameraBusy(CameraLost):
    """Another process has the camera; it may let go of it."""

    worth_waiting = False


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
        found = [self.process(number) for number in self.holders(path)]
        return f"; it is in use by {', '.join(found)}" if found else ""

    def holders(self, path: Path) -> list[int]:
        """The other processes that have the device open or locked, by number."""
        device = os.path.realpath(path)
        opened = [
            int(process.name)
            for process in self.processes.glob("[0-9]*")
            if process.name != str(os.getpid()) and _has_open(process, device)
        ]
        return sorted({*opened, *self._lockers(path)})

    def process(self, number: int) -> str:
        """A process in words."""
        try:
            name = (self.processes / str(number) / "comm").read_text(encoding="utf-8").strip()
        except OSError:  # it ended meanwhile, or is hidden from this user
            name = "another program"
        return f"{name} (process {number})"

    def claim(self, path: Path, card: str) -> int | None:
        """Lock a device against a second daemon, until the file descriptor that comes back is closed.

        V4L2 itself lets two processes open a camera, and the second only finds out that it gets no pictures. None
        where the device cannot be locked; opening it will tell what is wrong. Raises CameraBusy.
        """
        try:
            handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                return None
            holder = self.users(path) or "; another process has locked it"
            raise CameraBusy(
                f"{path} ({card}) is busy{holder}; stop that, or name another camera (`fer-edge cameras` lists them)"
            ) from None
        return handle

    def _lockers(self, path: Path) -> list[int]:
        """Processes that locked the device, as the kernel lists them for everybody (proc_locks(5))."""
        try:
            state = path.stat()
            lines = (self.processes / "locks").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        where = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
        fields = (line.split() for line in lines)
        own = os.getpid()
        return [int(each[4]) for each in fields if len(each) > 5 and each[5] == where and int(each[4]) not in {own, -1}]

    def _card(self, handle: int, path: Path) -> str:
        try:
            answer = fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
        except OSError:
            raise CameraBroken(f"{path} is not a video device") from None
        driver, card, _, _, whole, own = CAPABILITY.unpack(answer)
        name = text(card)
        if not (own if whole & CAP_DEVICE_CAPS else whole) & CAP_VIDEO_CAPTURE:
            raise CameraBroken(f"{path} ({name}) gives no pictures: it is a metadata, codec or output device")
        source = RAW_DRIVERS.get(text(driver))
        if source is not None:
            raise CameraBroken(f"{path} ({name}) gives raw sensor data, no pictures: use --source {source}")
        return name


def text(field: bytes) -> str:
    """A string of the kernel's, which ends at its first zero byte."""
    return field.split(b"\0")[0].decode("utf-8", "replace")


def _has_open(process: Path, device: str) -> bool:
    try:
        return any(str(link.readlink()) == device for link in (process / "fd").iterdir())
    except OSError:  # it ended meanwhile, or belongs to somebody else
        return False


class StrictCapture:
    """A capture whose damaged and repeated pictures come out as failed reads, and are counted.

    Motion JPEG is taken as it comes from the camera and decoded here: OpenCV shows half a picture as a whole one. A
    driver that hands out its last buffer again does not move the buffer's time stamp.
    """

    def __init__(self, name: str, capture: Capture, spoilt: Spoilt) -> None:
        self._name, self._capture, self._spoilt = name, capture, spoilt
        self._stamp_ms = -1.0
        self._why = ""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames can be asked for."""
        return self._capture.isOpened()

    def read(self) -> tuple[bool, Any]:
        """Whether there was a good picture, and the picture; raises CameraLost when most are bad."""
        worked, data = self._capture.read()
        image = self._judged(data) if worked and data is not None else None
        ending = self._spoilt.add(good=image is not None) if worked else None
        if ending is not None and image is None:
            raise CameraLost(f"{self._name}: {ending}, the last one because {self._why}; its cable or hub may be bad")
        return image is not None, image

    def get(self, propId: int, /) -> float:  # noqa: N803 - OpenCV's name
        """A value of the capture."""
        return self._capture.get(propId)

    def set(self, propId: int, value: float, /) -> bool:  # noqa: N803 - OpenCV's name
        """Ask for a value."""
        return self._capture.set(propId, value)

    def release(self) -> None:
        """Let go of the device."""
        self._capture.release()

    def _judged(self, data: Any) -> Any:  # noqa: ANN401 - whatever the driver gives
        stamp_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if stamp_ms > 0 and stamp_ms == self._stamp_ms:
            self._why = "the driver handed out its last buffer again"
            return None
        self._stamp_ms = stamp_ms
        pixels = np.asarray(data)
        if pixels.dtype != np.uint8 or pixels.ndim != 2 or 1 not in pixels.shape:
            return pixels
        try:
            return decode_jpeg(pixels.tobytes())
        except CorruptFrame as error:
            self._why = str(error)
            return None


class V4l2Camera(LiveCamera):
    """A camera that this process alone holds, and that counts its damaged pictures. Use `open_v4l2`."""

    def __init__(self, name: str, fps: float, capture: OwnedCapture, clock: Clock, held: Held) -> None:
        ended = f"{MAX_BAD_READS} reads in a row gave no usable picture; it was unplugged, or its cable is bad"
        super().__init__(name, fps, capture, clock, MAX_BAD_READS, ended)
        self._held = held

    @property
    def corrupt(self) -> int:
        """Pictures that were damaged or repeated, and left out."""
        return self._held.spoilt.bad

    def close(self) -> None:
        """Release the device and the lock on it; may be called twice."""
        super().close()
        self._held.release()


@dataclass
class Held:
    """What goes with an opened camera: the lock on its device, and the count of its bad pictures."""

    lock: int | None
    spoilt: Spoilt

    def release(self) -> None:
        """Let go of the lock, even where a driver still hangs; may be called twice."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def open_v4l2(
    path: Path, clock: Clock, options: CameraOptions | None = None, devices: Devices | None = None
) -> V4l2Camera:
    """Open one camera.

    Raises CameraAbsent when it is not there, CameraBroken when it cannot be used (permission, no camera), CameraBusy
    when another process has it, CameraLost when it does not answer.
    """
    options, devices = options or CameraOptions(), devices or Devices()
    card = devices.card(path)
    held = Held(devices.claim(path, card), Spoilt(clock))
    try:
        return _open_held(path, card, clock, _opener(path, options, devices, held.spoilt), held)
    except CameraLost as error:
        held.release()
        raise type(error)(f"{error}{devices.users(path)}") from None
    except BaseException:
        held.release()
        raise


def _open_held(path: Path, card: str, clock: Clock, opener: Callable[[], Capture], held: Held) -> V4l2Camera:
    capture = OwnedCapture(str(path), opener, clock)
    try:
        opened = capture.wait_open(OPEN_TIMEOUT_S)
    except TimeoutError:
        capture.close()
        raise CameraLost(f"{path} ({card}) did not open within {OPEN_TIMEOUT_S:g} s") from None
    if opened is None:
        capture.close()
        raise CameraLost(f"{path} ({card}) cannot be opened; another program may be using it")
    return V4l2Camera(f"{path} ({card}, {opened.width_px} x {opened.height_px})", opened.fps, capture, clock, held)


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


def _opener(path: Path, options: CameraOptions, devices: Devices, spoilt: Spoilt) -> Callable[[], Capture]:
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
            _take_jpeg(path, capture)
        return StrictCapture(str(path), capture, spoilt)

    return opener


def _take_jpeg(path: Path, capture: Capture) -> None:
    """Where the camera gives Motion JPEG, let OpenCV hand it on undecoded."""
    if int(capture.get(cv2.CAP_PROP_FOURCC)) != MJPG:
        return
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    if not strict_decoder():
        log.warning(
            "%s: simplejpeg is not installed, so that some damaged pictures will not be noticed; "
            "pip install 'fer-edge[web]' brings it",
            path,
        )


def _group(path: Path) -> str:
    """The group that may use a device: `video` on every distribution we know."""
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"
