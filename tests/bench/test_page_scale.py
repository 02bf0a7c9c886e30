"""Axes: where figures lie, and which round ones are marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_bench.page.scale import Scale, fitted, shown

sizes = st.floats(min_value=1e-9, max_value=1e9)
figures = sizes | sizes.map(lambda value: -value) | st.just(0.0)


@given(st.lists(figures, min_size=1, max_size=20))
def test_every_figure_lies_within_its_axis_and_ticks_do_too(values: list[float]) -> None:
    scale = fitted(values, 10.0, 110.0)
    assert all(10.0 <= scale(value) <= 110.0 for value in values)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 12
    assert all(scale.low - 1e-6 * abs(scale.low) <= tick <= scale.high + 1e-6 * abs(scale.high) for tick in ticks)


@given(st.lists(st.floats(min_value=1e-6, max_value=1e6), min_size=2, max_size=20))
def test_larger_figures_lie_further_along(values: list[float]) -> None:
    scale = fitted(values, 0.0, 100.0)
    places = [scale(value) for value in sorted(values)]
    assert places == sorted(places)


def test_figures_that_differ_by_much_lie_by_their_logarithm() -> None:
    assert fitted([1.0, 100.0], 0.0, 1.0).log
    assert not fitted([1.0, 2.0], 0.0, 1.0).log
    assert not fitted([1.0, 100.0], 0.0, 1.0, log=False).log
    assert not fitted([0.0, 100.0], 0.0, 1.0).log


def test_the_middle_of_a_logarithmic_axis_is_the_geometric_mean() -> None:
    assert Scale(1.0, 100.0, 0.0, 10.0, log=True)(10.0) == pytest.approx(5.0)


def test_what_is_beyond_an_axis_lies_on_its_end() -> None:
    assert Scale(0.0, 10.0, 20.0, 120.0)(99.0) == 120.0
    assert Scale(1.0, 10.0, 20.0, 120.0, log=True)(0.0) == 20.0


def test_an_axis_from_zero_begins_there() -> None:
    scale = fitted([3.0, 5.0], 0.0, 100.0, zero=True)
    assert scale(0.0) == 0.0
    assert scale.ticks()[0] == 0.0


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 10.0, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (57.0, 65.0, [58.0, 60.0, 62.0, 64.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Scale(low, high, 0.0, 1.0).ticks() == ticks


@pytest.mark.parametrize(("value", "text"), [(0.2, "0.2"), (10.0, "10"), (1500.0, "1,500"), (0.0, "0"), (2.5, "2.5")])
def test_ticks_are_shown_in_the_digits_that_they_have(value: float, text: str) -> None:
    assert shown(value) == text
