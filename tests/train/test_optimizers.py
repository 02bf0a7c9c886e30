"""The optimizer and rate of every epoch follow from the recipe and the curves so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fer_train.recipe import Fit

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

pytestmark = pytest.mark.usefixtures("keras_ready")
STEPS = 10


def fit(**changes: object) -> Fit:
    return Fit.model_validate({"epochs": 8, "batch": 4, "learning_rate": 1.0, **changes}, strict=False)


def rates(wanted: Fit, *val_losses: float) -> list[float]:
    """The rate of the last step of each epoch, with these validation losses so far."""
    from fer_train.learning.optimizers import Schedule, plan  # noqa: PLC0415 - Keras

    history = [{"val_loss": value} for value in val_losses]
    return [
        Schedule(wanted, plan(wanted, epoch, history[:epoch]), STEPS).last_of(epoch) for epoch in range(wanted.epochs)
    ]


def test_a_constant_rate_is_one() -> None:
    assert rates(fit(schedule="constant")) == pytest.approx([1.0] * 8)


def test_a_cosine_falls_to_nothing() -> None:
    found = rates(fit(schedule="cosine"))
    assert found == sorted(found, reverse=True)
    assert found[3] == pytest.approx(0.5, abs=0.03)
    assert found[-1] < 1e-3


def test_a_warm_up_rises_to_the_rate_before_the_schedule_begins() -> None:
    found = rates(fit(schedule="constant", warmup_epochs=2.0))
    assert found[:3] == pytest.approx([0.01 + 0.99 * 9 / 20, 0.01 + 0.99 * 19 / 20, 1.0])


def test_steps_fall_by_the_factor_every_so_many_epochs() -> None:
    assert rates(fit(schedule="step", step_epochs=3, factor=0.5)) == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25])


def test_a_plateau_falls_after_its_patience_and_waits_as_long_again() -> None:
    losses = (3.0, 2.0, 2.0, 2.5, 2.1, 2.2, 1.0)
    found = rates(fit(schedule="plateau", patience=2, factor=0.1), *losses)
    assert found == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_a_plateau_falls_where_keras_own_callback_falls() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import
    import numpy as np  # noqa: PLC0415 - with it

    losses = np.random.default_rng(4).uniform(1.0, 2.0, 40).tolist()
    wanted = fit(schedule="plateau", epochs=40, patience=3, factor=0.5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    theirs = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_delta=0.0)
    theirs.set_model(model)
    theirs.on_train_begin()
    expected = []
    for epoch, value in enumerate(losses):
        expected.append(float(model.optimizer.learning_rate))
        theirs.on_epoch_end(epoch, {"val_loss": value})
    assert rates(wanted, *losses) == pytest.approx(expected)
    assert len(set(expected)) > 4


def test_adam_then_sgd_goes_over_at_the_beginning_of_that_epoch_with_a_schedule_of_its_own() -> None:
    from fer_train.learning.optimizers import plan  # noqa: PLC0415 - Keras

    wanted = fit(optimizer="adam-then-sgd", switch_epoch=4, sgd_rate=0.2, schedule="step", step_epochs=2, factor=0.5)
    assert [plan(wanted, epoch, []).kind for epoch in range(8)] == ["adam"] * 3 + ["sgd"] * 5
    assert rates(wanted) == pytest.approx([1.0, 1.0, 0.5, 0.2, 0.2, 0.1, 0.1, 0.05])


def test_another_rate_goes_on_with_the_momentum_and_another_optimizer_does_not() -> None:
    from fer_train.learning.optimizers import plan  # noqa: PLC0415 - Keras

    wanted = fit(optimizer="adam-then-sgd", switch_epoch=4, schedule="plateau", patience=1)
    worse = [{"val_loss": value} for value in (1.0, 2.0, 3.0)]
    first, later, switched = plan(wanted, 0, []), plan(wanted, 2, worse[:2]), plan(wanted, 3, worse)
    assert first != later
    assert later.continues(first)
    assert not switched.continues(later)
    assert switched.scale == 1.0


@pytest.mark.parametrize("name", ["sgd", "adam", "muon"])
def test_decay_takes_its_share_off_kernels_and_off_nothing_else(name: str) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import
    import numpy as np  # noqa: PLC0415 - with it

    from fer_train.learning.optimizers import Schedule, optimizer, plan  # noqa: PLC0415 - Keras

    wanted = fit(optimizer=name, schedule="constant", learning_rate=0.5, weight_decay=0.1)
    what = plan(wanted, 0, [])
    made = optimizer(wanted, what, Schedule(wanted, what, STEPS))
    kernel, bias = (keras.Variable(np.ones((2, 2), dtype=np.float32), name=part) for part in ("kernel", "bias"))
    made.apply([np.zeros((2, 2), dtype=np.float32)] * 2, [kernel, bias])
    assert keras.ops.convert_to_numpy(kernel.value) == pytest.approx(np.full((2, 2), 0.95))
    assert keras.ops.convert_to_numpy(bias.value) == pytest.approx(np.ones((2, 2)))


def test_momentum_is_nesterovs_or_plain_as_told() -> None:
    from fer_train.learning.optimizers import Schedule, optimizer, plan  # noqa: PLC0415 - Keras

    for nesterov in (True, False):
        wanted = fit(nesterov=nesterov, momentum=0.8)
        made = optimizer(wanted, plan(wanted, 0, []), Schedule(wanted, plan(wanted, 0, []), STEPS))
        assert (made.nesterov, made.momentum) == (nesterov, 0.8)


def muon(kernel: keras.Variable, gradient: NDArray[np.float32], rate: float = 1.0) -> NDArray[np.float32]:
    """How far one step of Muon takes a kernel, after which comes an output layer's."""
    import keras  # noqa: PLC0415 - takes seconds to import
    import numpy as np  # noqa: PLC0415 - with it

    from fer_train.learning.optimizers import Schedule, optimizer, plan  # noqa: PLC0415 - Keras

    wanted = fit(optimizer="muon", schedule="constant", learning_rate=rate)
    what = plan(wanted, 0, [])
    made = optimizer(wanted, what, Schedule(wanted, what, STEPS))
    before = keras.ops.convert_to_numpy(kernel.value).copy()
    head = keras.Variable(np.ones((4, 2), dtype=np.float32), name="head")
    made.apply([gradient, np.ones((4, 2), dtype=np.float32)], [kernel, head])
    assert keras.ops.convert_to_numpy(head.value) == pytest.approx(np.full((4, 2), 1.0 - 0.3 * rate), abs=1e-4)
    return np.asarray(before - keras.ops.convert_to_numpy(kernel.value))


