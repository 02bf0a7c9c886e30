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


def test_thinning_many_samples_moves_no_interval_by_more_than_its_own_width() -> None:
    rounds = [np.random.default_rng(k).lognormal(0, 0.3, 3 * stats.MAX_KEPT) for k in range(2)]
    percentiles = (50, 90, 95, 99)
    for q, (low, high) in zip(percentiles, stats.intervals(rounds, percentiles), strict=True):
        assert low <= stats.percentile(np.concatenate(rounds), q) <= high
        assert 0 < high - low < 0.03


def test_intervals_of_percentiles_are_those_of_resampling_by_hand() -> None:
    rounds = [np.random.default_rng(k).lognormal(0.02 * k, 0.2, 400) for k in range(3)]
    rng = np.random.default_rng(9)
    drawn = [np.concatenate([rng.choice(rounds[k], 400) for k in rng.integers(3, size=3)]) for _ in range(2000)]
    for q, found in zip((50, 90, 99), stats.intervals(rounds, (50, 90, 99)), strict=True):
        by_hand = np.percentile([stats.percentile(each, q) for each in drawn], [2.5, 97.5])
        assert found == pytest.approx(tuple(by_hand), rel=0.02)


def test_more_samples_narrow_the_interval_of_a_tail() -> None:
    rng = np.random.default_rng(3)
    (few,), (many,) = (stats.intervals([rng.normal(100, 1, n)], (99,)) for n in (1000, 16_000))
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])


@pytest.mark.parametrize(("q", "samples"), [(50, 6), (90, 36), (95, 72), (99, 368)])
def test_an_interval_needs_so_many_samples_that_the_largest_lies_beyond_the_percentile(q: float, samples: int) -> None:
    assert stats.needed_for_interval(q) == samples
    assert 1 - (q / 100) ** samples >= 0.975 > 1 - (q / 100) ** (samples - 1)


@pytest.mark.parametrize(("q", "samples"), [(90, 10), (95, 20), (99, 100)])
def test_with_fewer_samples_a_percentile_is_only_the_largest(q: float, samples: int) -> None:
    assert stats.needed_for_percentile(q) == samples
    assert stats.percentile(np.arange(samples), q) < samples - 1
    assert stats.percentile(np.arange(samples - 1), q) == samples - 2


def test_too_few_samples_give_no_interval_and_say_how_many_would() -> None:
    found = stats.summarize([np.arange(1, 51) * 1_000_000])
    assert found.needed == {"p95": 72, "p99": 368}
    assert found.p90_ci95 is not None
    assert (found.p95_ci95, found.p99_ci95) == (None, None)
    assert stats.summarize([np.arange(1, 401)]).needed == {}


def test_the_interval_of_a_mean_holds_it_and_never_reaches_below_0() -> None:
    wild = np.asarray([1] * 20 + [10_000])
    low, high = stats.mean_interval([wild])
    assert 0 < low < wild.mean() < high


def test_the_interval_of_a_mean_has_the_spread_between_rounds_in_it() -> None:
    low, high = stats.mean_interval([np.full(100, value) for value in (100, 200, 300)])
    assert (low, high) == pytest.approx((100, 300), rel=1e-3)


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
