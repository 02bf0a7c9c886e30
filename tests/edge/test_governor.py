"""Work is taken away one level at a time while the board is hot, and given back once it stays cool."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fer_edge.system.board import Readings, Throttling
from fer_edge.system.governor import LEVELS, Governor, GovernorSettings, Limits

COOL = Readings(temperature_c=50.0, throttling=Throttling((), ()))
BETWEEN = Readings(temperature_c=78.0, throttling=Throttling((), ()))
HOT = Readings(temperature_c=84.0)
CAPPED = Readings(temperature_c=50.0, throttling=Throttling(("frequency capped",), (), 0x2))
BLIND = Readings()


def levels(governor: Governor, readings: Readings, times_s: Sequence[float]) -> list[int]:
    return [governor.decide(readings, now_s).level for now_s in times_s]


def at_level(level: int, now_s: float = 0.0) -> Governor:
    """A governor that was brought there; the last step was at `now_s`."""
    governor = Governor()
    for step in range(level):
        governor.decide(HOT, now_s - 15.0 * (level - 1 - step))
    assert governor.level == level
    return governor


def test_a_cool_board_works_at_full_speed() -> None:
    decision = Governor().decide(COOL, 0.0)
    assert (decision.level, decision.limits, decision.why, decision.changed) == (0, Limits(), "", False)


def test_heat_takes_one_level_at_once_and_the_next_only_after_fifteen_seconds() -> None:
    assert levels(Governor(), HOT, (0, 5, 10, 14.9, 15, 20, 30, 45, 100)) == [1, 1, 1, 1, 2, 2, 3, 3, 3]


def test_throttling_without_heat_takes_work_away_too() -> None:
    decision = Governor().decide(CAPPED, 0.0)
    assert decision.level == 1
    assert decision.why == "throttled, searching for faces less often: the board is held back (frequency capped)"


def test_what_happened_since_boot_takes_nothing_away() -> None:
    before = Readings(temperature_c=50.0, throttling=Throttling((), ("under-voltage", "throttled"), 0x50000))
    assert Governor().decide(before, 0.0).level == 0


def test_each_level_keeps_what_the_ones_before_took_away() -> None:
    assert [at_level(level).limits() for level in range(LEVELS)] == [
        Limits(1.0, None, None),
        Limits(3.0, None, None),
        Limits(3.0, 8.0, None),
        Limits(3.0, 8.0, "int8"),
    ]


def test_the_reason_is_one_sentence_with_the_figure() -> None:
    governor = at_level(2)
    assert governor.decide(HOT, 1.0).why == (
        "throttled, searching for faces less often, at a lower frame rate: the board is held back (84 °C, limit 80 °C)"
    )
    assert governor.decide(COOL, 2.0).why.endswith("the board was held back (84 °C, limit 80 °C)")


def test_a_minute_of_coolness_gives_one_level_back_and_another_minute_the_next() -> None:
    assert levels(at_level(2), COOL, (5, 64.9, 65, 124.9, 125, 300)) == [2, 2, 1, 1, 0, 0]


def test_a_moment_of_heat_starts_the_minute_anew() -> None:
    governor = at_level(2)
    assert levels(governor, COOL, (5, 60)) == [2, 2]
    assert levels(governor, BETWEEN, (61,)) == [2]
    assert levels(governor, COOL, (62, 121, 122)) == [2, 2, 1]


def test_between_cool_and_hot_nothing_changes() -> None:
    assert levels(at_level(1), BETWEEN, range(0, 1000, 50)) == [1] * 20


def test_a_board_that_goes_blind_stays_where_it_is() -> None:
    assert levels(at_level(2), BLIND, range(0, 1000, 50)) == [2] * 20


def test_a_board_that_tells_only_throttling_can_recover() -> None:
    silent = Readings(throttling=Throttling((), (), 0))
    assert levels(at_level(1), silent, (0, 60)) == [1, 0]


def test_a_change_is_told_once() -> None:
    governor = Governor()
    assert [governor.decide(HOT, now_s).changed for now_s in (0.0, 1.0, 15.0, 16.0)] == [True, False, True, False]


def test_a_governor_that_is_switched_off_takes_nothing_away() -> None:
    governor = Governor(GovernorSettings(enabled=False))
    assert levels(governor, HOT, (0, 100, 200)) == [0, 0, 0]


def test_every_number_is_a_setting() -> None:
    settings = GovernorSettings(
        hot_c=60.0, cool_c=55.0, step_s=1.0, recover_s=2.0, search_factor=2.0, max_fps=5.0, precision=""
    )
    governor = Governor(settings)
    assert levels(governor, Readings(temperature_c=60.0), (0, 1, 2)) == [1, 2, 3]
    assert governor.limits() == Limits(2.0, 5.0, None)
    assert levels(governor, Readings(temperature_c=55.0), (3, 5, 7, 9)) == [3, 2, 1, 0]


def test_cool_must_lie_below_hot() -> None:
    with pytest.raises(ValidationError, match=r"cool_c \(80\) must be below hot_c \(80\)"):
        GovernorSettings(cool_c=80.0)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 40.0), st.sampled_from((COOL, BETWEEN, HOT, CAPPED, BLIND))), min_size=1, max_size=60
    )
)
def test_whatever_comes_steps_are_single_and_far_enough_apart(script: list[tuple[float, Readings]]) -> None:
    governor, now_s, lowered_s, cool_s = Governor(), 0.0, -100.0, 0.0
    for pause_s, readings in script:
        now_s += pause_s
        cool_s = cool_s + pause_s if readings is COOL else 0.0
        before = governor.level
        level = governor.decide(readings, now_s).level
        assert abs(level - before) <= 1
        if level > before:
            assert readings in (HOT, CAPPED)
            assert now_s - lowered_s >= 15.0 - 1e-6
            lowered_s = now_s
        if level < before:
            assert cool_s >= 60.0 - 1e-6