def test_muon_steps_as_far_in_every_direction_whatever_the_gradients_size() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import
    import numpy as np  # noqa: PLC0415 - with it

    gradient = np.random.default_rng(3).normal(size=(3, 3, 8, 16)).astype(np.float32)
    gradient[..., 0] *= 20.0
    step = muon(keras.Variable(np.zeros((3, 3, 8, 16), dtype=np.float32), name="kernel"), 1e-3 * gradient)
    lengths = np.linalg.svd(step.reshape(72, 16), compute_uv=False)
    given = np.linalg.svd(gradient.reshape(72, 16), compute_uv=False)
    assert given.max() / given.min() > 10
    assert lengths.max() / lengths.min() < 2
    assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2 * np.sqrt(72 * 16 / 72 / 16), rel=0.3)


def test_muon_takes_a_convolution_for_the_matrix_it_is() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import
    import numpy as np  # noqa: PLC0415 - with it

    gradient = np.random.default_rng(4).normal(size=(1, 1, 6, 5)).astype(np.float32)
    convolution = keras.Variable(np.zeros((1, 1, 6, 5), dtype=np.float32), name="kernel")
    dense = keras.Variable(np.zeros((6, 5), dtype=np.float32), name="kernel")
    assert muon(convolution, gradient)[0, 0] == pytest.approx(muon(dense, gradient[0, 0]), abs=1e-6)
