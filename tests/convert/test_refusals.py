"""What cannot be converted is refused in one sentence, with its exit code, and leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from convert import tiny_source
from convert.conftest import refused
from fer_convert import cli, frameworks
from fer_edge.bundle import Bundle
from fer_edge.labels import FER2013

FLAGS = ["--preprocess", "color=gray,size=48,range=-1..1"]


@pytest.fixture
def bare(run: Path, tmp_path: Path) -> Path:
    """The run's model without its recipe, alone in a folder."""
    folder = tmp_path / "bare"
    folder.mkdir()
    return Path(shutil.copyfile(run / "model.keras", folder / "net.keras"))


@pytest.mark.parametrize("labels", [FER2013[:6], (*FER2013, "contempt")])
def test_labels_that_are_not_as_many_as_outputs(
    bare: Path, data: Path, out: Path, labels: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    judged = Path(shutil.copytree(data / "test", out.parent / "judged"))
    for label in set(FER2013) - set(labels):
        shutil.rmtree(judged / label)
    for label in set(labels) - set(FER2013):
        shutil.copytree(judged / "sad", judged / label)
    flags = ["--labels", ",".join(labels), *FLAGS, "--precision", "float32"]
    sentence = refused(capsys, 2, bare, *flags, "--evaluate", judged, "--out", out)
    assert f"gives (7,) values, but there are {len(labels)} labels" in sentence


def test_a_recipe_that_does_not_fit_its_model(
    run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, out.parent / "run"))
    spec = tiny_source.SPEC.model_copy(update={"size": 64})
    (folder / "recipe.json").write_text(tiny_source.recipe(spec).model_dump_json(), encoding="utf-8")
    sentence = refused(capsys, 78, folder, "--calibrate", data, "--out", out)
    assert "takes (None, 48, 48, 1), but the preprocessing makes (1, 64, 64, 1)" in sentence


def test_a_recipe_with_a_mistake(run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(run, out.parent / "run"))
    text = (folder / "recipe.json").read_text(encoding="utf-8").replace('"gray"', '"grau"')
    (folder / "recipe.json").write_text(text, encoding="utf-8")
    assert "preprocess.color" in refused(capsys, 78, folder, "--calibrate", data, "--out", out)


