"""Figures against tables worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_train import metrics

LABELS = ("a", "b", "c")


def sure(predicted: list[int], classes: int = 3, confidence: float = 1.0) -> NDArray[np.float64]:
    """Probabilities that give `confidence` to the predicted class and the rest to the others in equal parts."""
    rows = np.full((len(predicted), classes), (1 - confidence) / (classes - 1))
    rows[np.arange(len(predicted)), predicted] = confidence
    return rows


#   truth a: 3 as a, 1 as b    truth b: 2 as b, 2 as c    truth c: 2 as c
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
PREDICTED = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


@pytest.fixture
def scores() -> metrics.Scores:
    return metrics.score(sure(PREDICTED), TRUTH, LABELS)


def test_the_confusion_matrix_has_the_truth_in_rows(scores: metrics.Scores) -> None:
    assert scores.confusion.tolist() == [[3, 1, 0], [0, 2, 2], [0, 0, 2]]


def test_precision_is_of_what_was_predicted(scores: metrics.Scores) -> None:
    assert scores.precision == pytest.approx({"a": 1.0, "b": 2 / 3, "c": 1 / 2})


def test_recall_is_of_what_was_there(scores: metrics.Scores) -> None:
    assert scores.recall == pytest.approx({"a": 3 / 4, "b": 1 / 2, "c": 1.0})


def test_f1_is_the_harmonic_mean_of_both(scores: metrics.Scores) -> None:
    assert scores.f1 == pytest.approx({"a": 6 / 7, "b": 4 / 7, "c": 2 / 3})


def test_means_are_plain_over_classes_and_weighted_over_pictures(scores: metrics.Scores) -> None:
    found = (scores.top1, scores.macro_f1, scores.macro_recall, scores.weighted_f1)
    assert found == pytest.approx((7 / 10, 44 / 63, 3 / 4, 74 / 105))


def test_support_counts_the_truth(scores: metrics.Scores) -> None:
    assert (scores.n, scores.support) == (10, {"a": 4, "b": 4, "c": 2})


def test_scores_survive_json(scores: metrics.Scores) -> None:
    read = json.loads(json.dumps(scores.as_json()))
    assert read["confusion"] == scores.confusion.tolist()
    assert tuple(read["top1_ci95"]) == scores.top1_ci95


def test_a_label_that_does_not_occur_has_no_say_in_the_means() -> None:
    scores = metrics.score(sure([0, 1, 1, 1]), np.array([0, 0, 1, 1]), LABELS)
    assert (scores.support["c"], scores.macro_recall) == (0, 3 / 4)


def test_a_label_that_was_never_predicted_has_precision_zero() -> None:
    assert metrics.score(sure([0, 0]), np.array([0, 1]), LABELS).precision["b"] == 0.0


def test_targets_beyond_the_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="targets from 0 to 3 for 3 labels"):
        metrics.score(sure([0, 1]), np.array([0, 3]), LABELS)


def test_columns_that_are_not_one_per_label_are_refused() -> None:
    with pytest.raises(ValueError, match="3 columns of probabilities for 2 labels"):
        metrics.score(sure([0, 1]), np.array([0, 1]), LABELS[:2])


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        metrics.score(np.array([[np.nan, 1.0]]), np.array([1]), ("a", "b"))


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="are needed"):
        metrics.score(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), LABELS)


@pytest.mark.parametrize(
    ("correct", "n", "expected"),
    [
        (1, 10, (0.017876, 0.404150)),  # (0.1 + z2/20 -+ z sqrt(0.009 + z2/400)) / (1 + z2/10)
        (0, 10, (0.0, 0.277533)),  # z2 / (n + z2)
        (10, 10, (0.722467, 1.0)),
        (0, 0, (0.0, 1.0)),
    ],
)
def test_wilson_intervals_are_those_of_the_formula(correct: int, n: int, expected: tuple[float, float]) -> None:
    assert metrics.wilson(correct, n) == pytest.approx(expected, abs=1e-6)


@given(st.integers(1, 4000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_wilson_interval_holds_its_share_and_stays_within_0_and_1(case: tuple[int, int]) -> None:
    low, high = metrics.wilson(*case)
    assert 0.0 <= low <= case[0] / case[1] <= high <= 1.0


def test_calibration_error_is_the_weighted_gap_of_confidence_and_accuracy() -> None:
    rows = np.concatenate([sure([0, 0], confidence=0.9), sure([0, 0], confidence=0.6)])
    # half the samples: 0.9 against 1 of 2; the other half: 0.6 against 2 of 2
    assert metrics.expected_calibration_error(rows, np.array([0, 1, 0, 0]), bins=10) == pytest.approx(0.4)


def test_a_model_that_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    rows = sure([0, 0, 0, 0], confidence=0.75)
    assert metrics.expected_calibration_error(rows, np.array([0, 0, 0, 1])) == pytest.approx(0.0)


def test_agreement_is_the_share_of_equal_answers() -> None:
    assert metrics.agreement(sure([0, 1, 2, 0]), sure([0, 1, 2, 1], confidence=0.5)) == 0.75


def test_agreement_of_unlike_arrays_is_refused() -> None:
    with pytest.raises(ValueError, match="two equal"):
        metrics.agreement(sure([0, 1]), sure([0]))


def paired(both: int, lost: int, won: int, neither: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Reference and other: right in both, only in the reference, only in the other, in neither."""
    reference = [True] * both + [True] * lost + [False] * won + [False] * neither
    other = [True] * both + [False] * lost + [True] * won + [False] * neither
    return np.array(reference), np.array(other)


