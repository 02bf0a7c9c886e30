"""The kernel machine in numbers: scikit-learn's own decisions, and a smaller form that is near them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_train.recipe import Svm
from fer_train.svm import fitting, kernel
from support.blobs import Blobs, blobs, learned, scikit_learn

pytest.importorskip("sklearn")


@pytest.fixture(scope="module", params=[2, 3, 7])
def cloud(request: pytest.FixtureRequest) -> Blobs:
    """Clouds that overlap, so that many votes are close."""
    return blobs(classes=request.param, spread=6.0)


def test_gamma_and_scaler_are_those_of_scikit_learn(cloud: Blobs) -> None:
    scaled, svc = scikit_learn(cloud)
    points, gamma = fitting.standardised(cloud.features, Svm())
    assert gamma == pytest.approx(svc._gamma, rel=1e-9)
    assert np.allclose(points.take(slice(None)), np.sqrt(gamma) * scaled, atol=1e-9)


def test_a_feature_that_never_varies_stays_zero() -> None:
    cloud = blobs(classes=2)
    cloud.features[:, 3] = 5.0
    points, gamma = fitting.standardised(cloud.features, Svm())
    assert (points.take(slice(None))[:, 3] == 0.0).all()
    assert gamma > 1.0 / cloud.features.shape[1]


@pytest.mark.parametrize(("asked", "expected"), [("auto", 1.0 / 200), (0.25, 0.25)])
def test_gamma_can_be_given(asked: object, expected: float) -> None:
    svm = Svm.model_validate({"gamma": asked})
    assert fitting.standardised(blobs(classes=2).features, svm)[1] == expected


def test_decisions_and_votes_are_those_of_scikit_learn(cloud: Blobs) -> None:
    svc = scikit_learn(cloud)[1]
    found = learned(cloud)
    held_out = kernel.rbf(found.held_out.products, found.held_out.squares, found.squares)
    decisions = found.machine.decisions(held_out)
    others = (cloud.others - cloud.features.mean(0, dtype=np.float64)) / cloud.features.std(0, dtype=np.float64)
    theirs = svc.decision_function(others)
    theirs = -theirs[:, None] if cloud.classes == 2 else theirs
    assert np.allclose(decisions, theirs, atol=1e-3)  # LIBSVM stops where its conditions hold to 1e-3
    assert np.array_equal(found.held_out.said, svc.predict(others))
    assert np.array_equal(kernel.predicted(decisions, cloud.classes), found.held_out.said)


def test_among_equal_votes_the_first_class_wins() -> None:
    circle = np.array([[1.0, -1.0, 1.0]])  # 0 over 1, 2 over 0, 1 over 2
    assert kernel.predicted(circle, 3).tolist() == [0]


def test_a_decision_of_zero_is_a_vote_for_the_second() -> None:
    assert kernel.predicted(np.zeros((1, 1)), 2).tolist() == [1]


def test_logits_are_highest_for_the_class_that_wins_by_vote() -> None:
    decisions = np.random.default_rng(1).normal(size=(500, 21))
    votes = kernel.predicted(decisions, 7)
    mean = kernel.confidences(decisions, 7)
    assert np.array_equal(kernel.logits(decisions, 7, 0.5).argmax(axis=1), votes)
    assert (mean.max(axis=1) == mean[np.arange(500), votes]).all()


def test_equal_pictures_of_different_classes_become_one_support_vector() -> None:
    rng = np.random.default_rng(2)
    machine = kernel.Machine(np.arange(6), rng.normal(size=(6, 3)), rng.normal(size=3), 3)
    prints = np.array([7, 8, 7, 9, 9, 5], dtype=np.uint64)
    values = rng.random((4, 10))[:, prints.astype(np.int64)]  # equal pictures have equal kernel values
    one = kernel.merged(machine, prints)
    assert len(one.rows) == 4
    assert np.allclose(one.decisions(values[:, one.rows]), machine.decisions(values))


def test_directions_are_orthonormal() -> None:
    found = learned(blobs(classes=3))
    sums = kernel.directions(found.products, found.values, found.machine.weights, 64)
    assert np.allclose(sums.T @ found.products @ sums, np.eye(64), atol=1e-6)


def test_half_as_many_directions_as_pictures_lose_almost_nothing_and_few_lose_more() -> None:
    found = learned(blobs(classes=3, spread=6.0))
    half = kernel.directions(found.products, found.values, found.machine.weights, len(found.products) // 2)
    assert _agreement(found, half) >= 0.98
    assert _agreement(found, half[:, :1]) < 0.9


def _agreement(found: fitting.Learned, sums: NDArray[np.float64]) -> float:
    products = (found.held_out.products @ sums) @ (found.products @ sums).T
    values = kernel.rbf(products, found.held_out.squares, found.squares)
    said = kernel.predicted(found.machine.decisions(values), found.machine.classes)
    return float((said == found.held_out.said).mean())


def test_directions_of_the_decisions_keep_more_of_them_than_those_of_most_variance() -> None:
    found = learned(blobs(classes=7, spread=6.0))
    ours = kernel.directions(found.products, found.values, found.machine.weights, 16)
    values, vectors = np.linalg.eigh(found.products)
    variance = vectors[:, ::-1][:, :16] / np.sqrt(values[::-1][:16])
    assert _agreement(found, ours) > _agreement(found, variance) + 0.05


def test_the_least_directions_that_reach_what_is_wanted_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found, said = learned(blobs(classes=7, spread=6.0)), list[str]()
    monkeypatch.setattr(fitting, "WANTED", 0.9)
    form = fitting.compact(found, said.append)
    assert form.directions is not None
    tried = [line for line in said if "of held-out faces" in line]
    assert f" {form.directions.shape[1]} directions" in tried[-1]
    assert all(float(line.split(": ")[1].split("%")[0]) < 90.0 for line in tried[:-1])
    assert float(tried[-1].split(": ")[1].split("%")[0]) >= 90.0


def test_without_enough_agreement_the_form_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    found = learned(blobs(classes=7, spread=6.0))
    monkeypatch.setattr(fitting, "WANTED", 1.1)
    form = fitting.compact(found, lambda _: None)
    assert form.directions is None
    assert form.points.shape == (len(found.machine.rows), 200)


def test_one_set_of_points_is_multiplied_by_itself_as_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "BLOCK", 7)
    points, _ = fitting.standardised(blobs(classes=2, each=10).features, Svm())
    whole = points.take(slice(None))
    assert np.allclose(kernel.inner(points, points), whole @ whole.T)
    assert np.allclose(kernel.inner(points, replace(points)), whole @ whole.T)
    assert np.allclose(kernel.squares(points), (whole**2).sum(axis=1))
