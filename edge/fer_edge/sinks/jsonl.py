"""One JSON object per line, into a file or standard output; a line is written whole or told of as lost."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import threading
from pathlib import Path

from fer_edge.clock import Clock, SystemClock
from fer_edge.command import STDOUT
from fer_edge.errors import OutputError
from fer_edge.events import Event
from fer_edge.health import Health
from fer_edge.sinks.outbox import Trouble, as_json

log = logging.getLogger(__name__)

PART = "events"
RETRY_S = 60.0
"""After a failure the file is left alone for so long: a dying card does not get better by being asked every frame."""
MAX_TAIL_BYTES = 64 * 1024
"""How far back the end of a file is searched for the line that a power cut tore."""


class JsonLines:
    """Appends events to a file, or prints them; a file that would grow over `max_bytes` begins anew.

    Each line goes out in one system call, so that a reader never sees half of one. When the disk is full, has become
    read-only or fails, the sink says so, counts what is lost, and opens the file again once a minute. A file is written
    through to the disk when it is full and when it is closed, not with every line, which would wear out a card.
    """

    def __init__(
        self,
        path: str,
        *,
        health: Health | None = None,
        clock: Clock | None = None,
        max_bytes: int = 0,
        keep: int = 5,
    ) -> None:
        """Open at once; raises OutputError when it cannot be written. See `RotationSettings` for max_bytes and keep."""
        self.lost = 0
        self._path, self._file = path, Path(path)
        self._clock = clock or SystemClock()
        self._trouble = Trouble(PART, health or Health(), self._clock)
        self._max_bytes, self._keep = max_bytes, keep
        self._lock = threading.Lock()
        self._rest = b""
        self._failed_s: float | None = None
        self._cut_at: tuple[int, int, int] | None = None
        self._size = 0
        self._regular = False
        self._closed = False
        self._fd = -1
        try:
            self._open()
        except OSError as error:
            raise OutputError(f"events cannot be written to {path}: {error.strerror}") from None

    @property
    def reader_gone(self) -> bool:
        """Whether standard output was closed by whoever read it."""
        return self._path == STDOUT and self._failed_s is not None

    def emit(self, event: Event) -> None:
        """Write one line; see `Sink.emit`."""
        with self._lock:
            if self._closed or self._too_early():
                self.lost += 1
                return
            try:
                line = as_json(event) + b"\n"
                self._append(line)
            except (TypeError, ValueError):
                self.lost += 1
            except OSError as error:
                self.lost += 1
                self._fail(error)
            else:
                self._recover()

    def close(self) -> None:
        """Write through and close the file; standard output itself stays open."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._fd >= 0:
                with contextlib.suppress(OSError):
                    self._complete()
                if self._regular:
                    with contextlib.suppress(OSError):
                        self._mend()
                        os.fsync(self._fd)
                self._shut()
            self.lost += bool(self._rest)

    def _append(self, line: bytes) -> None:
        """All of it, or nothing (OSError); of a line that a full disk cut, the rest is kept and goes first later."""
        if self._fd < 0:
            self._open()
        self._complete()
        if self._regular and self._max_bytes and self._size and self._size + len(line) > self._max_bytes:
            self._rotate()
        self._rest = line
        try:
            self._complete()
        except OSError:
            if len(self._rest) == len(line):
                self._rest = b""
                raise

    def _complete(self) -> None:
        """Write what is left of a line."""
        while self._rest:
            sent = os.write(self._fd, self._rest)
            self._rest = self._rest[sent:]
            self._size += sent

    def _rotate(self) -> None:
        """The full file becomes .1, .1 becomes .2 and so on; whatever step fails, no line is lost but the oldest.

        Only the files before the first gap move up: a gap is what a power cut in the middle of this left.
        """
        os.fsync(self._fd)
        gap = next((n for n in range(1, self._keep) if not Path(f"{self._path}.{n}").exists()), self._keep)
        for number in range(gap - 1, 0, -1):
            os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
        self._shut()
        self._open()
        with contextlib.suppress(OSError):  # not every file system knows it; the lines are on the disk already
            _sync_folder(self._file.parent)

    def _open(self) -> None:
        if self._path == STDOUT:
            self._fd = os.dup(1)
            return
        never_hang = os.O_NONBLOCK if self._regular else 0  # a pipe may have taken the file's place
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | never_hang
        self._fd = os.open(self._file, flags, 0o640)
        found = os.fstat(self._fd)
        self._regular = stat.S_ISREG(found.st_mode)
        if not self._regular:
            return
        self._size = found.st_size
        if self._rest and (found.st_dev, found.st_ino, found.st_size) == self._cut_at:
            return  # the line that was cut here goes on
        self.lost += bool(self._rest)
        self._rest = b""
        self._mend()

    def _mend(self) -> None:
        """A file that ends in the middle of a line gets its end back: a torn event goes, anything else is ended."""
        try:
            reader = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:  # a file that may be written and not read
            return
        try:
            size = os.fstat(reader).st_size
            begin = max(0, size - MAX_TAIL_BYTES)
            tail = os.pread(reader, MAX_TAIL_BYTES, begin).rpartition(b"\n")[2]
        finally:
            os.close(reader)
        if not tail:
            return
        if tail.startswith(b"{") and not _whole(tail):
            self._size = size - len(tail)
            os.ftruncate(self._fd, self._size)
            log.warning("%s ended in half a line of %d bytes, which is removed", self._path, len(tail))
        else:
            self._size += os.write(self._fd, b"\n")

    def _fail(self, error: OSError) -> None:
        self._failed_s = self._clock.monotonic_s()
        if isinstance(error, BrokenPipeError) and self._path == STDOUT:  # `| head` is no fault
            return
        self._trouble.report(f"events cannot be written to {self._path}: {error.strerror}; they are counted as lost")
        if self._regular and self._fd >= 0:  # what lies under the path may be another file by the next try
            with contextlib.suppress(OSError):
                found = os.fstat(self._fd)
                self._cut_at = found.st_dev, found.st_ino, found.st_size
            self._shut()

    def _recover(self) -> None:
        if self._failed_s is not None and not self._rest:
            self._failed_s = None
            self._trouble.clear()

    def _too_early(self) -> bool:
        """Whether the last failure is too young for another try; standard output is tried with every event."""
        if self._failed_s is None or self._path == STDOUT:
            return False
        return self._clock.monotonic_s() - self._failed_s < RETRY_S

    def _shut(self) -> None:
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):
            os.close(fd)


def _sync_folder(path: Path) -> None:
    """What was renamed in it stays renamed when the power goes."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
