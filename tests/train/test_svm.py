"""A support vector machine from pictures to one Keras model: it says what scikit-learn says, goes on after a kill."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fer_edge.errors import InputError, RuntimeUnavailable
from fer_edge.preprocess import Preprocess
from fer_edge.runtimes import open_runtime
from fer_train.data import Dataset
from fer_train.recipe import Augmentation, Recipe, Svm
from support.blobs import Blobs, blobs, learned

if TYPE_CHECKING:
    import keras

pytest.importorskip("sklearn")
pytestmark = pytest.mark.usefixtures("keras_ready")
Drawings = tuple[Dataset, Dataset]


class Killed(BaseException):
    """What a power cut is to the process, as far as a test can go and live."""


def silent(_: str) -> None:
    """Tell nobody."""


def kill_at(part: str) -> Callable[[str], None]:
    """A listener that kills the run at the first line that holds `part`."""

    def say(line: str) -> None:
        if part in line:
            raise Killed

    return say


@pytest.fixture(scope="module")
def with_svm(recipe: Recipe) -> Recipe:
    """The tiny recipe, its net taken as a trunk whose features a machine is fitted on."""
    return recipe.model_copy(update={"svm": Svm(), "augmentation": Augmentation()})


@pytest.fixture(scope="module")
def finished(keras_ready: None, with_svm: Recipe, drawings: Drawings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of it."""
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    run = tmp_path_factory.mktemp("svm") / "run"
    svm.run(with_svm, *drawings, run, say=silent)
    return run