def test_a_drop_is_counted_in_points_and_positive_when_the_other_is_worse() -> None:
    drop, interval = metrics.paired_drop(*paired(both=5, lost=3, won=1, neither=1))
    # middle 2/12, half 1.96 sqrt(5 - 4/12) / 12
    assert drop == pytest.approx(20.0)
    assert interval == pytest.approx((-18.617, 51.950), abs=1e-3)


def test_two_equal_models_are_not_equal_for_certain() -> None:
    drop, (low, high) = metrics.paired_drop(*paired(both=70, lost=0, won=0, neither=30))
    assert drop == 0.0
    assert (low, high) == pytest.approx((-1.9216, 1.9216), abs=1e-4)


@given(st.tuples(*[st.integers(0, 60)] * 4).filter(lambda cells: sum(cells) > 0))
def test_the_drop_lies_in_its_interval(cells: tuple[int, int, int, int]) -> None:
    drop, (low, high) = metrics.paired_drop(*paired(*cells))
    assert -100.0 <= low <= drop <= high <= 100.0


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [(8, 1, 2 * (1 + 9) / 512), (5, 0, 2 / 32), (0, 0, 1.0), (3, 3, 1.0)],
)
def test_mcnemar_is_the_exact_binomial(lost: int, won: int, p: float) -> None:
    assert metrics.mcnemar(*paired(both=50, lost=lost, won=won, neither=20)) == pytest.approx(p)


def test_the_temperature_is_that_of_the_closed_form() -> None:
    # logits 4 and 0, right 3 times of 4: sigmoid(4 / T) = 3/4 at T = 4 / ln 3
    logits = np.array([[4.0, 0.0]] * 4)
    assert metrics.fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(4 / math.log(3), rel=1e-6)


def test_the_temperature_of_a_model_that_is_never_wrong_stays_in_range() -> None:
    logits = np.array([[4.0, 0.0]] * 4)
    assert metrics.fit_temperature(logits, np.zeros(4, dtype=np.int64)) == pytest.approx(metrics.TEMPERATURE_RANGE[0])


