"""A clock that tests hold in their hands."""

from __future__ import annotations

from datetime import datetime, timezone

WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)


class StillClock:
    """Time moves only by sleeping, or by `step_s` with every look at it."""

    def __init__(self, *, step_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []
        self._step_s = step_s

    def monotonic_s(self) -> float:
        self.now_s += self._step_s
        return self.now_s

    def wall(self) -> datetime:
        return WALL

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += max(seconds, 0.0)
