"""Frames between the two machines: a line of JSON, and so many bytes after it as it says."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from typing import Any

Frame = dict[str, Any]

MARK = b"fer-bench remote 1\n"
"""Before the first frame: what a shell's start files print comes before it, and is skipped."""
MAX_NOISE_BYTES = 64 * 1024
MAX_LINE_BYTES = 64 * 1024 * 1024
"""The names and hashes of MAX_FILES files fit."""
CHUNK_BYTES = 256 * 1024


class Closed(Exception):  # noqa: N818 - a state: "the wire is closed"
    """The other side is gone, or does not speak this language."""


class Silence(Exception):  # noqa: N818 - a state
    """Nothing came in the time that was given."""


class Wire:
    """Reads and writes frames on two file descriptors. One thread may read while another writes."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        """The descriptors stay the caller's."""
        self._read_fd, self._write_fd = read_fd, write_fd
        self._held = bytearray()

    def mark(self) -> None:
        """Say that frames begin here."""
        self._write(MARK)

    def find_mark(self, timeout_s: float) -> None:
        """Skip what comes before the other side's mark; raises Closed when it never comes."""
        while MARK not in self._held:
            if len(self._held) > MAX_NOISE_BYTES:
                raise Closed("it prints much and nothing that is understood here")
            self._more(timeout_s)
        del self._held[: self._held.index(MARK) + len(MARK)]

    def send(self, frame: Frame, data: bytes = b"") -> None:
        """One frame, with its bytes; raises Closed."""
        self._write(json.dumps({**frame, "bytes": len(data)}).encode("ascii") + b"\n")
        self._write(data)

    def announce(self, frame: Frame, size: int) -> None:
        """A frame whose bytes follow by `send_bytes`."""
        self._write(json.dumps({**frame, "bytes": size}).encode("ascii") + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """A part of what was announced."""
        self._write(data)

    def receive(self, timeout_s: float, wake_fd: int | None = None) -> Frame | None:
        """The next frame; None when `wake_fd` became readable first. Raises Silence or Closed.

        The bytes that it speaks of are read by `body` or `chunks`, and must be, before the next frame.
        """
        while b"\n" not in self._held:
            if len(self._held) > MAX_LINE_BYTES:
                raise Closed("a line without an end came")
            if not self._more(timeout_s, wake_fd):
                return None
        line, _, rest = self._held.partition(b"\n")
        self._held = bytearray(rest)
        try:
            frame = json.loads(line)
        except ValueError:
            frame = None
        if not isinstance(frame, dict) or not isinstance(frame.get("bytes"), int) or frame["bytes"] < 0:
            raise Closed("something came that is no frame")
        return frame

    def chunks(self, size: int, timeout_s: float) -> Iterator[bytes]:
        """The bytes of the frame that was just received, piece by piece."""
        while size > 0:
            if not self._held:
                self._more(timeout_s)
            piece = bytes(self._held[:size])
            del self._held[: len(piece)]
            size -= len(piece)
            yield piece

    def body(self, frame: Frame, timeout_s: float, limit: int) -> bytes:
        """All bytes of the frame that was just received; raises Closed above `limit`."""
        if frame["bytes"] > limit:
            raise Closed(f"{frame['bytes']} bytes came, more than the limit of {limit}")
        return b"".join(self.chunks(frame["bytes"], timeout_s))

    def _more(self, timeout_s: float, wake_fd: int | None = None) -> bool:
        """Wait for bytes and hold them; False when something else is to be looked at first."""
        watched = [self._read_fd] + ([wake_fd] if wake_fd is not None else [])
        ready = select.select(watched, [], [], timeout_s)[0]
        if not ready:
            raise Silence(f"nothing came for {timeout_s:g} s")
        if wake_fd is not None and wake_fd in ready:
            return False
        data = os.read(self._read_fd, CHUNK_BYTES)
        if not data:
            raise Closed("the connection ended")
        self._held += data
        return True

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._write_fd, view) :]
        except OSError as error:
            raise Closed(f"the connection ended: {error.strerror}") from None
