"""Delivers recorded frames at the speed they were recorded."""

from __future__ import annotations

from fer_edge.clock import Clock


class Pace:
    """Waits until a frame is due; with `real_time` off it never waits."""

    def __init__(self, clock: Clock, real_time: bool) -> None:
        self._clock, self._real_time = clock, real_time
        self._zero_s: float | None = None

    def wait(self, captured_s: float) -> None:
        """Return when the frame that was captured at `captured_s` is due; the first one is due at once.

        A reader that is late gets the frames without waiting until it has caught up; none is left out.
        """
        if not self._real_time:
            return
        now_s = self._clock.monotonic_s()
        if self._zero_s is None:
            self._zero_s = now_s - captured_s
        self._clock.sleep(self._zero_s + captured_s - now_s)