def graded(confidence: list[float], right: list[bool]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Samples of two labels, the first predicted with the given confidence."""
    values = np.array(confidence)
    return np.stack([values, 1 - values], axis=1), np.where(right, 0, 1).astype(np.int64)


def test_the_threshold_lies_between_the_wrong_and_the_right() -> None:
    case = graded([0.6] * 30 + [0.8] * 30, [False] * 30 + [True] * 30)
    assert metrics.uncertain_threshold(*case) == pytest.approx(0.7)


def test_the_threshold_is_found_among_right_answers_below_it() -> None:
    # 0.55: 1 of 4 right, twenty times; 0.65: 2 of 4; 0.75: 3 of 4
    confidence = [0.55] * 80 + [0.65] * 80 + [0.75] * 80
    right = [True, False, False, False] * 20 + [True, False] * 40 + [True, True, True, False] * 20
    assert metrics.uncertain_threshold(*graded(confidence, right)) == pytest.approx(0.6)


def test_a_model_that_is_right_throughout_needs_no_threshold() -> None:
    assert metrics.uncertain_threshold(*graded([0.6, 0.7, 0.8], [True] * 3)) == 0.0


def test_two_wrong_answers_at_the_bottom_are_chance() -> None:
    confidence = np.linspace(0.51, 0.99, 300).tolist()
    assert metrics.uncertain_threshold(*graded(confidence, [False] * 2 + [True] * 298)) == 0.0


def test_a_model_that_is_wrong_throughout_is_never_certain() -> None:
    assert metrics.uncertain_threshold(*graded([0.6, 0.7, 0.8], [False] * 3)) == 1.0


@given(st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]), st.booleans()), min_size=1, max_size=200))
def test_below_the_threshold_most_are_wrong(samples: list[tuple[float, bool]]) -> None:
    threshold = metrics.uncertain_threshold(*graded([c for c, _ in samples], [r for _, r in samples]))
    below = [right for confidence, right in samples if confidence < threshold]
    assert not below or sum(below) < len(below) / 2


def test_means_of_a_figure_are_plain_and_by_support() -> None:
    assert metrics.means({"a": 0.5, "b": 1.0, "c": 0.9}, {"a": 30, "b": 10, "c": 0}) == pytest.approx((0.75, 0.625))


def test_cross_entropy_is_the_mean_of_logarithms() -> None:
    rows = np.array([[0.5, 0.5], [0.2, 0.8]])
    assert metrics.cross_entropy(rows, np.array([0, 1])) == pytest.approx((math.log(2) + math.log(1.25)) / 2)


def test_a_sure_mistake_has_the_loss_of_the_floor() -> None:
    assert metrics.cross_entropy(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-math.log(1e-7))


def test_the_steps_of_a_reliability_diagram_are_counted_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.5, 0.5]])
    first, second, third, fourth = metrics.reliability(probabilities, np.array([0, 1, 0, 0]), bins=4)
    assert (first.n, second.n, third.n, fourth.n) == (0, 1, 1, 2)
    assert (fourth.low, fourth.high, fourth.confidence, fourth.accuracy) == pytest.approx((0.75, 1.0, 0.85, 0.5))
    assert (first.confidence, first.accuracy) == (0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0.34, 1.0), st.integers(0, 2)), min_size=1, max_size=60))
def test_the_steps_add_up_to_the_calibration_error(samples: list[tuple[float, int]]) -> None:
    rows = np.concatenate([sure([0], confidence=confidence) for confidence, _ in samples])
    targets = np.array([target for _, target in samples])
    gaps = [step.n * abs(step.confidence - step.accuracy) for step in metrics.reliability(rows, targets)]
    assert sum(gaps) / len(samples) == pytest.approx(metrics.expected_calibration_error(rows, targets))


def test_the_bootstrap_of_accuracy_is_the_binomials_interval() -> None:
    # 300 of 400 right: standard deviation sqrt(0.75 * 0.25 / 400) = 0.02165, times 1.96 is 0.0424
    low, high = metrics.bootstrap(np.array([[150, 50], [50, 150]]), resamples=20_000).top1
    assert (low, high) == pytest.approx((0.75 - 0.0424, 0.75 + 0.0424), abs=0.003)


def test_the_bootstrap_draws_pictures_as_a_loop_over_pictures_would() -> None:
    targets, predicted = np.repeat([0, 1, 2], [60, 30, 10]), np.array([0] * 50 + [1] * 30 + [2] * 20)
    rng = np.random.default_rng(5)
    by_hand = []
    for _ in range(1500):
        rows = rng.integers(0, 100, 100)
        by_hand.append(metrics.score(sure(predicted[rows].tolist()), targets[rows], LABELS).macro_f1)
    confusion = metrics.score(sure(predicted.tolist()), targets, LABELS).confusion
    assert metrics.bootstrap(confusion).macro_f1 == pytest.approx(np.percentile(by_hand, (2.5, 97.5)), abs=0.02)


def test_the_bootstraps_interval_holds_the_figure_and_covers_the_truth() -> None:
    # 200 experiments of 200 samples that are right with probability 0.7; a 95 % interval misses the 0.7 about 10 times
    rng = np.random.default_rng(3)
    missed = 0
    for hits in rng.binomial(200, 0.7, size=200):
        low, high = metrics.bootstrap(np.array([[hits, 200 - hits], [0, 0]]), resamples=1000).top1
        assert low <= hits / 200 <= high
        missed += not low <= 0.7 <= high
    assert 2 <= missed <= 22


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    confusion = np.array([[30, 10], [5, 15]])
    assert metrics.bootstrap(confusion, seed=1) == metrics.bootstrap(confusion, seed=1)
    assert metrics.bootstrap(confusion, seed=1) != metrics.bootstrap(confusion, seed=2)


def test_a_model_that_is_always_right_moves_nowhere() -> None:
    assert metrics.bootstrap(np.diag([5, 0, 7])).macro_f1 == (1.0, 1.0)


def test_a_bootstrap_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="needs samples"):
        metrics.bootstrap(np.zeros((3, 3), dtype=np.int64))
