"""What training minimises: worked out by hand, and the same as Keras' own where Keras has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.labels import FER2013
from fer_train.data import Dataset
from fer_train.recipe import Distill, Recipe
from fer_train.recipe import load as load_recipe

pytestmark = pytest.mark.usefixtures("keras_ready")
CLASSES = len(FER2013)
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0.0, 2.0, (5, CLASSES)).astype(np.float32)
TARGETS = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 3, 1]]
WEIGHTS = np.array([1.0, 4.0, 0.5, 1.0, 1.0, 1.0, 1.0])


def loss(*changes: str, targets: Any = TARGETS, outputs: Any = LOGITS, **more: Any) -> float:
    """The batch's loss with fernet-s, without its label smoothing unless told."""
    from fer_train.learning.losses import TrainingLoss  # noqa: PLC0415 - Keras

    recipe = load_recipe("fernet-s", ["fit.label_smoothing=0.0", *changes])
    recipe = recipe.model_copy(update={"distill": more.pop("distill", None)})
    return float(TrainingLoss(recipe, **more)(targets, outputs))


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    shares = np.exp(logits.astype(np.float64))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_crossentropy_is_that_of_keras(smoothing: float) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(TARGETS, LOGITS)
    assert loss(f"fit.label_smoothing={smoothing}") == pytest.approx(float(expected), rel=1e-6)


def test_focal_loss_is_that_of_keras_without_its_alpha() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    focal = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=1.5, from_logits=True)
    assert loss("fit.loss=focal", "fit.focal_gamma=1.5") == pytest.approx(float(focal(TARGETS, LOGITS)), rel=1e-5)


def test_focal_loss_with_a_certain_answer_has_a_slope() -> None:
    from keras import ops  # noqa: PLC0415 - takes seconds to import

    certain = np.array([[100.0] + [0.0] * (CLASSES - 1)], dtype=np.float32)
    value = loss("fit.loss=focal", "fit.focal_gamma=0.5", targets=TARGETS[:1], outputs=ops.convert_to_tensor(certain))
    assert value == pytest.approx(0.0, abs=1e-6)


def test_class_weights_give_the_loss_that_keras_class_weight_gives() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    as_it_is = keras.layers.Dense(CLASSES, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((CLASSES,)), as_it_is])
    model.compile(keras.optimizers.SGD(0.1), loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    theirs = model.train_on_batch(LOGITS, TARGETS, class_weight=dict(enumerate(WEIGHTS)))
    assert loss(class_weight=WEIGHTS) == pytest.approx(float(theirs), rel=1e-6)


def test_a_mixed_sample_weighs_between_its_two_classes() -> None:
    mixed = 0.25 * TARGETS[:1] + 0.75 * TARGETS[1:2]
    plain = loss(targets=mixed, outputs=LOGITS[:1])
    assert loss(targets=mixed, outputs=LOGITS[:1], class_weight=WEIGHTS) == pytest.approx(plain * 3.25, rel=1e-6)


def test_a_teacher_that_says_the_same_adds_nothing() -> None:
    distill = Distill(teachers=("t",), alpha=0.7, temperature=2.0)
    outputs = np.concatenate([LOGITS, softmax(LOGITS / 2.0)], axis=-1).astype(np.float32)
    assert loss(outputs=outputs, distill=distill) == pytest.approx(0.3 * loss(), rel=1e-4)


def test_a_teacher_that_says_otherwise_costs_the_divergence_at_the_temperature() -> None:
    distill = Distill(teachers=("t",), alpha=1.0, temperature=3.0)
    teacher = softmax(RNG.normal(0.0, 1.0, LOGITS.shape))
    student = softmax(LOGITS / 3.0)
    expected = 9.0 * float((teacher * np.log(teacher / student)).sum(axis=-1).mean())
    outputs = np.concatenate([LOGITS, teacher], axis=-1).astype(np.float32)
    assert loss(outputs=outputs, distill=distill) == pytest.approx(expected, rel=1e-4)


def test_teachers_heard_once_stand_behind_the_targets() -> None:
    distill = Distill(teachers=("t",), alpha=0.7, temperature=3.0)
    teacher = softmax(RNG.normal(0.0, 1.0, LOGITS.shape)).astype(np.float32)
    beside = loss(outputs=np.concatenate([LOGITS, teacher], axis=-1).astype(np.float32), distill=distill)
    once = distill.model_copy(update={"views": 4})
    behind = loss(targets=np.concatenate([TARGETS, teacher], axis=-1).astype(np.float32), distill=once)
    assert behind == pytest.approx(beside, rel=1e-6)


def test_accuracy_looks_at_the_student_only() -> None:
    from fer_train.learning.losses import accuracy  # noqa: PLC0415 - Keras

    right = np.concatenate([TARGETS, -100.0 * TARGETS], axis=-1)
    assert float(accuracy(CLASSES)(TARGETS, right)) == 1.0
    assert float(accuracy(CLASSES)(TARGETS, -right)) == 0.0


def test_an_epoch_is_judged_by_the_plain_crossentropy_of_the_true_labels() -> None:
    from fer_train.learning.losses import judged  # noqa: PLC0415 - Keras

    logits = np.array([[math.log(3.0), 0.0], [math.log(3.0), 0.0]], dtype=np.float32)
    value, share = judged(logits, np.array([0, 1], dtype=np.int64))
    assert value == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
    assert share == 0.5


def test_rare_labels_weigh_more_when_classes_are_balanced(recipe: Recipe) -> None:
    from fer_train.learning.losses import class_weights  # noqa: PLC0415 - Keras

    targets = np.array([0] * 6 + [1] * 2, dtype=np.int64)
    data = Dataset(np.zeros((8, 48, 48), dtype=np.uint8), targets, ("a", "b"), ("x",) * 8, "here")
    assert class_weights(data, "balanced") == pytest.approx([8 / 12, 8 / 4])
    assert class_weights(data, "none") is None