def test_a_model_with_two_inputs(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right = keras.Input((48, 48, 1)), keras.Input((48, 48, 1))
    joined = keras.layers.Flatten()(keras.layers.Add()([left, right]))
    model = keras.Model([left, right], keras.layers.Dense(7)(joined))
    folder = tiny_source.write_run(out.parent / "run", model)
    assert "has 2 inputs; an expression model has one" in refused(capsys, 78, folder, "--calibrate", data, "--out", out)


def sized(inputs: Any, outputs: Any, folder: Path) -> Path:
    folder.mkdir()
    keras.Model(inputs, outputs).save(folder / "net.keras")
    return folder / "net.keras"


def test_a_model_with_three_outputs(data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    face = keras.Input((48, 48, 1))
    heads = [keras.layers.Dense(7)(keras.layers.Flatten()(face)) for _ in range(3)]
    model = sized(face, heads, tmp_path / "three")
    flags = [
        "--labels",
        ",".join(FER2013),
        *FLAGS,
        "--precision",
        "float32",
        "--evaluate",
        str(data),
        "--out",
        str(out),
    ]
    assert "has 3 outputs; an expression model has one" in refused(capsys, 78, model, *flags)


def test_a_model_of_any_size_is_fixed_to_the_size_that_is_said(
    run: Path, data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_source.network(size=None)
    model.set_weights(keras.models.load_model(run / "model.keras").get_weights())
    model.save(tmp_path / "any.keras")
    preprocess = f"color=gray,size=48,mean={tiny_source.MEAN!r},std=0.25"
    flags = ["--labels", ",".join(FER2013), "--preprocess", preprocess, "--precision", "float32", "--evaluate", data]
    assert cli.main([str(each) for each in (tmp_path / "any.keras", *flags, "--out", out)]) == 0, capsys.readouterr()
    assert [each.input.shape for each in Bundle.open(out).manifest.artifacts] == [(1, 48, 48, 1)] * 3


def test_a_damaged_model_file(bare: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare.write_bytes(bare.read_bytes()[:5000])
    sentence = refused(capsys, 78, bare, "--labels", ",".join(FER2013), *FLAGS, "--calibrate", data, "--out", out)
    assert "net.keras is not a Keras model that can be loaded" in sentence


def test_a_model_whose_outputs_are_not_numbers(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_source.network()
    weights = model.get_weights()
    weights[-1][:] = float("nan")
    model.set_weights(weights)
    folder = tiny_source.write_run(out.parent / "run", model)
    assert "gives NaN or infinity" in refused(capsys, 78, folder, "--calibrate", data, "--out", out)


def test_a_model_that_does_not_exist(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no model nowhere" in refused(capsys, 69, "nowhere", "--calibrate", data, "--out", out)


def test_a_run_that_has_not_ended(data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not a finished run" in refused(capsys, 69, tmp_path, "--calibrate", data, "--out", out)


def test_a_model_of_another_kind(data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "net.pt"
    other.write_bytes(b"...")
    assert "neither a run folder, a SavedModel folder, nor one of .keras, .h5" in refused(
        capsys, 2, other, "--calibrate", data, "--out", out
    )


def test_a_bare_model_without_labels(bare: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--labels a,b,c --preprocess" in refused(capsys, 2, bare, *FLAGS, "--calibrate", data, "--out", out)


def test_labels_beside_a_recipe(run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = refused(capsys, 2, run, "--labels", "happy,sad", "--calibrate", data, "--out", out)
    assert "for a model without a recipe" in sentence


def test_data_that_does_not_exist(run: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "/nowhere does not exist" in refused(capsys, 69, run, "--calibrate", "/nowhere", "--out", out)


def test_too_few_pictures_to_calibrate_with(
    run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = refused(capsys, 69, run, "--calibrate", data / "test", "--evaluate", data, "--out", out)
    assert "has 140 pictures to calibrate with, at least 300" in sentence


def test_too_few_pictures_to_judge_by(run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = out.parent / "few"
    for label in FER2013:
        (few / label).mkdir(parents=True)
        shutil.copyfile(data / "test" / label / "5000.png", few / label / "5000.png")
    sentence = refused(capsys, 69, run, "--calibrate", data, "--evaluate", few, "--out", out)
    assert "has 7 pictures to judge by, at least 100" in sentence


def test_blank_pictures_to_calibrate_with(
    run: Path, data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = tmp_path / "blank"
    shutil.copytree(data, blank)
    for path in (blank / "train").glob("*/*.png"):
        cv2.imwrite(str(path), np.full((48, 48), 90, dtype=np.uint8))
    sentence = refused(capsys, 69, run, "--calibrate", blank, "--out", out)
    assert f"308 of 308 pictures of {blank} to calibrate with are blank, of one colour" in sentence


def test_calibration_pictures_of_one_class(
    run: Path, data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one"
    shutil.copytree(data, one)
    for folder in (one / "train").iterdir():
        if folder.name != "happy":
            shutil.rmtree(folder)
    sentence = refused(capsys, 2, run, "--calibrate", one, "--evaluate", data, "--out", out)
    assert "does not fit the labels" in sentence


def test_asking_to_calibrate_with_too_few(run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = refused(capsys, 2, run, "--calibrate", data, "--calibration-n", "299", "--out", out)
    assert "--calibration-n 299 is too few, 300 is the least" in sentence


def test_int8_without_calibration_pictures(
    run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--calibrate DATA" in refused(capsys, 2, run, "--evaluate", data, "--out", out)


def test_training_pictures_do_not_judge(run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = refused(capsys, 2, run, "--calibrate", data / "train", "--out", out)
    assert "no test split" in sentence


def test_a_class_that_the_model_does_not_know(
    run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = Path(shutil.copytree(data, out.parent / "data"))
    shutil.copytree(more / "test" / "sad", more / "test" / "contempt")
    sentence = refused(capsys, 2, run, "--calibrate", more, "--out", out)
    assert "it has contempt, which is not among them" in sentence


def test_without_tensorflow_the_extra_is_named(
    run: Path, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frameworks, "_installed", lambda name: name != "tensorflow")
    sentence = refused(capsys, 69, run, "--calibrate", data, "--out", out)
    assert "needs tensorflow, not installed here: pip install 'fer-edge[convert]'" in sentence


def test_another_backend_of_keras_is_refused(
    run: Path, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert "found it on torch" in refused(capsys, 69, run, "--calibrate", data, "--out", out)


def test_help_needs_no_library() -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'numpy', 'cv2', 'pydantic']))\n"
        "from fer_convert.cli import main; main(['--help'])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "--calibrate" in ended.stdout
