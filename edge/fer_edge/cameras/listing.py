"""`fer-edge cameras`: what cameras this machine has, what they give, and why one of them cannot be used."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_edge.cameras import picam
from fer_edge.cameras.gstreamer import PROGRAM
from fer_edge.cameras.v4l2 import (
    CAP_DEVICE_CAPS,
    CAP_VIDEO_CAPTURE,
    CAPABILITY,
    RAW_DRIVERS,
    VIDIOC_QUERYCAP,
    Devices,
    text,
)
from fer_edge.errors import CameraLost, RuntimeUnavailable

VIDIOC_ENUM_FMT = 0xC0405602
"""_IOWR('V', 2, struct v4l2_fmtdesc), linux/videodev2.h, as the next one."""
VIDIOC_ENUM_FRAMESIZES = 0xC02C564A
"""_IOWR('V', 74, struct v4l2_frmsizeenum)."""
FORMAT = struct.Struct("=III32sII12x")
"""index, type, flags, description, pixel format, bus code, reserved."""
SIZE = struct.Struct("=III6I8x")
"""index, pixel format, type, width and height or the ranges of both, reserved."""
BUF_TYPE_VIDEO_CAPTURE = 1
SIZE_DISCRETE = 1
MAX_FORMATS = 64
MAX_SIZES = 64
"""What is listed of one device at most; a driver that never says "no more" ends there."""

JETSON_RELEASE = "etc/nv_tegra_release"
ARGUS_SOCKET = "tmp/argus_socket"
"""Where the daemon listens that owns a Jetson's CSI cameras."""


@dataclass(frozen=True, slots=True)
class Format:
    """A pixel format by its four letters, what the driver calls it, and "640 x 480" or ranges of sizes."""

    fourcc: str
    description: str
    sizes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One camera, or what looks like one.

    source: the word for `--source`. reason: why it cannot be used, fix: what to do about that; both "" when it can.
    """

    source: str
    name: str
    driver: str
    formats: tuple[Format, ...] = ()
    reason: str = ""
    fix: str = ""

    @property
    def usable(self) -> bool:
        """Whether `--source` would take it."""
        return not self.reason


def listed(root: Path = Path("/")) -> list[Found]:
    """All cameras: the Pi's own, V4L2 devices, a Jetson's. Asks the drivers, and takes no picture.

    root: where /dev, /proc, /sys, /etc and /tmp are looked for. Nodes that carry metadata are left out.
    """
    devices = Devices()
    devices.folder, devices.processes = root / "dev", root / "proc"
    nodes = [found for path in devices.paths() if (found := _node(path, devices, root)) is not None]
    return [*_of_picamera2(), *nodes, *_of_jetson(root, nodes)]


def looked_for(root: Path = Path("/")) -> list[str]:
    """Where cameras were looked for and what was there, one sentence each."""
    devices = Devices()
    devices.folder = root / "dev"
    count = len(devices.paths())
    return [
        f"V4L2: {count} device{'' if count == 1 else 's'} /dev/video*"
        + ("" if count else "; plug a USB camera in, or let the container have it"),
        _picamera2_words(),
        "Jetson CSI: " + ("this is a Jetson" if (root / JETSON_RELEASE).exists() else "this is no Jetson"),
        "everywhere: --source demo, clips, pictures, folders, rtsp:// and http:// streams",
    ]


def as_text(found: list[Found], looked: list[str]) -> str:
    """For people: one block per camera; where there is none, what was looked for."""
    blocks = ["\n".join(_block(each)) for each in found]
    if not any(each.usable for each in found):
        nothing = "no camera can be used" if found else "no camera was found"
        blocks.append("\n".join([f"{nothing}; looked for", *(f"  {line}" for line in looked)]))
    return "\n".join(blocks)


def as_document(found: list[Found], looked: list[str]) -> dict[str, Any]:
    """For programs: JSON of the same."""
    return {"cameras": [{**asdict(each), "usable": each.usable} for each in found], "looked_for": looked}


def _block(found: Found) -> Iterator[str]:
    yield f"{found.source}  {found.name}" + (f"  [{found.driver}]" if found.driver else "")
    for each in found.formats:
        yield f"  {each.fourcc} ({each.description}): {', '.join(each.sizes) or 'sizes unknown'}"
    if found.reason:
        yield f"  cannot be used: {found.reason}"
        yield f"  fix: {found.fix}"


def _node(path: Path, devices: Devices, root: Path) -> Found | None:
    """One /dev/video*; None for a node that carries no pictures beside one that does."""
    source = f"v4l2:/dev/{path.name}"
    name = _sys_name(root, path)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Found(source, name, "", (), *_refused(path, error, devices))
    try:
        return _asked(handle, source, path, devices)
    except OSError:
        return Found(source, name, "", (), "it does not answer as a video device", "unplug it and plug it in again")
    finally:
        os.close(handle)


def _asked(handle: int, source: str, path: Path, devices: Devices) -> Found | None:
    """What a node says of itself; raises OSError when it is no video device."""
    driver_, card_, _, _, whole, own = CAPABILITY.unpack(fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(CAPABILITY.size)))
    driver, card = text(driver_), text(card_)
    if not (own if whole & CAP_DEVICE_CAPS else whole) & CAP_VIDEO_CAPTURE:
        if whole & CAP_VIDEO_CAPTURE:
            return None  # the metadata beside the pictures of a webcam
        return Found(source, card, driver, (), "it is a codec or an output, and gives no pictures", "use another one")
    formats = tuple(_formats(handle))
    if driver in RAW_DRIVERS:
        reason = "it gives a sensor's raw data, which is no picture yet"
        return Found(source, card, driver, formats, reason, f"use --source {RAW_DRIVERS[driver]}:N")
    if not formats:
        return Found(source, card, driver, (), "it offers no format", "look at `dmesg`; its driver may have failed")
    holders = [devices.process(number) for number in devices.holders(path)]
    if holders:
        return Found(source, card, driver, formats, f"{', '.join(holders)} has it open", "stop that program")
    return Found(source, card, driver, formats)


def _refused(path: Path, error: OSError, devices: Devices) -> tuple[str, str]:
    """Why a node cannot be opened, and the fix."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "this user has no permission", "run `sudo usermod -aG video $USER` and log in again"
    if error.errno == errno.EBUSY:
        return f"it is busy{devices.users(path)}", "stop the program that uses it"
    return f"it cannot be opened: {error.strerror}", "unplug it and plug it in again"