def record(run: Path) -> dict[str, Any]:
    """`svm.json` without what no two runs have in common."""
    found: dict[str, Any] = json.loads((run / "svm.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key != "seconds"}


def layered(found: Blobs, monkeypatch: pytest.MonkeyPatch, wanted: float) -> keras.Model:
    """Our machine as layers behind a trunk that leaves features as they are."""
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.svm import fitting  # noqa: PLC0415 - as Keras
    from fer_train.svm.layers import classifier  # noqa: PLC0415 - Keras

    monkeypatch.setattr(fitting, "WANTED", wanted)
    inputs = keras.Input((found.features.shape[1],))
    form = fitting.compact(learned(found), silent)
    assert (form.directions is None) == (wanted > 1.0)
    return classifier(keras.Model(inputs, keras.layers.Identity()(inputs)), form)


def test_the_run_folder_tells_how_well_the_layers_follow_scikit_learn(finished: Path) -> None:
    found = record(finished)
    assert found["agreement"] == 1.0
    assert (found["n"], found["pictures"], found["form"]) == (28, 84, "exact")
    assert found["accuracy"] == found["accuracy_scikit_learn"] > 2 / 7


def test_the_history_has_one_row_that_the_model_keeps(finished: Path, drawings: Drawings) -> None:
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    with (finished / "history.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    scores = evaluate(open_trained(finished), drawings[1]).scores
    assert float(row["val_accuracy"]) == pytest.approx(scores.top1)
    assert float(row["accuracy"]) >= float(row["val_accuracy"]) - 0.1
    assert 0.0 < float(row["loss"]) < np.log(7)


def test_a_finished_run_holds_no_features(finished: Path) -> None:
    assert sorted(path.name for path in finished.iterdir()) == ["history.csv", "model.keras", "recipe.json", "svm.json"]


def test_the_model_is_made_of_layers_that_keras_ships(finished: Path) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    model = keras.models.load_model(finished / "model.keras", compile=False, safe_mode=True)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    assert model.layers[-1].name == "logits"
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)


def test_the_model_says_the_same_as_tflite(finished: Path, with_svm: Recipe, drawings: Drawings) -> None:
    from fer_convert.formats import tflite  # noqa: PLC0415 - TensorFlow
    from fer_train import evaluate  # noqa: PLC0415 - Keras

    trained = evaluate.open_trained(finished)
    data = tflite.converted(lambda face: trained.model(face, training=False), with_svm.preprocess.shape)
    runtime = open_runtime([data], "tflite", threads=1)
    preprocess = Preprocess(with_svm.preprocess)
    found = np.concatenate([runtime.infer(preprocess.tensor(image[None]))[0] for image in drawings[1].images[:10]])
    assert np.allclose(found, evaluate.outputs(trained, drawings[1].images[:10]), atol=1e-3)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("wanted", [0.9, 1.1], ids=["projected", "exact"])
def test_layers_say_what_scikit_learn_says(classes: int, wanted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = blobs(classes=classes, spread=6.0)
    model = layered(cloud, monkeypatch, wanted)
    said = np.asarray(model(cloud.others)).argmax(axis=1)
    assert (said == learned(cloud).held_out.said).mean() >= min(wanted, 0.997)


def test_logits_are_those_of_the_formula_and_equal_votes_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_train.svm import fitting, kernel  # noqa: PLC0415 - Keras

    cloud = blobs(classes=7, spread=20.0)
    found = learned(cloud)
    model = layered(cloud, monkeypatch, 1.1)
    form = fitting.compact(found, silent)
    decisions = found.machine.decisions(kernel.rbf(found.held_out.products, found.held_out.squares, found.squares))
    votes = np.sort(kernel._votes(decisions, 7), axis=1)
    assert (votes[:, -1] == votes[:, -2]).sum() >= 3
    assert np.allclose(np.asarray(model(cloud.others)), kernel.logits(decisions, 7, form.temperature), atol=1e-2)


def test_a_killed_run_finds_its_features_again(
    with_svm: Recipe, drawings: Drawings, finished: Path, tmp_path: Path
) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    with pytest.raises(Killed):
        svm.run(with_svm, *drawings, tmp_path, say=kill_at("fitting the support vector machine"))
    said: list[str] = []
    svm.run(with_svm, *drawings, tmp_path, resume=True, say=said.append)
    assert "features of 84 of 84 pictures are on disk" in said
    assert not any(line.startswith("  features of") for line in said)
    assert record(tmp_path) == record(finished)


def test_features_that_were_cut_off_are_completed_as_they_would_have_been(
    with_svm: Recipe, drawings: Drawings, tmp_path: Path
) -> None:
    from fer_train.svm import features  # noqa: PLC0415 - Keras

    trunk = features.trunk(with_svm)
    whole = np.array(features.compute(trunk, drawings[0], with_svm, tmp_path, silent))
    (path,) = tmp_path.glob("features-*.npy")
    path.write_bytes(path.read_bytes()[: -40 * 4 * whole.shape[1] - 3])
    said: list[str] = []
    again = features.compute(trunk, drawings[0], with_svm, tmp_path, said.append)
    assert said[0] == "features of 32 of 84 pictures are on disk"  # a batch of 32 is done as a whole or again
    assert np.array_equal(again, whole)


def test_features_of_other_pictures_are_not_taken(with_svm: Recipe, drawings: Drawings, tmp_path: Path) -> None:
    from fer_train.svm import features  # noqa: PLC0415 - Keras

    trunk = features.trunk(with_svm)
    for part in drawings:
        assert len(features.compute(trunk, part, with_svm, tmp_path, silent)) == len(part)
    assert len(list(tmp_path.glob("features-*.npy"))) == 2


def test_resuming_a_finished_run_changes_nothing(with_svm: Recipe, drawings: Drawings, finished: Path) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    before = (finished / "model.keras").read_bytes()
    result = svm.run(with_svm, *drawings, finished, resume=True, say=silent)
    assert (finished / "model.keras").read_bytes() == before
    assert result.val_accuracy == record(finished)["accuracy"]


def test_a_model_that_does_not_follow_is_kept_with_a_warning(
    with_svm: Recipe, drawings: Drawings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    monkeypatch.setattr(svm, "WANTED", 1.1)
    said: list[str] = []
    svm.run(with_svm, *drawings, tmp_path, say=said.append)
    assert any(line.startswith("WARNING: the model says what scikit-learn says on 100.00% of 28") for line in said)
    assert (tmp_path / "model.keras").exists()


def only(data: Dataset, *classes: int, few: int | None = None) -> Dataset:
    """Pictures of some classes, of the last one perhaps only a few."""
    rows = [np.flatnonzero(data.targets == i) for i in classes]
    return data.subset(np.concatenate([*rows[:-1], rows[-1][:few]]))


def test_pictures_of_one_class_are_refused(with_svm: Recipe, drawings: Drawings, tmp_path: Path) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match="the training pictures have only happy"):
        svm.run(with_svm, only(drawings[0], 3), drawings[1], tmp_path, say=silent)


def test_a_class_of_one_picture_is_refused_by_name(with_svm: Recipe, drawings: Drawings, tmp_path: Path) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match="2 training pictures of every class at least, found too few: surprise 1"):
        svm.run(with_svm, only(drawings[0], 0, 1, 2, 3, 4, 6, 5, few=1), drawings[1], tmp_path, say=silent)


def test_a_missing_scikit_learn_names_the_extra(
    with_svm: Recipe, drawings: Drawings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match=r"needs scikit-learn: pip install 'fer-edge\[train\]'"):
        svm.run(with_svm, *drawings, tmp_path, say=silent)


def test_a_folder_that_holds_a_run_is_refused(with_svm: Recipe, drawings: Drawings, finished: Path) -> None:
    from fer_train.svm import machine as svm  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match="already holds a run; pass --resume"):
        svm.run(with_svm, *drawings, finished, say=silent)
