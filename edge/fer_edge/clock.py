"""The only file that reads time, so that tests can hold it still."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds for every duration, wall time for display only."""

    def monotonic_s(self) -> float:
        """Seconds that never go back; the origin means nothing."""

    def wall(self) -> datetime:
        """The time of day, UTC and timezone-aware; it may jump."""

    def sleep(self, seconds: float) -> None:
        """Wait; a negative value returns at once."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic_s(self) -> float:
        """Seconds since some point in the past (`time.monotonic`)."""
        return time.monotonic()

    def wall(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        if seconds > 0:
            time.sleep(seconds)


def perf_s() -> float:
    """Seconds of the finest monotonic clock, for timing a stage."""
    return time.perf_counter()


def process_cpu_s() -> float:
    """CPU seconds that this process has used so far, user and system, all threads."""
    return time.process_time()