def _sys_name(root: Path, path: Path) -> str:
    """The name that the kernel shows to everybody, also for a device that may not be opened."""
    try:
        return (root / "sys/class/video4linux" / path.name / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return "camera"


def _enumerated(handle: int, request: int, questions: Iterator[bytes]) -> Iterator[bytes]:
    """The answers to one question after another, until the driver has no more."""
    for question in questions:
        try:
            yield fcntl.ioctl(handle, request, question)
        except OSError:
            return


def _formats(handle: int) -> Iterator[Format]:
    questions = (FORMAT.pack(index, BUF_TYPE_VIDEO_CAPTURE, 0, b"", 0, 0) for index in range(MAX_FORMATS))
    for answer in _enumerated(handle, VIDIOC_ENUM_FMT, questions):
        _, _, _, description, pixels, _ = FORMAT.unpack(answer)
        fourcc = (pixels & 0x7FFF_FFFF).to_bytes(4, "little").decode("latin-1").strip()
        yield Format(fourcc, text(description), tuple(_sizes(handle, pixels)))


def _sizes(handle: int, pixels: int) -> Iterator[str]:
    questions = (SIZE.pack(index, pixels, 0, *[0] * 6) for index in range(MAX_SIZES))
    for answer in _enumerated(handle, VIDIOC_ENUM_FRAMESIZES, questions):
        _, _, kind, *sides = SIZE.unpack(answer)
        if kind != SIZE_DISCRETE:
            least_w, most_w, _, least_h, most_h, _ = sides
            yield f"{least_w} x {least_h} to {most_w} x {most_h}"
            return
        yield f"{sides[0]} x {sides[1]}"


def _of_picamera2() -> Iterator[Found]:
    if not picam.installed():
        return
    try:
        cameras = [each for each in picam.attached() if not each.usb]
    except (RuntimeUnavailable, CameraLost) as error:
        yield Found("picamera2", "camera module", "libcamera", (), str(error), picam.INSTALL)
        return
    for each in cameras:
        yield Found(f"picamera2:{each.number}", each.model, "libcamera")


def _picamera2_words() -> str:
    if not picam.installed():
        return f"picamera2: not installed; on a Raspberry Pi, {picam.INSTALL}"
    try:
        count = sum(not each.usb for each in picam.attached())
    except (RuntimeUnavailable, CameraLost) as error:
        return f"picamera2: {error}"
    hint = "" if count else "; check the ribbon cable, and that /boot/firmware/config.txt has camera_auto_detect=1"
    return f"picamera2: {count} camera module{'' if count == 1 else 's'}{hint}"


def _of_jetson(root: Path, nodes: list[Found]) -> Iterator[Found]:
    """A Jetson's sensors have V4L2 nodes with raw data; Argus counts them in the same order."""
    for number, node in enumerate(each for each in nodes if each.driver == "tegra-video"):
        reason = fix = ""
        if not (root / ARGUS_SOCKET).exists():
            reason, fix = "the camera daemon does not run", "run `sudo systemctl restart nvargus-daemon`"
        elif shutil.which(PROGRAM) is None:
            reason, fix = f"{PROGRAM} is not installed", "run `sudo apt install gstreamer1.0-tools`"
        yield Found(f"csi:{number}", node.name, "nvarguscamerasrc", (), reason, fix)
