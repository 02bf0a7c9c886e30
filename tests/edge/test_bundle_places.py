"""Where bundles are found, by path and by name, and which artifact is picked from one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from fer_edge import bundle as bundle_module
from fer_edge.bundle import DEFAULT, Bundle, available, locate, model_folders
from fer_edge.errors import InputError, UsageError
from support.tiny import read_manifest, tiny_bundle, write_manifest


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path)


# --- names


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundles that is looked through, and an empty home."""
    monkeypatch.setenv("FER_EDGE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "models"


def test_a_bundle_is_found_by_its_name(models: Path) -> None:
    path = tiny_bundle(models, name="mine")
    assert locate("mine") == path


def test_a_zipped_bundle_is_found_by_its_name(models: Path) -> None:
    folder = tiny_bundle(models, name="mine")
    path = shutil.make_archive(str(folder), "zip", folder)
    shutil.rmtree(folder)
    assert locate("mine") == Path(path)
    assert Bundle.open("mine").manifest.name == "mine"


def test_an_unknown_name_lists_the_known_ones(models: Path) -> None:
    tiny_bundle(models, name="one")
    tiny_bundle(models, name="two")
    with pytest.raises(InputError, match=r"there is no bundle 'three': not a path, .*known names \(.*one, two"):
        Bundle.open("three")


def test_the_users_folder_comes_before_the_shipped_bundles(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tiny_bundle(tmp_path / "package", name=DEFAULT)
    monkeypatch.setattr(bundle_module, "shipped", lambda: shipped.parent)
    assert locate("default") == shipped
    own = tiny_bundle(models, name=DEFAULT)
    assert locate("default") == own


def test_a_path_wins_over_a_name(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_bundle(models, name="mine")
    monkeypatch.chdir(tmp_path)
    here = tiny_bundle(tmp_path, name="mine")
    assert locate("mine").resolve() == here.resolve()


def test_several_model_folders_are_taken_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    monkeypatch.setenv("FER_EDGE_MODELS", f"{first}{os.pathsep}{second}")
    assert model_folders()[:2] == [first, second]


def test_a_folder_without_a_manifest_is_not_offered(models: Path) -> None:
    (models / "rubbish").mkdir(parents=True)
    assert "rubbish" not in {entry.name for entry in available()}


# --- picking an artifact


def test_the_lightest_precision_is_picked_by_itself(tiny: Path) -> None:
    assert Bundle.open(tiny).pick().precision == "int8"


def test_a_precision_can_be_asked_for(tiny: Path) -> None:
    assert Bundle.open(tiny).pick(precision="float32").id == "tflite/float32"


def test_the_format_that_comes_first_is_preferred(tmp_path: Path) -> None:
    opened = Bundle.open(with_copy_as_onnx(tiny_bundle(tmp_path)))
    assert opened.pick().format == "tflite"
    assert opened.pick(("onnx", "tflite")).format == "onnx"


def with_copy_as_onnx(path: Path) -> Path:
    """Claims one artifact in a second format; enough for picking, which reads no model."""
    data = read_manifest(path)
    data["artifacts"].append(json.loads(json.dumps(data["artifacts"][0])) | {"format": "onnx"})
    write_manifest(path, data)
    return path


def test_what_a_bundle_lacks_is_said_with_what_it_has(tiny: Path) -> None:
    sentence = "bundle tiny has no tflite/onnx/openvino artifact in float16, only tflite/float32, tflite/int8"
    with pytest.raises(UsageError, match=sentence):
        Bundle.open(tiny).pick(precision="float16")
