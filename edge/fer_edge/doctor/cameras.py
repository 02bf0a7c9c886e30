"""Checks of cameras: which devices there are, and why one cannot be used; without OpenCV, which may be broken."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from getpass import getuser
from pathlib import Path

from fer_edge.doctor.finding import Finding
from fer_edge.trial.process import probe

VIDIOC_QUERYCAP = 0x80685600
"""_IOR('V', 0, struct v4l2_capability), linux/videodev2.h."""
CAPABILITY = struct.Struct("<16s32s32sIII12x")
CAP_VIDEO_CAPTURE = 0x0000_0001
CAP_DEVICE_CAPS = 0x8000_0000
PI_NODES = ("unicam", "rp1-cfe", "bcm2835-", "pispbe", "rpi-hevc-dec")
"""The Raspberry Pi's receivers, image processors and codecs: they take pictures only in libcamera's hands."""
SYSTEM_PICAMERA2 = "usr/lib/python3/dist-packages/picamera2"
"""Where the distribution's package puts it."""

Open = Callable[[Path, int], int]


def camera_findings(root: Path = Path("/"), opener: Open = os.open) -> list[Finding]:
    """Every /dev/video*; opener: as `os.open`."""
    paths = sorted(root.glob("dev/video[0-9]*"), key=lambda path: int(path.name.removeprefix("video") or 0))
    found = [finding for path in paths if (finding := _device(root, path, opener)) is not None]
    if any(each.level == "ok" for each in found):
        return found
    fix = "plug one in, or enable it; streams (rtsp://...) and the built-in `--source demo` need none"
    return [*found, Finding("cameras", "note", "no /dev/video* can be used", fix)]


def holders(root: Path, path: Path) -> list[str]:
    """Which other processes hold a device, as "name (process 12)"; only those that this user may look into."""
    found = []
    device = os.path.realpath(path)
    for process in sorted(root.glob("proc/[0-9]*")):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(link) == device for link in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})")
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def picamera2_findings(root: Path, environment: Mapping[str, str] | None, timeout_s: float) -> list[Finding]:
    """Whether the Raspberry Pi's own cameras can be used from this Python."""
    stages, death = probe(("library", "picamera2"), environment, timeout_s)
    if death is None and "error" not in stages[-1]:
        return [Finding("picamera2", "ok", "can be imported")]
    why = death or str(stages[-1]["error"])
    return [Finding("picamera2", "warning", *_no_picamera2(root, why))]


def _no_picamera2(root: Path, why: str) -> tuple[str, str]:
    """What is found, and the fix."""
    anew = f"{sys.base_prefix}/bin/python3 -m venv --system-site-packages {sys.prefix}"
    if "numpy" in why and ("incompatib" in why or "multiarray" in why):
        return f"was built for another numpy: {why}", f"{sys.executable} -m pip install 'numpy<2'"
    if "No module named 'picamera2'" not in why and "No module named 'libcamera'" not in why:
        return f"cannot be imported: {why}", "sudo apt install --reinstall python3-picamera2 python3-libcamera"
    if not (root / SYSTEM_PICAMERA2).is_dir():
        return "is not installed, so cameras on the ribbon cable cannot be used", "sudo apt install python3-picamera2"
    if sys.prefix == sys.base_prefix:
        return (
            "is installed for the system's Python, and this is another one",
            "make the environment with /usr/bin/python3",
        )
    return "is installed, but this environment does not see the system's packages", anew


def _device(root: Path, path: Path, opener: Open) -> Finding | None:
    """None for nodes that are no camera: the metadata, codecs and image processors that cameras bring along."""
    name = f"/{path.relative_to(root)}"
    try:
        handle = opener(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return _unusable(root, path, error)
    try:
        card = _card(handle)
    except OSError:
        return Finding(name, "warning", "is not a video device")
    finally:
        os.close(handle)
    if card is None:
        return None
    users = holders(root, path)
    if users:
        return Finding(name, "warning", f"{card}, in use by {', '.join(users)}", "stop that before the daemon starts")
    return Finding(name, "ok", card)


def _unusable(root: Path, path: Path, error: OSError) -> Finding:
    name = f"/{path.relative_to(root)}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        group = _group(path)
        found = f"no permission: it belongs to the group {group}"
        return Finding(name, "problem", found, f"sudo usermod -aG {group} {getuser()}, then log in again")
    if error.errno == errno.EBUSY:
        users = ", ".join(holders(root, path)) or "a process of another user"
        return Finding(name, "problem", f"in use by {users}", "stop that process, or give it another camera")
    return Finding(
        name, "problem", f"cannot be opened: {os.strerror(error.errno or 0)}", "unplug it and plug it in again"
    )


def _card(handle: int) -> str | None:
    """What the camera calls itself, None for a node that is no camera; raises OSError for another kind of device."""
    _, card, _, _, whole, own = CAPABILITY.unpack(fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(CAPABILITY.size)))
    if not (own if whole & CAP_DEVICE_CAPS else whole) & CAP_VIDEO_CAPTURE:
        return None
    name: str = card.split(b"\0")[0].decode("utf-8", "replace")
    return None if name.startswith(PI_NODES) else name


def _group(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"


def device_names(root: Path) -> Iterator[Path]:
    """What must be readable for cameras and for throttling bits."""
    for pattern in ("dev/video[0-9]*", "dev/media[0-9]*", "dev/dma_heap/*", "dev/vcio"):
        yield from sorted(root.glob(pattern))
