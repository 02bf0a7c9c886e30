"""Single pictures and folders of pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_edge.cameras.header import read_header
from fer_edge.cameras.pace import Pace
from fer_edge.cameras.quiet import hush
from fer_edge.cameras.source import Source
from fer_edge.clock import Clock
from fer_edge.errors import InputError
from fer_edge.types import Frame, Image

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp"})
CLIP_SUFFIXES = frozenset(
    {".avi", ".flv", ".gif", ".m4v", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv"}
)

MAX_PICTURE_BYTES = 64 * 1024 * 1024
MAX_PICTURE_PIXELS = 100_000_000
"""0.3 GB once decoded; the largest phone sensors give 200 million pixels, their pictures mostly 12 or 50."""

PICTURE_INTERVAL_S = 1.0
"""Seconds between pictures that have no time of their own."""


def read_picture(path: Path) -> Image:
    """Decode a JPEG, PNG, WebP, BMP, PGM or PPM file: uint8 (H, W, 3), blue-green-red, turned as its EXIF data say.

    Raises InputError when it is missing, unreadable, larger than the limits above, cut off, or not such a picture.
    """
    data = _bytes(path)
    header = read_header(data)
    if header is None:
        raise InputError(f"{path} is not a picture (JPEG, PNG, WebP, BMP, PGM or PPM)")
    if header.pixels > MAX_PICTURE_PIXELS:
        raise InputError(
            f"{path} has {header.width_px} x {header.height_px} pixels, more than the limit of "
            f"{MAX_PICTURE_PIXELS / 1e6:.0f} million; make it smaller"
        )
    if not header.whole:
        raise InputError(f"{path} is a {header.format} picture that is cut off: the file ends before the picture does")
    hush()
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path} is a {header.format} picture that cannot be decoded; the file is damaged")
    return np.asarray(image, dtype=np.uint8)


def _bytes(path: Path) -> bytes:
    """The file, within the limit on bytes."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a picture")
        size = path.stat().st_size
        if size > MAX_PICTURE_BYTES:
            raise InputError(
                f"{path} has {size} bytes, more than the limit of {MAX_PICTURE_BYTES >> 20} MiB for a picture"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


class PictureCamera(Source):
    """Pictures in a row, one frame each, `Frame.origin` telling the file. Use `open_picture` or `open_folder`.

    skipped: one sentence for everything that was found and is not a picture, in the order it was met.
    """

    live = False

    def __init__(self, name: str, paths: Sequence[Path], skipped: Sequence[str], clock: Clock, pace: bool) -> None:
        self.name = name
        self.fps = 0.0
        self.skipped = list(skipped)
        self._paths = list(paths)
        self._clock = clock
        self._pace = Pace(clock, pace)
        self._next = self._delivered = 0

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 - a file answers at once
        """The next picture, None after the last one.

        Unreadable files among several are skipped and told in `skipped`. Raises InputError when there was only one, or
        when none at all could be read.
        """
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            try:
                image = read_picture(path)
            except InputError as error:
                if len(self._paths) == 1:
                    raise
                self.skipped.append(str(error))
                continue
            return self._frame(image, path)
        if self._paths and not self._delivered:
            raise InputError(f"none of the {len(self._paths)} pictures in {self.name} can be read: {self.skipped[-1]}")
        return None

    def close(self) -> None:
        """Read no further; may be called twice."""
        self._next = len(self._paths)

    def _frame(self, image: Image, path: Path) -> Frame:
        seq = self._delivered
        self._delivered += 1
        self._pace.wait(seq * PICTURE_INTERVAL_S)
        return Frame(image, seq * PICTURE_INTERVAL_S, self._clock.wall(), seq, str(path))


def open_picture(path: Path, clock: Clock, *, pace: bool = False) -> PictureCamera:
    """One picture; raises InputError when there is no such file (what is in it shows when it is read)."""
    if not path.exists():
        raise InputError(f"no such file: {path}")
    return PictureCamera(str(path), [path], (), clock, pace)


def open_folder(path: Path, clock: Clock, *, pace: bool = False) -> PictureCamera:
    """The pictures directly in a folder, in natural order (2 before 10); raises InputError when there is none."""
    try:
        entries = sorted((entry for entry in path.iterdir() if not entry.name.startswith(".")), key=natural)
    except OSError as error:
        raise InputError(f"cannot read the folder {path}: {error.strerror or error}") from None
    pictures = [entry for entry in entries if entry.suffix.lower() in PICTURE_SUFFIXES and not entry.is_dir()]
    chosen = set(pictures)
    skipped = [_why_not(entry) for entry in entries if entry not in chosen]
    if not pictures:
        found = f"; it holds {len(entries)} other things, the first of them {entries[0].name}" if entries else ""
        raise InputError(f"the folder {path} holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))}){found}")
    return PictureCamera(str(path), pictures, skipped, clock, pace)


def natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A sorting key for names in which numbers count as numbers."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return [(int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in parts], path.name


def _why_not(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; only the pictures directly in a folder are read"
    if path.suffix.lower() in CLIP_SUFFIXES:
        return f"{path} is a clip; name it as the source itself"
    return f"{path} is not a picture (by its suffix)"
