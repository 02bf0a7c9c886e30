"""What a picture's first bytes tell before it is decoded: format, size, and whether the file reaches its own end."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of the segments that state a JPEG's size: start of frame, ITU-T T.81 table B.1."""
JPEG_SCAN, JPEG_END = 0xDA, b"\xff\xd9"
PNG_END = b"\x00\x00\x00\x00IEND"


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """format: as people call it. width_px, height_px: as stored, before any turn. whole: False when it is cut off."""

    format: str
    width_px: int
    height_px: int
    whole: bool

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px


def looks_like_picture(head: bytes) -> bool:
    """Whether a file that begins with these bytes (12 or more) is in one of the formats below."""
    return any(recognised(head) for recognised, _ in FORMATS)


def read_header(data: bytes) -> PictureHeader | None:
    """The header of a JPEG, PNG, WebP, BMP, PGM or PPM file; None when it is none of them or ends within its header."""
    for recognised, reader in FORMATS:
        if recognised(data):
            try:
                return reader(data)
            except (struct.error, IndexError, ValueError):
                return None
    return None


def _png(data: bytes) -> PictureHeader:
    width, height = struct.unpack(">II", data[16:24])
    return PictureHeader("PNG", width, height, PNG_END in data)


def _jpeg(data: bytes) -> PictureHeader | None:
    """Walk the segments up to the first scan; within scans 0xFF is always stuffed, so the end mark cannot occur."""
    at, width, height = 2, 0, 0
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes before a marker
            at += 1
            continue
        if marker == JPEG_SCAN:
            whole = JPEG_END in data[at:]
            return PictureHeader("JPEG", width, height, whole) if width and height else None
        if marker in JPEG_SIZES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp(data: bytes) -> PictureHeader | None:
    """https://developers.google.com/speed/webp/docs/riff_container, and RFC 9649."""
    whole = len(data) >= 8 + struct.unpack("<I", data[4:8])[0]
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", data[26:30]))
    else:
        return None
    return PictureHeader("WebP", width, height, whole)


def _bmp(data: bytes) -> PictureHeader:
    """Height is negative in files that are stored from the top."""
    stated = struct.unpack("<I", data[2:6])[0]
    width, height = struct.unpack("<ii", data[18:26])
    return PictureHeader("BMP", abs(width), abs(height), len(data) >= stated)


def _pnm(data: bytes) -> PictureHeader:
    """Binary grey (P5) and colour (P6): three numbers in text, comments allowed, then the pixels."""
    numbers: list[int] = []
    at = 2
    while len(numbers) < 3:
        if data[at : at + 1] == b"#":
            at = data.index(b"\n", at)
        elif data[at : at + 1].isspace():
            at += 1
        else:
            end = at
            while data[end : end + 1].isdigit():
                end += 1
            numbers.append(int(data[at:end]))
            at = end
    width, height, maximum = numbers
    expected = width * height * (3 if data[:2] == b"P6" else 1) * (2 if maximum > 255 else 1)
    return PictureHeader("PGM" if data[:2] == b"P5" else "PPM", width, height, len(data) >= at + 1 + expected)


FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], PictureHeader | None]], ...] = (
    (lambda data: data[:3] == b"\xff\xd8\xff", _jpeg),
    (lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _png),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (lambda data: data[:2] == b"BM", _bmp),
    (lambda data: data[:2] in {b"P5", b"P6"}, _pnm),
)
"""How each format is recognised by its bytes, and who reads it."""
