"""One JSON object per line, into a file or standard output; a line is written whole or told of as lost."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from fer_edge.command import STDOUT
from fer_edge.errors import OutputError
from fer_edge.events import Event

log = logging.getLogger(__name__)


class JsonLines:
    """Appends events to a file, or prints them.

    Each line goes out in one system call, so that a reader never sees half of one. When the disk is full or
    the reader has gone, the sink says so once, counts what is lost, and tries again with the next event.
    """

    def __init__(self, path: str) -> None:
        """Open at once; raises OutputError when it cannot be written."""
        self.lost = 0
        self._path = path
        self._rest = b""
        self._failing = False
        try:
            self._fd = os.dup(1) if path == STDOUT else _open(Path(path))
        except OSError as error:
            raise OutputError(f"events cannot be written to {path}: {error.strerror}") from None

    @property
    def reader_gone(self) -> bool:
        """Whether standard output was closed by whoever read it."""
        return self._path == STDOUT and self._failing

    def emit(self, event: Event) -> None:
        """Write one line; see `Sink.emit`."""
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            if self._rest:
                self._write(self._rest)
            self._write(line)
        except OSError as error:
            self.lost += 1
            if not self._failing and not isinstance(error, BrokenPipeError):  # `| head` is no fault
                log.warning("events cannot be written to %s: %s; they are counted as lost", self._path, error.strerror)
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Close the file; standard output itself stays open."""
        if self._fd >= 0:
            self.lost += bool(self._rest)
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        """All of it, or nothing (OSError); of a line that a full disk cut, the rest is kept and goes first later."""
        sent = 0
        try:
            while sent < len(data):
                sent += os.write(self._fd, data[sent:])
        except OSError:
            if sent == 0:
                raise
        self._rest = data[sent:]


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
