"""The statistics of comparison, against figures that can be worked out by hand and errors that can be counted."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest

from fer_bench.compare.significance import (
    ALPHA,
    EXACT_ROUNDS,
    compare,
    holm,
    rank_sum,
    rounds_needed,
    rounds_suffice,
    signed_rank,
    student,
)

Rounds = list[np.ndarray[tuple[int], np.dtype[np.float64]]]


def made(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Rounds:
    """One round per value, all of its samples alike."""
    return [np.full(30, value) for value in values.tolist()]


def significant(base: Rounds, new: Rounds, *, paired: bool) -> bool:
    found = compare(base, new, 50, paired=paired)
    return found.p <= ALPHA and not found.interval[0] <= 1.0 <= found.interval[1]


def test_a_ratio_is_new_to_base() -> None:
    found = compare(made(np.full(6, 2.0)), made(np.full(6, 3.0)), 50, paired=False)
    assert found.ratio == pytest.approx(1.5)
    assert found.interval == pytest.approx((1.5, 1.5))


def test_a_set_against_itself_has_the_ratio_1_and_no_significance() -> None:
    base = made(np.random.default_rng(1).normal(10.0, 1.0, 12))
    for paired in (True, False):
        found = compare(base, base, 50, paired=paired)
        assert found.ratio == pytest.approx(1.0)
        assert found.p > 0.9


def test_the_percentile_that_was_asked_for_is_compared() -> None:
    base, new = [[np.r_[np.full(90, 1.0), np.full(10, tail)]] * 8 for tail in (4.0, 8.0)]
    assert compare(base, new, 50, paired=False).ratio == pytest.approx(1.0)
    assert compare(base, new, 99, paired=False).ratio == pytest.approx(2.0)


def test_one_odd_round_does_not_move_the_ratio() -> None:
    odd = made(np.array([10.0] * 9 + [1000.0]))
    assert compare(made(np.full(10, 10.0)), odd, 50, paired=False).ratio == pytest.approx(1.0)


def test_rank_sum_is_the_share_of_all_splits_at_least_as_uneven() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 6, 4).astype(float), rng.integers(2, 9, 5).astype(float)  # with ties
    pool = np.concatenate([a, b])
    ranks = np.array([(pool < v).sum() + ((pool == v).sum() + 1) / 2 for v in pool])
    middle = ranks.sum() * 4 / 9
    far = [abs(ranks[list(pick)].sum() - middle) >= abs(ranks[:4].sum() - middle) for pick in combinations(range(9), 4)]
    assert rank_sum(a, b) == pytest.approx(sum(far) / len(far))


def test_signed_rank_is_the_share_of_all_signs_at_least_as_uneven() -> None:
    d = np.array([1.0, 2.0, 2.0, -1.0, 5.0, 4.0, -3.0])
    ranks = np.array([(np.abs(d) < v).sum() + ((np.abs(d) == v).sum() + 1) / 2 for v in np.abs(d)])
    middle, found = ranks.sum() / 2, ranks[d > 0].sum()
    far = [abs(ranks[np.array(s)].sum() - middle) >= abs(found - middle) for s in product((False, True), repeat=7)]
    assert signed_rank(d) == pytest.approx(sum(far) / len(far))


def test_the_normal_distribution_takes_over_without_a_jump() -> None:
    rng = np.random.default_rng(3)
    half = EXACT_ROUNDS // 2
    a, b = rng.normal(0, 1, half), rng.normal(0.5, 1, half)
    assert rank_sum(a, b) == pytest.approx(rank_sum(np.r_[a, a.mean()], b), rel=0.3)


def test_differences_of_nothing_are_no_evidence() -> None:
    assert signed_rank(np.zeros(9)) == 1.0


@pytest.mark.parametrize(("paired", "tests", "rounds"), [(False, 1, 5), (True, 1, 8), (False, 12, 7), (True, 12, 12)])
def test_the_rounds_that_are_needed_are_the_first_that_suffice(*, paired: bool, tests: int, rounds: int) -> None:
    assert rounds_needed(tests, paired=paired) == rounds
    assert rounds_suffice(rounds, rounds, tests, paired=paired)
    assert not rounds_suffice(rounds - 1, rounds - 1, tests, paired=paired)


def test_too_few_rounds_have_no_smallest_difference() -> None:
    values = np.array([1.0, 1.1, 0.9])
    assert compare(made(values), made(2 * values), 50, paired=False).smallest is None


def test_holm_corrects_in_the_order_of_size() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (30, 2.042)])
def test_students_quantile_is_that_of_the_tables(freedom: int, value: float) -> None:
    assert student(freedom) == pytest.approx(value, rel=0.02)


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        base, new = (made(np.exp(0.05 * rng.standard_normal(6)) * middle) for middle in (1.0, 1.1))
        low, high = compare(base, new, 50, paired=True).interval
        covered += low <= 1.1 <= high
    assert covered >= 51  # 95 % of 60 is 57; fewer than 51 happens twice in 1000


def test_a_slow_down_of_5_percent_is_significant_with_enough_rounds_and_not_with_few() -> None:
    rng = np.random.default_rng(5)
    noise = np.exp(0.03 * rng.standard_normal((2, 30)))
    for count, expected in ((4, False), (30, True)):
        base, new = made(noise[0, :count]), made(1.05 * noise[1, :count])
        assert significant(base, new, paired=True) is expected


def test_the_smallest_difference_is_found_four_times_out_of_five() -> None:
    rng = np.random.default_rng(6)

    def noise() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.exp(0.03 * rng.standard_normal(16))

    smallest = float(np.median([compare(made(noise()), made(noise()), 50, paired=True).smallest for _ in range(20)]))
    found = sum(significant(made(noise()), made((1 + smallest) * noise()), paired=True) for _ in range(40))
    assert found >= 22  # 80 % of 40 is 32; the p of ranks is a little stricter than the interval


def test_runs_of_the_same_thing_by_turns_are_hardly_ever_significant_on_a_machine_that_wanders() -> None:
    wrong = 0
    for seed in range(60):
        walk = np.exp(0.1 * np.cumsum(np.random.default_rng(seed).standard_normal(20)))
        wrong += significant(made(walk[::2]), made(walk[1::2]), paired=True)
    assert wrong <= 3  # 1 % of 60; more than 3 happens three times in 1000


def test_runs_of_the_same_thing_in_a_row_are_seldom_significant_on_a_machine_that_wanders() -> None:
    wrong = without = 0
    for seed in range(60):
        walk = np.exp(0.1 * np.cumsum(np.random.default_rng(seed).standard_normal(20)))
        wrong += significant(made(walk[:10]), made(walk[10:]), paired=False)
        without += rank_sum(walk[:10], walk[10:]) <= ALPHA
    assert wrong <= 8  # 5 % of 60; more than 8 happens three times in 1000
    assert without >= 20  # what a test that trusts the machine would say


def test_a_quiet_machine_shows_5_percent_in_runs_in_a_row() -> None:
    rng = np.random.default_rng(7)
    base, new = (made(middle * np.exp(0.004 * rng.standard_normal(10))) for middle in (1.0, 1.05))
    assert significant(base, new, paired=False)


def test_pairs_show_what_rounds_in_a_row_cannot() -> None:
    walk = np.exp(0.1 * np.cumsum(np.random.default_rng(8).standard_normal(20)))
    near = walk * np.exp(0.005 * np.random.default_rng(9).standard_normal(20))
    assert significant(made(walk), made(1.05 * near), paired=True)
    assert not significant(made(walk), made(1.05 * near), paired=False)


def test_a_percentile_of_few_samples_has_their_spread_in_its_interval() -> None:
    rng = np.random.default_rng(10)
    few, many = ([rng.normal(10.0, 1.0, n) for _ in range(8)] for n in (5, 5000))
    wide, narrow = (
        math.log(high / low) for low, high in (compare(s, s, 50, paired=False).interval for s in (few, many))
    )
    assert wide > 3 * narrow
