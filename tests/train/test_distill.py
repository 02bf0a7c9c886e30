"""Teachers: what they see, what they say, and what a student learns of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import ConfigError, InputError
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_train.data import Dataset
from fer_train.recipe import Augmentation, Distill, Recipe
from support.tiny_training import history, silent

pytestmark = pytest.mark.usefixtures("keras_ready")
Drawings = tuple[Dataset, Dataset]
GRAY = PreprocessSpec(color="gray", size=32, mean=(0.5,), std=(0.25,))
RGB = PreprocessSpec(color="rgb", size=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
BGR = PreprocessSpec(color="bgr", size=32, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0), layout="NCHW")


def with_teachers(recipe: Recipe, *teachers: Path, alpha: float = 0.5, views: int = 0) -> Recipe:
    distill = Distill(teachers=tuple(str(path) for path in teachers), alpha=alpha, temperature=2.0, views=views)
    return recipe.model_copy(update={"distill": distill})


@pytest.mark.parametrize("given", [GRAY, RGB, BGR], ids=["gray", "rgb", "bgr"])
@pytest.mark.parametrize("wanted", [GRAY, RGB, BGR], ids=["to gray", "to rgb", "to bgr"])
def test_a_teacher_sees_the_picture_as_its_own_preprocessing_makes_it(
    given: PreprocessSpec, wanted: PreprocessSpec
) -> None:
    from keras import ops  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.distill import translated  # noqa: PLC0415 - Keras

    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    if given.color == "gray":  # what a grey picture shows to a network that wants colours
        picture = Preprocess(given).pixels(picture)
    tensors = [Preprocess(spec)(picture) for spec in (given, wanted)]
    found = ops.convert_to_numpy(translated(ops.convert_to_tensor(tensors[0]), given, wanted))
    level = max(1 / 255 / std for std in wanted.std)  # one step of 8 bits: grey made of colours is rounded
    assert found == pytest.approx(tensors[1], abs=0.51 * level if wanted.color == "gray" != given.color else 1e-5)


def test_a_teacher_of_another_size_sees_the_picture_resized() -> None:
    from keras import ops  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.distill import translated  # noqa: PLC0415 - Keras

    ramp = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (32, 1))
    for size in (16, 64):
        wanted = GRAY.model_copy(update={"size": size})
        found = ops.convert_to_numpy(translated(ops.convert_to_tensor(Preprocess(GRAY)(ramp)), GRAY, wanted))
        assert found.shape == (1, size, size, 1)
        assert found == pytest.approx(Preprocess(wanted)(ramp), abs=0.1)


def test_the_teachers_word_is_the_mean_of_their_softened_probabilities(
    recipe: Recipe, drawings: Drawings, trained_run: Path
) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras
    from fer_train.learning.distill import with_teachers as joined  # noqa: PLC0415 - Keras
    from fer_train.learning.network import fresh_model  # noqa: PLC0415 - Keras

    student = fresh_model(recipe)
    model = joined(student, with_teachers(recipe, trained_run, trained_run))
    tensor = Preprocess(recipe.preprocess).tensor(drawings[1].images[:4])
    logits = keras.ops.convert_to_numpy(open_trained(trained_run).model(tensor))
    found = keras.ops.convert_to_numpy(model(tensor))
    assert found[:, :7] == pytest.approx(keras.ops.convert_to_numpy(student(tensor)), abs=1e-5)
    assert found[:, 7:] == pytest.approx(keras.ops.convert_to_numpy(keras.ops.softmax(logits / 2.0)), abs=1e-5)
    in_training = keras.ops.convert_to_numpy(model(tensor, training=True))
    assert np.array_equal(in_training[:, 7:], found[:, 7:])  # a teacher drops nothing out and learns no statistics
    assert len(model.trainable_variables) == len(student.trainable_variables)


def test_labels_in_another_order_are_matched_by_name(recipe: Recipe, drawings: Drawings, trained_run: Path) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning.distill import with_teachers as joined  # noqa: PLC0415 - Keras
    from fer_train.learning.network import fresh_model  # noqa: PLC0415 - Keras

    turned = recipe.model_copy(update={"labels": recipe.labels[::-1]})
    tensor = Preprocess(recipe.preprocess).tensor(drawings[1].images[:4])
    said = [
        keras.ops.convert_to_numpy(joined(fresh_model(each), with_teachers(each, trained_run))(tensor))[:, 7:]
        for each in (recipe, turned)
    ]
    assert said[0] == pytest.approx(said[1][:, ::-1], abs=1e-6)


def test_a_teacher_of_other_labels_is_refused(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    other = with_teachers(recipe.model_copy(update={"labels": (*recipe.labels[1:], "bored")}), trained_run)
    with pytest.raises(ConfigError, match=r"a teacher needs the same labels, in any order"):
        fit.run(other, *drawings, tmp_path, say=silent)


def test_a_teacher_that_is_not_there_is_named(recipe: Recipe, drawings: Drawings, tmp_path: Path) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match=r"there is no model .*gone"):
        fit.run(with_teachers(recipe, tmp_path / "gone"), *drawings, tmp_path / "run", say=silent)


def test_a_student_comes_to_say_what_its_teacher_says_and_goes_on_after_a_kill(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    wanted = with_teachers(recipe, _sure_of_itself(trained_run, tmp_path / "teacher"), alpha=1.0)
    fit.run(wanted, *drawings, tmp_path / "whole", say=silent)
    losses = [float(row["loss"]) for row in history(tmp_path / "whole")]
    assert losses[-1] < 0.8 * losses[0]

    def killed(line: str) -> None:
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.run(wanted, *drawings, tmp_path / "killed", say=killed)
    fit.run(wanted, *drawings, tmp_path / "killed", resume=True, say=silent)
    assert history(tmp_path / "killed") == history(tmp_path / "whole")


@pytest.mark.parametrize("flip", [0.0, 0.5])
def test_a_teacher_heard_once_says_the_mean_of_what_it_says_of_the_views(
    flip: float, recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    still = Augmentation(flip=flip, erase=1.0, blur=1.0, lowres=1.0)  # every view is the picture, whole and sharp
    wanted = with_teachers(recipe.model_copy(update={"augmentation": still}), trained_run, views=3)
    lines: list[str] = []
    found = heard(wanted, drawings[0], tmp_path / "teachers.npy", lines.append)
    pictures = drawings[0].images
    views = [pictures, pictures[:, :, ::-1]] if flip else [pictures]
    expected = sum(_softened(trained_run, view) for view in views) / len(views)
    assert found == pytest.approx(expected, abs=1e-5)
    assert lines[0] == f"the teachers look at {len(pictures)} pictures, at each {3 * len(views)} times"


def test_the_views_differ_and_are_the_same_in_another_run(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    one, more, again = (
        heard(with_teachers(recipe, trained_run, views=views), drawings[0], tmp_path / name)
        for views, name in ((1, "one.npy"), (4, "more.npy"), (4, "again.npy"))
    )
    assert np.abs(one - more).max() > 1e-3
    assert np.array_equal(more, again)
    assert more.sum(axis=-1) == pytest.approx(1.0, abs=1e-5)


def test_teachers_are_not_asked_again_when_a_run_goes_on(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    teacher = Path(shutil.copytree(trained_run, tmp_path / "teacher"))
    wanted = with_teachers(recipe, teacher, alpha=1.0, views=2)
    fit.run(wanted, *drawings, tmp_path / "whole", say=silent)

    def killed(line: str) -> None:
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.run(wanted, *drawings, tmp_path / "killed", say=killed)
    shutil.rmtree(teacher)
    fit.run(wanted, *drawings, tmp_path / "killed", resume=True, say=silent)
    assert history(tmp_path / "killed") == history(tmp_path / "whole")


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY damaged", "of other pictures"])
def test_damaged_words_of_teachers_are_heard_anew(
    damage: bytes | str, recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    wanted, path = with_teachers(recipe, trained_run, views=1), tmp_path / "teachers.npy"
    found = heard(wanted, drawings[0], path)
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        np.save(path, np.zeros((3, 7), np.float32))
    assert np.array_equal(heard(wanted, drawings[0], path), found)
    assert np.array_equal(np.load(path), found)


def test_a_student_comes_to_say_what_was_said_once(
    recipe: Recipe, drawings: Drawings, trained_run: Path, tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    wanted = with_teachers(recipe, _sure_of_itself(trained_run, tmp_path / "teacher"), alpha=1.0, views=2)
    mixed = wanted.model_copy(update={"augmentation": wanted.augmentation.model_copy(update={"mixup": 0.2})})
    fit.run(mixed, *drawings, tmp_path / "whole", say=silent)
    losses = [float(row["loss"]) for row in history(tmp_path / "whole")]
    assert losses[-1] < 0.8 * losses[0]


def heard(recipe: Recipe, data: Dataset, path: Path, say: Callable[[str], None] = silent) -> np.ndarray:
    from fer_train.learning.distill import said_once  # noqa: PLC0415 - Keras

    found = said_once(recipe, data, path, say)
    assert found is not None
    return found


def _softened(run: Path, pictures: np.ndarray) -> np.ndarray:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras

    trained = open_trained(run)
    logits = trained.model(Preprocess(trained.recipe.preprocess).tensor(np.ascontiguousarray(pictures)))
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.softmax(logits / 2.0)))


def _sure_of_itself(run: Path, to: Path) -> Path:
    """A run whose network says what that of `run` says, twenty times as loud: three epochs leave it in doubt."""
    import keras  # noqa: PLC0415 - takes seconds to import

    shutil.copytree(run, to)
    model = keras.models.load_model(to / "model.keras", compile=False)
    logits = model.get_layer("logits")
    logits.set_weights([20.0 * array for array in logits.get_weights()])
    model.save(to / "model.keras")
    return to
