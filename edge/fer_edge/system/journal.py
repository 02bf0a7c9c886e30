"""What the log looks like: for a person, for journald, or as JSON lines; and how often it repeats itself."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TextIO

from fer_edge.clock import Clock, SystemClock
from fer_edge.events import stamp

PLAIN = "fer-edge: %(message)s"
WINDOW_S = 60.0
"""Within it, a warning is said once and then counted."""
MAX_VARIANTS = 5
"""Different texts of the same warning (frame 1 is torn, frame 2 is torn) that are said within a window."""
MAX_KINDS = 256
"""Warnings that are remembered; a program has fewer, and what is older is forgotten."""
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""Levels and what syslog calls them; a line begins with it, as sd-daemon(3) wants."""


class JournalFormatter(logging.Formatter):
    """Puts `<N>` before every line, so that journald knows how grave it is."""

    def format(self, record: logging.LogRecord) -> str:
        """All lines of one record; journald stores each line by itself."""
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines() or [""])


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """`time`, `level`, `logger`, `message`, and `exception` where there was one."""
        entry = {
            "time": stamp(datetime.fromtimestamp(record.created, timezone.utc)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


if TYPE_CHECKING:
    _Stream = logging.StreamHandler[TextIO]
else:
    _Stream = logging.StreamHandler  # takes a parameter from Python 3.11 on


@dataclass
class _Window:
    """One kind of warning since `since_s`: the texts that were said, and how many were not."""

    since_s: float
    sample: logging.LogRecord
    said: set[str] = field(default_factory=set)
    held: int = 0


class RateLimit(logging.Filter):
    """Lets a warning through once a minute, and counts the rest.

    Warnings are of one kind when they come from the same line of code. The same text is said once within a window, and
    at most `MAX_VARIANTS` texts of a kind: a number that differs in each must not let a flood through.
    """

    def __init__(self, clock: Clock) -> None:
        """Nothing was said yet."""
        super().__init__()
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str, int], _Window] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to say it."""
        if record.levelno < logging.WARNING:
            return True
        window = self._windows.setdefault(
            (record.name, record.pathname, record.lineno), _Window(self._clock.monotonic_s(), record)
        )
        text = record.getMessage()
        if text in window.said or len(window.said) >= MAX_VARIANTS:
            window.held += 1
            return False
        window.said.add(text)
        return True

    def expired(self, *, everything: bool = False) -> list[logging.LogRecord]:
        """Close the windows that are over (or all), with a record for each that held something back."""
        now_s = self._clock.monotonic_s()
        over = [key for key, window in self._windows.items() if everything or now_s - window.since_s >= WINDOW_S]
        over += list(self._windows)[: max(0, len(self._windows) - len(over) - MAX_KINDS)]
        windows = [window for key in over if (window := self._windows.pop(key, None)) is not None]
        return [_summary(window, now_s) for window in windows if window.held]


class LimitedHandler(_Stream):
    """Writes what `RateLimit` lets through, and after each window how much it did not."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        """Written to `stream`."""
        super().__init__(stream)
        self._limit = RateLimit(clock)

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the counts that are due, then the record, unless it was said already."""
        with self._locked():
            self._summaries(everything=False)
            if not self._limit.filter(record):
                return False
            return bool(super().handle(record))

    def tick(self) -> None:
        """Write the counts that are due; called now and then, a flood's end is told even if nothing else is logged."""
        with self._locked():
            self._summaries(everything=False)

    def close(self) -> None:
        """Write the counts that are left."""
        with self._locked():
            self._summaries(everything=True)
        super().close()

    def _summaries(self, *, everything: bool) -> None:
        for record in self._limit.expired(everything=everything):
            super().handle(record)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The handler's own lock, which the same thread may take again; a second one could deadlock with it."""
        self.acquire()
        try:
            yield
        finally:
            self.release()


def under_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether journald reads what is written to `stream`: $JOURNAL_STREAM names its device and inode."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def configure(
    *,
    json_lines: bool = False,
    level: int = logging.INFO,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
) -> LimitedHandler:
    """Send this process' log to `stream` (standard error), in the form its reader wants; returns the handler."""
    stream = stream or sys.stderr
    handler = LimitedHandler(stream, clock or SystemClock())
    if json_lines:
        handler.setFormatter(JsonFormatter())
    elif under_journal(stream, environment):
        handler.setFormatter(JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter(PLAIN))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, LimitedHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    return handler


def tick() -> None:
    """Let the handlers that `configure` made write what is due."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LimitedHandler):
            handler.tick()


def _summary(window: _Window, now_s: float) -> logging.LogRecord:
    sample = window.sample
    text = f"{window.held} more like this within {now_s - window.since_s:.0f} s: {sample.getMessage()}"
    return logging.LogRecord(
        sample.name, sample.levelno, sample.pathname, sample.lineno, text, (), None, sample.funcName
    )
