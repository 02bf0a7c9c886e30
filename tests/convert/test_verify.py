"""The figures are those that the words promise."""

from __future__ import annotations

import numpy as np
import pytest

from convert import tiny_source
from fer_convert import golden, pictures, verify
from fer_edge.postprocess import Calibration, probabilities
from fer_edge.preprocess import PreprocessSpec
from fer_edge.runtimes import open_runtime
from fer_train.backend import hushed
from fer_train.data import Dataset
from fer_train.metrics import expected_calibration_error, fit_temperature, score
from support.tiny import model_bytes

LABELS = ("happy", "neutral", "sad")
N = 600


def judged_by(seed: int = 3) -> tuple[verify.Outputs, Dataset]:
    """Overconfident logits (N, 3), right in two of three, and their truth."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, N)
    said = np.where(rng.random(N) < 2 / 3, targets, rng.integers(0, 3, N))
    logits = 9.0 * np.eye(3)[said] + rng.normal(0.0, 1.0, (N, 3))
    return logits, Dataset(np.zeros((N, 8, 8), np.uint8), targets, LABELS, ("",) * N, "made")


def against(logits: verify.Outputs, data: Dataset) -> verify.Reference:
    """A source with these outputs."""
    scores = score(probabilities(logits, Calibration()), data.targets, data.labels)
    return verify.Reference(logits, "logits", scores)


def test_halves_share_no_picture_and_split_every_class() -> None:
    targets = np.array([0] * 10 + [1] * 5 + [2])
    first, second = pictures.halves(targets)
    assert sorted([*first, *second]) == list(range(16))
    assert np.bincount(targets[first]).tolist() == [5, 3, 1]


def test_halves_are_the_same_every_time() -> None:
    targets = np.arange(40) % 4
    assert pictures.halves(targets)[0].tolist() == pictures.halves(targets)[0].tolist()


def test_temperature_is_fitted_on_one_half_and_judged_on_the_other() -> None:
    logits, data = judged_by()
    fitting, judging = pictures.halves(data.targets)
    found = verify.measure(logits, against(logits, data), data)
    assert found.temperature == fit_temperature(logits[fitting], data.targets[fitting])
    shares = probabilities(logits, Calibration("logits", found.temperature))
    assert found.ece == expected_calibration_error(shares[judging], data.targets[judging])


def test_calibration_makes_an_overconfident_model_honest() -> None:
    logits, data = judged_by()
    found = verify.measure(logits, against(logits, data), data)
    assert found.temperature > 2.0
    assert found.ece < 0.5 * expected_calibration_error(probabilities(logits, Calibration()), data.targets)


def test_top1_does_not_depend_on_the_temperature() -> None:
    logits, data = judged_by()
    found = verify.measure(logits, against(logits, data), data)
    assert found.scores.top1 == (logits.argmax(axis=1) == data.targets).mean()


def test_probabilities_get_the_temperature_that_their_logits_would() -> None:
    logits, data = judged_by()
    logits = np.clip(logits, -3.0, 6.0)  # above the floor that 8-bit probabilities are given
    source = against(logits, data)
    shares = probabilities(logits, Calibration())
    as_shares = verify.Reference(shares, "probabilities", source.scores)
    found = verify.measure(shares, as_shares, data)
    assert found.temperature == pytest.approx(verify.measure(logits, source, data).temperature, rel=1e-3)


def test_a_source_against_itself_drops_nothing() -> None:
    logits, data = judged_by()
    found = verify.measure(logits, against(logits, data), data)
    assert (found.drop_pp, found.agreement, found.worst_class[1]) == (0.0, 1.0, 0.0)


def test_a_class_that_is_lost_is_the_worst() -> None:
    logits, data = judged_by()
    worse = logits.copy()
    worse[:, 2] = -20.0
    found = verify.measure(worse, against(logits, data), data)
    assert found.worst_class[0] == "sad"
    assert found.worst_class[1] == pytest.approx(100.0 * against(logits, data).scores.recall["sad"])
    assert found.drop_pp_ci95[0] < found.drop_pp < found.drop_pp_ci95[1]


def test_distributions_are_told_from_logits() -> None:
    logits, _ = judged_by()
    assert verify.output_kind(logits) == "logits"
    assert verify.output_kind(probabilities(logits, Calibration())) == "probabilities"


def test_golden_pictures_are_the_same_every_time_and_reach_black_and_white() -> None:
    first, second = golden.pictures(tiny_source.SPEC), golden.pictures(tiny_source.SPEC)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert [(picture.min(), picture.max()) for picture in first] == [(0, 255)] * 4
    assert set(np.unique(first[-1])) == {0, 255}


def test_golden_pictures_in_colour_differ_between_channels() -> None:
    spec = PreprocessSpec(color="rgb", size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    for picture in golden.pictures(spec):
        assert picture.shape == (32, 32, 3)
        assert (picture[..., 0] != picture[..., 2]).mean() > 0.2


def test_the_tolerance_of_int8_is_three_steps_of_its_output() -> None:
    with hushed():
        runtime = open_runtime([model_bytes("int8")], "tflite")
    assert golden.tolerance(runtime, ()) == 3.0 * runtime.outputs[0].scale


def test_the_tolerance_of_float32_is_a_thousandth_of_its_outputs_spread() -> None:
    with hushed():
        runtime = open_runtime([model_bytes("float32")], "tflite")
    found = golden.goldens(runtime, tiny_source.SPEC)
    values = [value for item in found for value in item.output]
    assert golden.tolerance(runtime, found) == pytest.approx(1e-3 * (max(values) - min(values)))


def test_pinning_changes_two_pixels_of_one_picture_and_not_the_original() -> None:
    faces = np.full((3, 8, 8, 3), 90, np.uint8)
    found = pictures.pinned(faces)
    assert faces.min() == faces.max() == 90
    assert (found[0, 0, 0].tolist(), found[0, -1, -1].tolist()) == ([0, 0, 0], [255, 255, 255])
    assert (found != faces).any(axis=-1).sum() == 2
