"""A run folder as fer-train leaves it, with a tiny net trained for seconds on drawn pictures, and those pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_convert import frameworks
from fer_edge.labels import FER2013
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_train.backend import hushed
from fer_train.recipe import Fit, Model, Recipe
from support.shapes import shape

MEAN = 128 / 255
"""255 * MEAN is whole, so that an int8 input can store pixel - 128 exactly."""
SPEC = PreprocessSpec(color="gray", size=48, mean=(MEAN,), std=(0.25,))
TRAIN_EACH, TEST_EACH = 44, 20
"""Per label: 308 to calibrate with and 140 to judge by, little more than the least."""
FILTERS = (6, 12, 12)
EPOCHS = 14

CARD = """\
# tiny

## What it is for, and what it is not for

Telling drawings
apart.

## Data and its terms

Drawn by the tests.

## Known limits

- It has never seen a face.
"""


def recipe(spec: PreprocessSpec = SPEC, labels: tuple[str, ...] = FER2013) -> Recipe:
    """What the run says of itself."""
    return Recipe(
        name="tiny",
        title="Tells seven drawn shapes apart",
        labels=labels,
        model=Model(architecture="fernet"),
        preprocess=spec,
        fit=Fit(epochs=EPOCHS, batch=32, learning_rate=0.01),
    )


def draw_data(root: Path) -> Path:
    """`root/train/<label>/*.png` and `root/test/<label>/*.png`."""
    for split, first, count in (("train", 0, TRAIN_EACH), ("test", 5000, TEST_EACH)):
        for label in FER2013:
            folder = root / split / label
            folder.mkdir(parents=True)
            for seed in range(first, first + count):
                assert cv2.imwrite(str(folder / f"{seed}.png"), shape(label, seed))
    return root


def drawings(seeds: range) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Every label once per seed: uint8 (N, 48, 48), and indices into FER2013."""
    crops = np.stack([shape(label, seed) for seed in seeds for label in FER2013])
    return crops, np.tile(np.arange(len(FER2013)), len(seeds))


def network(*, softmax: bool = False, size: int | None = 48) -> Any:
    """An untrained net of the kind that ships: convolution, batch norm, ReLU, global average, dense."""
    keras = frameworks.keras()
    layers = keras.layers
    x = inputs = keras.Input((size, size, 1), name="face")
    for filters in FILTERS:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dense(len(FER2013), name="logits")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Softmax(dtype="float32")(x) if softmax else x, name="tiny")


def trained() -> Any:
    """A net that tells most drawings apart."""
    keras = frameworks.keras()
    with hushed():
        keras.utils.set_random_seed(7)
        model = network()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss)
        crops, targets = drawings(range(TRAIN_EACH))
        model.fit(Preprocess(SPEC).tensor(crops), targets, batch_size=32, epochs=EPOCHS, verbose=0)
    return model


def write_run(folder: Path, model: Any, *, what: Recipe | None = None) -> Path:
    """A finished run folder."""
    folder.mkdir(parents=True)
    with hushed():
        model.save(folder / "model.keras")
    (folder / "recipe.json").write_text((what or recipe()).model_dump_json(indent=2), encoding="utf-8")
    return folder
