"""Teachers of a network: beside it in one model, or heard once, before the first epoch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from fer_edge.clock import perf_s
from fer_edge.errors import ConfigError
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Image
from fer_train.data import Dataset
from fer_train.folder import replace
from fer_train.learning.augment import augment
from fer_train.learning.batches import predicted
from fer_train.learning.network import computing_in
from fer_train.progress import Say, clock
from fer_train.recipe import Distill, Recipe

if TYPE_CHECKING:
    from fer_train.evaluate import Trained

LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue in grey, ITU-R BT.601, as `fer_edge.preprocess` has it."""
SMALLEST = 1e-7
AT_ONCE = 4096
"""Pictures that teachers look at between two lines of progress."""
VIEWS = 0x7EAC
"""Sets the draws of views apart from those of batches, whose seeds are (seed, epoch, batch)."""


def with_teachers(student: keras.Model, recipe: Recipe) -> keras.Model:
    """The student itself, or with `recipe.distill` a model of outputs (N, 2 * classes) in float32.

    The first half are the student's logits, the second the mean of the teachers' probabilities at the temperature. A
    teacher sees the very picture that the student sees, augmented and mixed (Beyer et al. 2022, "a good teacher is
    patient and consistent"), turned into its own input. The student's weights are the only ones that train. Raises
    InputError for a teacher that cannot be opened, ConfigError for one that knows other labels.
    """
    if recipe.distill is None or recipe.distill.views:
        return student
    with computing_in("float32"):
        said = _said(student.input, recipe, recipe.distill)
        return keras.Model(student.input, ops.concatenate([student.output, said], axis=-1), name="with_teachers")


def said_once(recipe: Recipe, data: Dataset, path: Path, say: Say) -> NDArray[np.float32] | None:
    """With `recipe.distill.views` what the teachers say of every training picture, else None.

    Mean of their probabilities at the temperature, float32 (N, classes), over so many views of each picture: as it is,
    then moved and lit anew as the recipe's augmentation does, but whole and sharp; where that mirrors pictures, each
    view and its mirror image. What is in the file is taken from there, else written there. Raises InputError,
    ConfigError and OutputError.
    """
    if recipe.distill is None or not recipe.distill.views:
        return None
    shape = len(data), len(recipe.labels)
    kept = _read(path, shape)
    if kept is not None:
        return kept
    each = recipe.distill.views * (2 if recipe.augmentation.flip else 1)
    say(f"the teachers look at {shape[0]:,} pictures, at each {each} times")
    taught = keras.Input(recipe.preprocess.shape[1:], dtype="float32")
    with computing_in("float32"):
        teachers = keras.Model(taught, _said(taught, recipe, recipe.distill), name="teachers")
    found = np.empty(shape, dtype=np.float32)
    preprocess, began = Preprocess(recipe.preprocess), perf_s()
    for first in range(0, shape[0], AT_ONCE):
        pictures = data.images[first : first + AT_ONCE]
        views = list(_views(pictures, recipe, recipe.distill.views, first))
        found[first : first + AT_ONCE] = sum(predicted(teachers, view, preprocess) for view in views) / len(views)
        done = first + len(pictures)
        say(f"  {done:,}/{shape[0]:,} pictures; {clock((perf_s() - began) * (shape[0] - done) / done)} left")
    replace(path, lambda where: np.save(where, found))
    return found


def _views(pictures: Image, recipe: Recipe, count: int, first: int) -> Iterator[Image]:
    """All views of a stretch of pictures that begins at `first`, drawn from (seed, view, first) alone."""
    whole = recipe.augmentation.model_copy(update={"flip": 0.0, "erase": 0.0, "blur": 0.0, "lowres": 0.0})
    for view in range(count):
        rng = np.random.default_rng((VIEWS, recipe.fit.seed, view, first))
        shown = augment(pictures, whole, rng) if view else pictures
        yield shown
        if recipe.augmentation.flip:
            yield np.ascontiguousarray(shown[:, :, ::-1])


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None
    return found if isinstance(found, np.ndarray) and found.shape == shape and found.dtype == np.float32 else None


def _said(tensor: Any, recipe: Recipe, wanted: Distill) -> Any:  # noqa: ANN401 - tensors of whatever backend
    """Mean of the teachers' softened probabilities, (N, classes)."""
    from fer_train.evaluate import open_trained  # noqa: PLC0415 - it needs the files that training writes

    teachers = []
    for path in wanted.teachers:
        trained = open_trained(Path(path))
        _check_labels(trained, recipe)
        teachers.append(_Teacher(trained, recipe, wanted.temperature))
    return sum(teacher(tensor) for teacher in teachers) / len(teachers)


class _Teacher(keras.layers.Layer):  # type: ignore[misc]
    """A trained network as it infers: a layer of its own, for Keras would have a model within a model train as well."""

    def __init__(self, trained: Trained, recipe: Recipe, temperature: float) -> None:
        """For a student of this recipe."""
        super().__init__(trainable=False, dtype="float32")
        self._network, self._probabilities = trained.model, trained.kind == "probabilities"
        self._network.trainable = False
        self._specs = recipe.preprocess, trained.recipe.preprocess
        self._order = [trained.recipe.labels.index(label) for label in recipe.labels]
        self._temperature = temperature

    def call(self, tensor: Any) -> Any:  # noqa: ANN401 - a tensor of whatever backend
        """Softened probabilities (N, classes), in the student's order of labels, of the student's input."""
        outputs = self._network(translated(tensor, *self._specs), training=False)
        logits = ops.log(ops.maximum(outputs, SMALLEST)) if self._probabilities else outputs
        return ops.softmax(ops.take(logits, self._order, axis=-1) / self._temperature, axis=-1)


def _check_labels(teacher: Trained, recipe: Recipe) -> None:
    if set(teacher.recipe.labels) != set(recipe.labels):
        raise ConfigError(
            f"teacher {teacher.path} knows {', '.join(teacher.recipe.labels)}, "
            f"and the recipe {recipe.name} wants {', '.join(recipe.labels)}: "
            "a teacher needs the same labels, in any order"
        )


def translated(tensor: Any, given: PreprocessSpec, wanted: PreprocessSpec) -> Any:  # noqa: ANN401 - a tensor of whatever backend
    """A tensor that was made by one specification, as the other would have made it of the same picture.

    Colour and scale are exact to float32 (grey made of colours: to half a level); another size is bilinear, averaged
    over area when it shrinks.
    """
    if given == wanted:
        return tensor
    picture = tensor if given.layout == "NHWC" else ops.transpose(tensor, (0, 2, 3, 1))
    picture = _recoloured(picture * list(given.std) + list(given.mean), given.color, wanted.color)
    if given.size != wanted.size:
        picture = ops.image.resize(
            picture, (wanted.size, wanted.size), antialias=given.size > wanted.size, data_format="channels_last"
        )
    picture = (picture - list(wanted.mean)) / list(wanted.std)
    return picture if wanted.layout == "NHWC" else ops.transpose(picture, (0, 3, 1, 2))


def _recoloured(picture: Any, given: str, wanted: str) -> Any:  # noqa: ANN401 - a tensor of whatever backend
    if given == wanted:
        return picture
    if given == "gray":
        return ops.repeat(picture, 3, axis=-1)
    if wanted == "gray":
        weights = LUMA if given == "rgb" else LUMA[::-1]
        return ops.sum(picture * list(weights), axis=-1, keepdims=True)
    return ops.flip(picture, axis=-1)
