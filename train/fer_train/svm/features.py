"""What a trunk says of every picture, computed once: a killed run finds on disk how far it was."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_edge.clock import perf_s
from fer_edge.errors import OutputError
from fer_edge.preprocess import Preprocess
from fer_train.data import Dataset
from fer_train.learning import network
from fer_train.progress import Say, Step, clock
from fer_train.recipe import Recipe
from fer_train.zoo import pretrained

PREFIX = "features-"
Features = NDArray[np.float32]


def trunk(recipe: Recipe) -> keras.Model:
    """Picture to features (N, F) float32, with the weights that the recipe starts from.

    Of an architecture that ends in a layer "logits", what this layer sees.
    """
    model = network.fresh_model(recipe)
    network.draw_weights(model, recipe.fit.seed)
    pretrained.start(model, recipe.model)
    last = model.layers[-1]
    found = last.input if last.name == "logits" else model.output
    flat = found if len(found.shape) == 2 else layers.Flatten(name="features")(found)
    return keras.Model(model.input, flat, name=model.name)


def compute(model: keras.Model, data: Dataset, recipe: Recipe, folder: Path, say: Say) -> Features:
    """(N, F), mapped from a file in `folder`, whose name is of pictures, preprocessing and weights.

    Rows that the file already has are not computed again. Raises OutputError when it cannot be written.
    """
    path = folder / f"{PREFIX}{_key(model, data, recipe)}.npy"
    shape = (len(data), int(model.output_shape[1]))
    try:
        _complete(path, shape, model, (data, recipe), say)
        return np.asarray(np.load(path, mmap_mode="r"))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


def forget(folder: Path) -> None:
    """Remove the files, which a finished run has no use for."""
    for path in folder.glob(f"{PREFIX}*.npy"):
        path.unlink()


def _complete(path: Path, shape: tuple[int, int], model: keras.Model, what: tuple[Dataset, Recipe], say: Say) -> None:
    """Append the rows that are missing; whole batches only, so that a batch holds the same pictures as ever."""
    data, recipe = what
    batch, head = recipe.fit.batch, _head(shape)
    preprocess = Preprocess(recipe.preprocess)
    with path.open("ab") as file:
        stored = max(0, file.tell() - len(head)) // (4 * shape[1])
        done = stored if stored == shape[0] else stored - stored % batch
        if done:
            say(f"features of {done} of {shape[0]} pictures are on disk")
            file.truncate(len(head) + done * 4 * shape[1])
        else:
            file.truncate(0)
            file.write(head)
        began, first = perf_s(), done
        for start in range(done, shape[0], batch):
            tensor = preprocess.tensor(data.images[start : start + batch])
            found = np.asarray(keras.ops.convert_to_numpy(model(tensor, training=False)), dtype="<f4")
            file.write(found.tobytes())
            done = start + len(found)
            left = (perf_s() - began) / (done - first) * (shape[0] - done)
            say(Step(f"features of {done}/{shape[0]} pictures, {clock(left)} left", done, shape[0]))


def _head(shape: tuple[int, int]) -> bytes:
    """How a .npy file of little-endian float32 begins."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


def _key(model: keras.Model, data: Dataset, recipe: Recipe) -> str:
    found = hashlib.sha256(data.digest().encode())
    found.update(recipe.preprocess.model_dump_json().encode())
    found.update(recipe.model.model_dump_json().encode())
    for weight in model.weights:
        found.update(np.asarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return found.hexdigest()[:16]
