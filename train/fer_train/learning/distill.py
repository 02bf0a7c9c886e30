"""Teachers beside the network that learns from them: one model, whose outputs are the student's and the teachers'."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from fer_edge.errors import ConfigError
from fer_edge.preprocess import PreprocessSpec
from fer_train.learning.network import computing_in
from fer_train.recipe import Recipe

if TYPE_CHECKING:
    from fer_train.evaluate import Trained

LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue in grey, ITU-R BT.601, as `fer_edge.preprocess` has it."""
SMALLEST = 1e-7


def with_teachers(student: keras.Model, recipe: Recipe) -> keras.Model:
    """The student itself, or with `recipe.distill` a model of outputs (N, 2 * classes) in float32.

    The first half are the student's logits, the second the mean of the teachers' probabilities at the temperature. A
    teacher sees the very picture that the student sees, augmented and mixed (Beyer et al. 2022, "a good teacher is
    patient and consistent"), turned into its own input. The student's weights are the only ones that train. Raises
    InputError for a teacher that cannot be opened, ConfigError for one that knows other labels.
    """
    wanted = recipe.distill
    if wanted is None:
        return student
    from fer_train.evaluate import open_trained  # noqa: PLC0415 - it needs the files that training writes

    teachers = []
    for path in wanted.teachers:
        trained = open_trained(Path(path))
        _check_labels(trained, recipe)
        teachers.append(_Teacher(trained, recipe, wanted.temperature))
    with computing_in("float32"):
        mean = sum(teacher(student.input) for teacher in teachers) / len(teachers)
        return keras.Model(student.input, ops.concatenate([student.output, mean], axis=-1), name="with_teachers")


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
