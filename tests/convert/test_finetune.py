"""A net that is trained on with its eight bits in sight stands them better, and stays the net it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from convert import tiny_source
from fer_convert.quantize import finetune
from fer_edge.labels import FER2013
from fer_edge.preprocess import Preprocess
from fer_edge.types import Array
from fer_train import data as datasets
from fer_train.data import Dataset

LINES: list[str] = []


@pytest.fixture(scope="module")
def pictures(data: Path) -> Dataset:
    return datasets.load(str(data), FER2013, tiny_source.SPEC, "train")


@pytest.fixture(scope="module")
def faces(pictures: Dataset) -> Array:
    return Preprocess(tiny_source.SPEC).tensor(pictures.images)


@pytest.fixture(scope="module")
def net(run: Path) -> Any:
    return keras.models.load_model(run / "model.keras", compile=False)


def tuned(net: Any, pictures: Dataset) -> Any:
    return finetune.finetuned(net, tiny_source.SPEC, pictures, LINES.append)


def apart(net: Any, bits_net: Any, faces: Array) -> float:
    """Mean distance of what a net says when it rounds from what another says in float."""
    student = finetune._with_rounding(bits_net)
    student(faces, training=True)  # the ranges of these faces
    return float(np.abs(np.asarray(student(faces, training=False)) - np.asarray(net(faces, training=False))).mean())


def test_it_stays_the_net_it_was(net: Any, pictures: Dataset, faces: Array) -> None:
    before = [weights.copy() for weights in net.get_weights()]
    found = tuned(net, pictures)
    assert all(np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True))
    assert [weights.shape for weights in found.get_weights()] == [weights.shape for weights in before]
    assert any(not np.array_equal(a, b) for a, b in zip(before, found.get_weights(), strict=True))
    said, again = (np.asarray(each(faces, training=False)).argmax(axis=1) for each in (net, found))
    assert (said == again).mean() > 0.99


def test_twice_the_same(net: Any, pictures: Dataset) -> None:
    first, second = tuned(net, pictures), tuned(net, pictures)
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_it_stands_few_bits_better(net: Any, pictures: Dataset, faces: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "BITS", 4)
    monkeypatch.setattr(finetune, "EPOCHS", 12)
    monkeypatch.setattr(finetune, "RATE", 1e-3)
    monkeypatch.setattr(finetune, "LABELS_SHARE", 0.0)
    assert apart(net, tuned(net, pictures), faces) < 0.8 * apart(net, net, faces)


def test_weights_and_activations_are_rounded_on_the_way(net: Any, faces: Array) -> None:
    student = finetune._with_rounding(net)
    student(faces, training=True)
    rounding = [layer for layer in student.layers if type(layer).__name__ == "Activation" and hasattr(layer, "high")]
    assert len(rounding) == 5  # after each ReLU, the pooling, and the dense layer
    inside = keras.Model(student.input, rounding[0].output)
    assert len(np.unique(np.asarray(inside(faces[:20], training=False)))) <= 256
