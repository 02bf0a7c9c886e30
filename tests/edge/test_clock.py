"""The clock that everything else is given."""

from __future__ import annotations

from datetime import timedelta

from fer_edge.clock import SystemClock, perf_s


def test_the_time_of_day_is_in_utc_and_says_so() -> None:
    assert SystemClock().wall().utcoffset() == timedelta(0)


def test_waiting_for_a_negative_time_returns_at_once() -> None:
    before = perf_s()
    SystemClock().sleep(-3600.0)
    assert perf_s() - before < 60.0


def test_waiting_takes_as_long_as_asked_on_the_monotonic_clock() -> None:
    clock = SystemClock()
    before = clock.monotonic_s()
    clock.sleep(0.02)
    assert clock.monotonic_s() - before >= 0.02
