"""Weights are drawn by numpy from the recipe's seed: the same under every backend, as each layer's initializer says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_train.recipe import Recipe
from fer_train.recipe import load as load_recipe

pytestmark = pytest.mark.usefixtures("keras_ready")


def drawn(recipe: Recipe, keras_seed: int, seed: int = 1) -> list[Any]:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.network import draw_weights, fresh_model  # noqa: PLC0415 - Keras

    keras.utils.set_random_seed(keras_seed)
    model = fresh_model(recipe)
    draw_weights(model, seed)
    return list(model.get_weights())


@pytest.mark.parametrize("name", ["fernet-s", "porto-cnn8", "buffalo-cnn", "buffalo-resnet"])
def test_nothing_of_the_backends_own_draws_is_left(name: str) -> None:
    recipe = load_recipe(name)
    pairs = zip(drawn(recipe, keras_seed=1), drawn(recipe, keras_seed=2), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_another_seed_draws_other_weights(recipe: Recipe) -> None:
    assert not np.array_equal(drawn(recipe, 1, seed=1)[0], drawn(recipe, 1, seed=2)[0])


INITIALIZERS = {
    "glorot_uniform": {},
    "he_normal": {},
    "lecun_uniform": {},
    "he_uniform": {},
    "TruncatedNormal": {"mean": 1.0, "stddev": 0.3},
    "RandomNormal": {"mean": -1.0, "stddev": 0.3},
    "RandomUniform": {"minval": 1.0, "maxval": 3.0},
}


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D", "Dense"])
def test_draws_are_distributed_as_keras_own(name: str, kind: str) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.network import draw_weights  # noqa: PLC0415 - Keras

    keras.utils.set_random_seed(5)
    initializer = keras.initializers.get({"class_name": name, "config": INITIALIZERS[name]})
    layer = {
        "Conv2D": lambda: keras.layers.Conv2D(48, 5, kernel_initializer=initializer),
        "DepthwiseConv2D": lambda: keras.layers.DepthwiseConv2D(
            9, depth_multiplier=16, depthwise_initializer=initializer
        ),
        "Dense": lambda: keras.layers.Dense(900, kernel_initializer=initializer),
    }[kind]()
    model = keras.Sequential([keras.Input((16, 16, 16)), layer])
    before = model.get_weights()[0]
    draw_weights(model, seed=3)
    after = model.get_weights()[0]
    assert after.std() == pytest.approx(before.std(), rel=0.03)
    assert after.mean() == pytest.approx(before.mean(), abs=0.03 * float(before.std()))
    if "ormal" not in name or "Truncated" in name or name == "he_normal":  # the others have no largest value
        assert abs(after).max() == pytest.approx(abs(before).max(), rel=0.02)
    assert not np.array_equal(before, after)


def test_weights_that_start_as_constants_stay() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.network import draw_weights  # noqa: PLC0415 - Keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    before = model.get_weights()
    draw_weights(model, seed=3)
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert same == [array.ndim == 1 for array in before]


def test_dropout_within_a_nested_model_repeats_with_seed_and_epoch() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.network import reseed  # noqa: PLC0415 - Keras

    inner = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(0.5)])
    model = keras.Sequential([keras.Input((64,)), inner, keras.layers.Dropout(0.5)])
    ones = np.ones((1, 64), dtype=np.float32)

    def dropped(seed: int, epoch: int) -> bytes:
        reseed(model, seed, epoch)
        return bytes(keras.ops.convert_to_numpy(model(ones, training=True)).tobytes())

    first = dropped(1, 0)
    assert first != dropped(1, 1)
    assert first != dropped(2, 0)
    assert first == dropped(1, 0)
