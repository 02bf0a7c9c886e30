"""What a clip's file promises: whether it reaches its own end, and how much it shows. Decodes nothing."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Bytes = mmap.mmap | bytes

MAX_ELEMENTS = 1_000_000
"""Boxes or blocks that are looked at in one file."""
HANDLER_WITHIN = 4096
"""Bytes of an MP4 track in which its kind is looked for; it stands before the sample tables."""
TS_PACKET = 188
TS_SYNC = 0x47
"""Length and first byte of an MPEG transport stream's packets (ISO/IEC 13818-1, 2.4.3)."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the file says of itself.

    kind: "mp4", "gif", "avi", "matroska", "ts", or "" for all others, whose structure says nothing.
    cut: why the file is known to be cut off, "" when it is not.
    seconds: how long pictures are shown, frames: how many pictures are whole; None where only OpenCV knows.
    """

    kind: str = ""
    cut: str = ""
    seconds: float | None = None
    frames: int | None = None


def inspect(path: Path) -> Container:
    """Look at a file's structure; raises OSError when it cannot be read."""
    if path.stat().st_size == 0:
        return Container()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for recognised, reader in FORMATS:
            if recognised(data):
                return reader(data)
    return Container()


def _short(size: int, promised: int, what: str) -> str:
    return f"it ends at byte {size} of {promised} that its {what} promises" if size < promised else ""


def _mp4(data: Bytes) -> Container:
    problems, indexed, seconds = [], False, None
    for name, start, stop in _boxes(data, 0, len(data)):
        if stop > len(data):
            problems.append(_short(len(data), stop, f"{name.decode('latin-1')} box"))
        if name == b"moov":
            indexed, seconds = True, _shown_s(data, start, stop)
    if not indexed:
        problems.append("its index (the moov box) is missing")
    return Container("mp4", ", and ".join(problems), seconds)


def _boxes(data: Bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte of the content, end as the header promises it) of the boxes of ISO/IEC 14496-12, 4.2."""
    for _ in range(MAX_ELEMENTS):
        if start + 8 > min(end, len(data)):
            return
        size, name = struct.unpack(">I4s", data[start : start + 8])
        content = start + 8
        if size == 1 and start + 16 <= len(data):
            size, content = struct.unpack(">Q", data[start + 8 : start + 16])[0], start + 16
        stop = end if size == 0 else start + size
        if stop < content:
            return
        yield name, content, stop
        start = stop


def _shown_s(data: Bytes, start: int, stop: int) -> float | None:
    """Seconds of video that the edit list lets through (14496-12, 8.6.6); None without one.

    Phones trim clips by an edit list alone: the frames before it stay in the file, are counted, and are not shown.
    """
    timescale = shown = 0
    for name, inner, end in _boxes(data, start, stop):
        if name == b"mvhd" and inner + 24 <= len(data):
            at = inner + (20 if data[inner] == 1 else 12)
            timescale = struct.unpack(">I", data[at : at + 4])[0]
        if name == b"trak" and not shown and b"vide" in data[inner : min(end, inner + HANDLER_WITHIN)]:
            shown = _edits(data, inner, end)
    return shown / timescale if shown and timescale else None


def _edits(data: Bytes, start: int, stop: int) -> int:
    """Sum of the durations of a track's edits that show something, in the movie's time scale."""
    total = 0
    for name, inner, end in _boxes(data, start, stop):
        if name == b"edts":
            total += _edits(data, inner, end)
        elif name == b"elst" and inner + 8 <= len(data):
            entry = struct.Struct(">QqI" if data[inner] == 1 else ">IiI")
            body = data[inner + 8 : end]
            whole = len(body) - len(body) % entry.size
            total += sum(duration for duration, media, _ in entry.iter_unpack(body[:whole]) if media >= 0)
    return total


def _gif(data: Bytes) -> Container:
    """Walk the blocks of GIF89a: a whole picture ends with an empty sub-block, a whole file with its trailer."""
    at = 13 + _table(data[10]) if len(data) >= 13 else len(data)
    frames = 0
    for _ in range(MAX_ELEMENTS):
        kind = data[at : at + 1]
        if kind == b";":
            return Container("gif", frames=frames)
        if kind == b"!":
            at = _skip(data, at + 2)
        elif kind == b"," and at + 10 <= len(data):
            at = _skip(data, at + 11 + _table(data[at + 9]))
            frames += at <= len(data)
        else:
            break
    return Container("gif", "it ends without the mark that closes a GIF", frames=frames)


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip(data: Bytes, at: int) -> int:
    """The byte after a chain of sub-blocks; beyond the end of the data when the chain is cut."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        if length == 0:
            return at
    return len(data) + 1


def _segment(data: Bytes) -> str:
    """Why a Matroska file is cut off: its segment, which follows the EBML header, states its size (RFC 9559, 4.5).

    All ones as a size mean "unknown": a stream that was saved, of which nothing can be said.
    """
    at = 4
    for segment in (False, True):
        at += 4 if segment else 0
        length = 9 - data[at].bit_length() if at < len(data) else 9
        if length > 8:
            return "it ends within its header"
        ones = (1 << 7 * length) - 1
        size = int.from_bytes(data[at : at + length], "big") & ones
        at += length + size
        if segment and size != ones:
            return _short(len(data), at, "segment")
    return ""


def _avi(data: Bytes) -> Container:
    return Container("avi", _short(len(data), 8 + struct.unpack("<I", data[4:8])[0], "RIFF chunk"))


def _transport_stream(data: Bytes) -> Container:
    return Container("ts", "it ends within a packet" if len(data) % TS_PACKET else "")


FORMATS: tuple[tuple[Callable[[Bytes], bool], Callable[[Bytes], Container]], ...] = (
    (lambda data: data[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"wide"}, _mp4),
    (lambda data: data[:6] in {b"GIF87a", b"GIF89a"}, _gif),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"AVI ", _avi),
    (lambda data: data[:4] == b"\x1aE\xdf\xa3", lambda data: Container("matroska", _segment(data))),
    (lambda data: data[: 3 * TS_PACKET : TS_PACKET] == bytes([TS_SYNC] * 3), _transport_stream),
)
"""How each format is recognised by its bytes, and who reads it."""
