"""The recipes that ship hold what their reports say, and `list` and `show` tell it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from fer_edge.errors import ExitCode
from fer_edge.labels import AFFECTNET8, FER2013, RAFDB
from fer_train import cli, zoo
from fer_train import recipe as recipes

REPORTS = {"uaslp": "UASLP, 2024", "porto": "Porto, 2021", "buffalo": "Buffalo, 2023", "tmu": "University, 2024",
           "cmu": "Carnegie Mellon University, 2022"}  # fmt: skip
NONE = {"flip": 0.0, "rotate_deg": 0.0, "shift": 0.0, "zoom": 0.0, "brightness": 0.0}
DEALT = {"data.split": "random", "data.validation": 0.1, "data.test": 0.1}
IMAGENET = {
    "preprocess.color": "rgb",
    "preprocess.mean": (0.485, 0.456, 0.406),
    "preprocess.std": (0.229, 0.224, 0.225),
}
UASLP = {"labels": AFFECTNET8, "data.set": "affectnet", **DEALT, "preprocess.size": 48, "preprocess.color": "rgb",
         "preprocess.mean": (0.0,) * 3, "preprocess.std": (1.0,) * 3, "fit.optimizer": "adam", "fit.batch": 64,
         "fit.epochs": 30, "fit.class_weight": "balanced"}  # fmt: skip
PORTO = {"labels": FER2013, "data.set": "fer2013", "data.split": "official", "preprocess.size": 48, "fit.epochs": 150,
         "fit.loss": "crossentropy", "augmentation.flip": 0.5, "augmentation.zoom": 0.1,
         "augmentation.rotate_deg": 12.0}  # fmt: skip
BUFFALO = {"labels": FER2013, "data.set": "fer2013", "data.split": "official", "data.validation": 0.25,
           "preprocess.size": 48, **IMAGENET, "augmentation.flip": 0.8, "augmentation.rotate_deg": 30.0,
           "augmentation.shift": 0.1, "augmentation.brightness": 0.2 / 2, "augmentation.contrast": 0.2,
           "augmentation.saturation": 0.2, "augmentation.hue": 0.1, "fit.batch": 32,
           "fit.class_weight": "root"}  # fmt: skip
"""Brightness is a factor of 0.8 to 1.2 there and a share of the range here: half as much for a mean grey. Weights are
told of and not given."""
CMU = {"labels": AFFECTNET8, "data.set": "affectnet", **DEALT, "preprocess.size": 224, "fit.optimizer": "adam",
       "fit.epochs": 50}  # fmt: skip
SAID: dict[str, dict[str, Any]] = {
    "uaslp-cnn": {**UASLP, "model.architecture": "uaslp_cnn", "fit.learning_rate": 1e-3, "augmentation.flip": 0.5,
                  "augmentation.rotate_deg": 20.0, "augmentation.shift": 0.1, "augmentation.zoom": 0.2,
                  "augmentation.fill": "nearest", "reported.accuracy": 0.65, "reported.macro_f1": 0.61},
    "uaslp-dnn": {**UASLP, "fit.class_weight": "none", "model.architecture": "uaslp_dnn",
                  **{f"augmentation.{key}": 0.0 for key in NONE},
                  "reported.accuracy": 0.29, "reported.macro_f1": 0.14},
    "uaslp-resnet50-svm": {"labels": AFFECTNET8, "data.set": "affectnet", **DEALT, "data.per_class": 1000,
                           "model.architecture": "resnet50_features", "model.weights": "imagenet",
                           "preprocess.size": 128, "svm.c": 1.0, "svm.gamma": "scale", "svm.class_weight": "balanced",
                           "svm.seed": 42, "reported.accuracy": 0.45, "reported.macro_f1": 0.42},
    "porto-cnn8": {**PORTO, "model.architecture": "porto_cnn8", "reported.accuracy": 0.6492, "reported.loss": 0.9407},
    "porto-resnet50": {**PORTO, "model.architecture": "porto_resnet50", "model.weights": "none",
                       "reported.accuracy": 0.6294, "reported.loss": 0.9717},
    "porto-resnet50-imagenet": {**PORTO, "model.architecture": "porto_resnet50", "model.weights": "imagenet",
                                "reported.accuracy": 0.6372, "reported.loss": 0.9715},
    "buffalo-cnn": {**BUFFALO, "model.architecture": "buffalo_cnn", "fit.optimizer": "adam", "fit.learning_rate": 1e-4,
                    "fit.epochs": 30, "fit.stop_patience": 10, "reported.accuracy": 0.539},
    "buffalo-resnet": {**BUFFALO, "model.architecture": "buffalo_resnet", "fit.stop_patience": 10,
                       "reported.accuracy": 0.609},
    "buffalo-googlenet": {**BUFFALO, "model.architecture": "buffalo_googlenet", "fit.optimizer": "adam",
                          "fit.learning_rate": 1e-4, "fit.epochs": 50, "fit.stop_patience": 5,
                          "reported.accuracy": 0.484},
    "buffalo-unet": {**BUFFALO, "model.architecture": "buffalo_unet", "fit.optimizer": "adam",
                     "fit.learning_rate": 1e-3, "fit.epochs": 50, "fit.stop_patience": 10, "reported.accuracy": 0.607},
    "buffalo-newnet": {**BUFFALO, "model.architecture": "buffalo_newnet", "fit.optimizer": "sgd",
                       "fit.learning_rate": 1e-3, "fit.momentum": 0.9, "fit.epochs": 50, "fit.stop_patience": 10,
                       "reported.accuracy": 0.606},
    "buffalo-roglenet": {**BUFFALO, "model.architecture": "buffalo_roglenet", "fit.optimizer": "sgd",
                         "fit.stop_patience": 10, "reported.accuracy": 0.636},
    "tmu-resnet50": {"labels": RAFDB, "data.set": "rafdb", **DEALT, "model.architecture": "tmu_resnet50",
                     "model.weights": "imagenet", "model.frozen": 40, "preprocess.size": 224, "augmentation.flip": 0.5,
                     "augmentation.rotate_deg": 0.2 * 360, "augmentation.zoom": 0.2, "fit.optimizer": "adam",
                     "fit.learning_rate": 1e-4, "fit.batch": 128, "fit.epochs": 50, "fit.schedule": "plateau",
                     "fit.patience": 3, "fit.choose": "val_accuracy", "fit.precision": "mixed_float16",
                     "reported.accuracy": 0.783, "reported.loss": 0.8},
    "cmu-cnn5": {**CMU, "model.architecture": "cmu_cnn5", "fit.learning_rate": 5e-4, "fit.batch": 64,
                 "reported.accuracy": 0.70},
    "cmu-resnet18": {**CMU, **IMAGENET, "model.architecture": "resnet18", "model.weights": "imagenet",
                     "fit.learning_rate": 2e-4, "fit.batch": 32, "reported.accuracy": 0.72},
}  # fmt: skip
"""What the reports say, key by key."""


def value(recipe: recipes.Recipe, key: str) -> Any:
    found: Any = recipe
    for part in key.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize(("name", "said"), SAID.items())
def test_a_recipe_holds_what_its_report_says(name: str, said: dict[str, Any]) -> None:
    recipe = recipes.load(name)
    assert {key: value(recipe, key) for key in said} == said


@pytest.mark.parametrize("name", SAID)
def test_a_recipe_names_its_report(name: str) -> None:
    reported = recipes.load(name).reported
    assert reported is not None
    assert REPORTS[name.partition("-")[0]] in reported.source


def test_there_are_the_fifteen_systems_and_our_own() -> None:
    assert set(recipes.names()) == {*SAID, "fernet-s", "fernet-s-taught", "fernet-xs"}


def test_every_architecture_that_a_recipe_names_exists() -> None:
    assert {recipes.load(name).model.architecture for name in recipes.names()} == zoo.ARCHITECTURES.keys()


def test_one_recipe_is_fitted_without_gradients() -> None:
    assert [name for name in recipes.names() if recipes.load(name).svm] == ["uaslp-resnet50-svm"]


def test_list_is_a_table_with_a_recipe_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == ExitCode.OK
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["RECIPE", "DATA", "INPUT", "EPOCHS", "BATCH", "OPTIMIZER", "REPORTED", "TITLE"]
    assert [row.split()[0] for row in rows] == recipes.names()
    assert {row.index(recipes.load(row.split()[0]).title) for row in rows} == {head.index("TITLE")}
    tmu = next(row for row in rows if row.startswith("tmu-resnet50 "))
    assert tmu.split()[1:12] == ["rafdb,", "7", "classes", "224x224", "bgr", "50", "128", "adam", "0.0001", "78.3%",
                                 "ResNet-50"]  # fmt: skip


def test_list_imports_no_keras() -> None:
    code = "import sys; from fer_train.cli import main; main(['list']); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("name", SAID)
def test_what_show_prints_makes_the_same_recipe(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", name]) == ExitCode.OK
    keys, comments = capsys.readouterr()
    assert recipes.parse(keys, "shown", []) == recipes.load(name)
    recipe = recipes.load(name)
    assert recipe.reported is not None
    assert comments.splitlines()[0] == f"# {recipe.title}"
    assert f"# source: {recipe.reported.source}" in comments.splitlines()
    assert comments.count("# ours: ") == len(recipe.reported.ours)


def test_show_says_what_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["show", "uaslp-cnn"])
    cli.main(["show", "porto-cnn8"])
    comments = capsys.readouterr().err.splitlines()
    assert "# reported: accuracy 65.0%, macro F1 0.61" in comments
    assert "# reported: accuracy 64.9%, loss 0.9407" in comments


def test_show_layers_prints_the_net_layer_by_layer(keras_ready: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "buffalo-cnn", "--layers", "--set", "preprocess.size=16"]) == ExitCode.OK
    head, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["LAYER", "KIND", "OUTPUT", "WEIGHTS", "MACS"]
    assert rows[0] == ["face", "InputLayer", "16", "x", "16", "x", "3", "0", "0"]
    assert rows[1] == ["block1_conv", "Conv2D", "16", "x", "16", "x", "16", "432", "110,592"]
    assert rows[-2] == ["logits", "Dense", "7", "1,799", "1,792"]
    total = 432 + 64 + 4608 + 128 + (512 * 256 + 256) + 1024 + 1799
    assert rows[-1] == ["buffalo_cnn", "all", f"{total:,}", f"{110_592 + 64 * 4608 + 512 * 256 + 1792:,}"]


def test_show_layers_of_an_input_too_small_is_a_usage_error(
    keras_ready: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["show", "uaslp-cnn", "--layers", "--set", "preprocess.size=32"]) == ExitCode.USAGE
    assert "architecture uaslp_cnn for input (32, 32, 3): " in capsys.readouterr().err.splitlines()[-1]
