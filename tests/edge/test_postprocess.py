"""From outputs to calibrated probabilities and a label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fer_edge.postprocess import Calibration, dequantize, expression, probabilities
from fer_edge.types import TensorSpec

LABELS = ("angry", "happy", "sad")
Rows = NDArray[np.float64]
logits = arrays(np.float64, (2, 5), elements=st.floats(-100, 100))
temperatures = st.floats(0.05, 50)


@given(logits, temperatures)
def test_probabilities_sum_to_one_and_lie_between_0_and_1(values: Rows, temperature: float) -> None:
    found = probabilities(values, Calibration(temperature=temperature))
    assert np.abs(found.sum(axis=-1) - 1).max() < 1e-9
    assert found.min() >= 0


@given(logits, temperatures)
def test_a_temperature_never_changes_which_label_is_likeliest(values: Rows, temperature: float) -> None:
    found = probabilities(values, Calibration(temperature=temperature))
    winner = values.argmax(axis=-1)
    assert np.all(found[np.arange(2), winner] >= found.max(axis=-1))


def test_the_softmax_of_known_logits_is_right() -> None:
    found = probabilities(np.log([[1.0, 2.0, 5.0]]), Calibration())
    assert found == pytest.approx(np.asarray([[0.125, 0.25, 0.625]]))


def test_a_temperature_of_two_takes_the_square_root_of_the_odds() -> None:
    found = probabilities(np.log([[1.0, 16.0]]), Calibration(temperature=2.0))
    assert found == pytest.approx(np.asarray([[0.2, 0.8]]))


def test_huge_logits_do_not_overflow() -> None:
    assert probabilities(np.asarray([[1e6, -1e6]]), Calibration()) == pytest.approx(np.asarray([[1.0, 0.0]]))


def test_probabilities_of_a_model_stay_as_they_are_at_temperature_one() -> None:
    given_ = np.asarray([[0.7, 0.2, 0.1]])
    assert probabilities(given_, Calibration(kind="probabilities")) == pytest.approx(given_)


def test_a_probability_of_zero_stays_a_number() -> None:
    found = probabilities(np.asarray([[1.0, 0.0]]), Calibration(kind="probabilities", temperature=3.0))
    assert np.isfinite(found).all()
    assert 0.0 < found[0, 1] < 0.01


def test_quantized_outputs_become_real_values() -> None:
    stored = np.asarray([[-128, 5, 127]], dtype=np.int8)
    found = dequantize(stored, TensorSpec("y", "int8", (1, 3), 0.25, 5))
    assert found.tolist() == [[-33.25, 0.0, 30.5]]


def test_float_outputs_stay_as_they_are() -> None:
    found = dequantize(np.asarray([[1.5]], dtype=np.float32), TensorSpec("y", "float32", (1, 1)))
    assert found.dtype == np.float64
    assert found.tolist() == [[1.5]]


def test_the_label_is_the_likeliest_one() -> None:
    assert expression(np.asarray([0.2, 0.5, 0.3]), LABELS, 0.0).label == "happy"


def test_below_the_threshold_there_is_no_label_but_all_probabilities() -> None:
    found = expression(np.asarray([0.2, 0.5, 0.3]), LABELS, 0.51)
    assert found.label is None
    assert found.probabilities == (0.2, 0.5, 0.3)


def test_at_the_threshold_there_is_a_label() -> None:
    assert expression(np.asarray([0.25, 0.5, 0.25]), LABELS, 0.5).label == "happy"
