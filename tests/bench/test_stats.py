"""Percentiles and intervals against values that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fer_bench import stats


def test_a_percentile_is_a_sample_that_was_measured() -> None:
    samples = np.arange(1, 101)
    assert [stats.percentile(samples, q) for q in (50, 90, 95, 99)] == [50, 90, 95, 99]


def test_a_percentile_does_not_depend_on_the_order_of_the_samples() -> None:
    samples = np.random.default_rng(1).permutation(np.arange(1, 1001))
    assert stats.percentile(samples, 99) == 990


def test_one_value_throughout_has_an_interval_of_no_width() -> None:
    assert stats.median_interval([np.full(50, 7), np.full(50, 7)]) == (7.0, 7.0)


def test_the_spread_between_rounds_is_in_the_interval() -> None:
    rounds = [np.full(100, value) for value in (1, 2, 3)]
    assert stats.median_interval(rounds) == (1.0, 3.0)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    rounds = [np.random.default_rng(k).normal(100, 10, 40) for k in range(3)]
    assert stats.median_interval(rounds, 1) == stats.median_interval(rounds, 1)
    assert stats.median_interval(rounds, 1) != stats.median_interval(rounds, 2)


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    covered = 0
    for k in range(20):
        sample = np.random.default_rng(k).normal(0.0, 1.0, 200)
        low, high = stats.median_interval([sample])
        covered += low <= 0.0 <= high
    assert covered >= 16  # 95 % of 20 is 19; fewer than 16 happens three times in 1000


def test_more_samples_than_are_drawn_do_not_narrow_the_interval_beyond_the_draws() -> None:
    rng = np.random.default_rng(3)
    small, large = rng.normal(0, 1, stats.DRAWS_PER_ROUND), rng.normal(0, 1, 20 * stats.DRAWS_PER_ROUND)
    widths = [high - low for low, high in (stats.median_interval([small]), stats.median_interval([large]))]
    assert widths[1] > 0.6 * widths[0]


def test_rounds_of_unequal_length_count_by_their_samples() -> None:
    found = stats.summarize([np.full(3000, 1_000_000), np.full(3000, 1_000_000), np.full(30, 9_000_000)])
    assert (found.p50, found.p99) == (1.0, 1.0)


def test_nanoseconds_come_out_as_milliseconds() -> None:
    found = stats.summarize([np.arange(1, 101) * 1_000_000])
    assert (found.n, found.p50, found.p90, found.p95, found.p99) == (100, 50.0, 90.0, 95.0, 99.0)
    assert found.p50_ci95[0] < 50.0 < found.p50_ci95[1]


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        stats.summarize([])


@pytest.mark.parametrize(
    ("a", "b", "shared"), [((1, 2), (2, 3), True), ((1, 2), (2.1, 3), False), ((1, 9), (4, 5), True)]
)
def test_intervals_overlap_when_they_share_a_point(
    a: tuple[float, float], b: tuple[float, float], *, shared: bool
) -> None:
    assert stats.overlap(a, b) is stats.overlap(b, a) is shared
