"""`--source`: one word for every camera."""

from __future__ import annotations

import logging
import re
import stat
from pathlib import Path

from fer_edge.cameras import Camera
from fer_edge.cameras.checked import checked
from fer_edge.cameras.demo import DemoCamera
from fer_edge.cameras.fault import open_fault
from fer_edge.cameras.files import CLIP_SUFFIXES, PICTURE_SUFFIXES, open_folder, open_picture
from fer_edge.cameras.gstreamer import open_csi
from fer_edge.cameras.header import looks_like_picture
from fer_edge.cameras.picam import attached, installed, open_picam
from fer_edge.cameras.stream import SCHEMES, masked, open_stream
from fer_edge.cameras.v4l2 import CameraOptions, open_first, open_v4l2
from fer_edge.cameras.video import open_clip
from fer_edge.clock import Clock, SystemClock
from fer_edge.errors import FerEdgeError, InputError, UsageError

log = logging.getLogger(__name__)

ALLOWED = (
    "auto, demo, a camera number such as 0, v4l2:/dev/video0, picamera2[:N], csi[:N], rtsp://... or http://..., "
    "a clip, a picture or a folder, or fault:SOURCE?SCRIPT"
)
BOARD = re.compile(r"(?P<kind>picamera2|csi)(?::(?P<number>[0-9]{1,2}))?", re.ASCII)
FAULT = "fault:"
DEVICE = re.compile(r"(?:v4l2:)?(?:(?P<number>[0-9]{1,3})|(?P<path>/dev/(?:video[0-9]{1,3}|v4l/.+)))", re.ASCII)
SNIFFED_BYTES = 16


def open_camera(
    source: str, clock: Clock | None = None, *, pace: bool = False, options: CameraOptions | None = None
) -> Camera:
    """Open what `--source` names.

    pace: deliver clips, pictures and `demo` in real time. options: what to ask of a camera. Live cameras come out as a
    `CheckedCamera`, which leaves out what cannot be a new picture.
    Raises UsageError for a word that cannot be a source, InputError for a file that is missing or unreadable,
    CameraLost (worth another try) or CameraBroken for a camera, stream or clip that cannot be used, RuntimeUnavailable
    when what reads the camera is not installed.
    """
    clock = clock or SystemClock()
    if source.startswith(FAULT):
        camera: Camera = open_fault(
            source[len(FAULT) :], clock, lambda inside: _open(inside, clock, pace=False, options=options)
        )
    else:
        camera = _open(source, clock, pace=pace, options=options)
    return checked(camera, clock)


def _open(source: str, clock: Clock, *, pace: bool, options: CameraOptions | None) -> Camera:
    device, board = DEVICE.fullmatch(source), BOARD.fullmatch(source)
    if source == "auto":
        return _open_auto(clock, options)
    if source == "demo":
        return DemoCamera(clock, pace=pace)
    if device:
        return open_v4l2(Path(device["path"] or f"/dev/video{device['number']}"), clock, options)
    if board:
        opener = open_picam if board["kind"] == "picamera2" else open_csi
        return opener(int(board["number"] or 0), clock, options)
    if source.partition(":")[0].lower() in SCHEMES and ":" in source:
        return open_stream(source, clock)
    return _open_path(source, clock, pace, options)


def _open_auto(clock: Clock, options: CameraOptions | None) -> Camera:
    """The Pi's own camera module where there is one, else the first V4L2 camera that gives a picture."""
    if installed():
        try:
            own = [camera for camera in attached() if not camera.usb]
            if own:
                return open_picam(own[0].number, clock, options)
        except FerEdgeError as error:
            log.warning("%s; looking for another camera", error)
    return open_first(clock, options)


def _open_path(source: str, clock: Clock, pace: bool, options: CameraOptions | None) -> Camera:
    path = Path(source)
    try:
        mode = path.stat().st_mode if source else 0
    except (OSError, ValueError) as error:
        raise _absent(source, error) from None
    if stat.S_ISDIR(mode):
        return open_folder(path, clock, pace=pace)
    if stat.S_ISREG(mode):
        opener = open_picture if _is_picture(path) else open_clip
        return opener(path, clock, pace=pace)
    if stat.S_ISCHR(mode):
        return open_v4l2(path, clock, options)
    raise UsageError(f"source {source!r} is neither a file, a folder nor a camera: expected {ALLOWED}")


def _absent(source: str, error: OSError | ValueError) -> FerEdgeError:
    """The error for a word that is nothing on this machine."""
    if isinstance(error, PermissionError):
        return InputError(f"no permission to read {source}")
    if isinstance(error, OSError) and "://" not in source and ("/" in source or Path(source).suffix):
        return InputError(f"no such file: {source}")
    return UsageError(
        f"source {masked(source)!r} is neither a file, a folder, a URL nor a known word: expected {ALLOWED}"
    )


def _is_picture(path: Path) -> bool:
    """By its suffix, or by its first bytes when the suffix says nothing."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES | CLIP_SUFFIXES:
        return suffix in PICTURE_SUFFIXES
    try:
        with path.open("rb") as file:
            return looks_like_picture(file.read(SNIFFED_BYTES))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
