"""What a net starts from: Keras' own files, ImageNet through Keras' loader, and one sentence for what does not fit."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer_edge.errors import FerEdgeError, InputError, RuntimeUnavailable, UsageError
from fer_edge.preprocess import Preprocess
from fer_train import recipe as recipes
from fer_train import zoo
from fer_train.recipe import Model
from fer_train.zoo.pretrained import start

SIDE, WIDTH = 64, 4
SMALL = {"blocks": [1, 1, 1, 2], "width": WIDTH}


def small(classes: int = 7, **arguments: object) -> Any:
    """A ResNet of basic blocks, a few channels wide."""
    return zoo.build("resnet18", (SIDE, SIDE, 3), classes, {**SMALL, **arguments})


def give(model: Any, weights: object) -> None:
    start(model, Model(architecture=model.name, weights=str(weights)))


def kernels(model: Any) -> dict[str, Any]:
    """Every weight by layer."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def unequal(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Layers of one net whose weights are others in the other net."""
    return [name for name, values in theirs.items() if not all(map(np.array_equal, values, ours[name]))]


def sentence(error: pytest.ExceptionInfo[FerEdgeError]) -> str:
    """The message, which has to be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


def randomised(model: Any) -> Any:
    """No weight is left at the value that every new net has."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in model.get_weights()])
    return model


def test_none_draws_anew_and_reads_nothing() -> None:
    model = small()
    before = kernels(model)
    give(model, "none")
    assert all(map(np.array_equal, before["conv1"], kernels(model)["conv1"]))


@pytest.mark.parametrize(
    ("variant", "kernel"), [("keras", "conv2_block2_1_conv"), ("torch", "layer1_1_conv1")], ids=["keras", "torch"]
)
def test_a_bottleneck_block_begins_as_its_skip_alone(variant: str, kernel: str) -> None:
    model = zoo.build("porto_resnet50", (32, 32, 3), 7, {"variant": variant})
    faces = np.random.default_rng(2).normal(size=(2, 32, 32, 3)).astype(np.float32)
    before = model(faces, training=True)
    layer = model.get_layer(kernel)
    layer.set_weights([3.0 * value + 1.0 for value in layer.get_weights()])
    assert np.abs(before).max() > 0.0
    assert np.array_equal(before, model(faces, training=True))


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_a_run_of_other_labels_gives_its_trunk_and_not_its_head(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    other, model = randomised(small(classes=8)), small()
    (other.save_weights if suffix == ".weights.h5" else other.save)(path)
    head = kernels(model)["logits"]
    give(model, path)
    assert unequal(kernels(other), kernels(model)) == ["logits"]
    assert all(map(np.array_equal, head, kernels(model)["logits"]))


def test_a_net_without_a_trunk_takes_all_but_the_last_layer(tmp_path: Path) -> None:
    first, second = (zoo.build("buffalo_cnn", (16, 16, 3), 7, {}) for _ in range(2))
    randomised(first).save(tmp_path / "first.keras")
    give(second, tmp_path / "first.keras")
    assert unequal(kernels(first), kernels(second)) == ["logits"]


@pytest.fixture(scope="module")
def applications() -> Any:
    """Keras' ResNet-50 without its top, with weights of our own."""
    return randomised(keras.applications.ResNet50(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)))


def test_the_applications_h5_without_the_top_fits_resnet_50(applications: Any, tmp_path: Path) -> None:
    path = tmp_path / "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    _write_as_published(applications, path)
    model = zoo.build("porto_resnet50", (48, 48, 3), 7, {})
    give(model, path)
    assert unequal(kernels(applications), kernels(model)) == []
    assert kernels(model).keys() - kernels(applications).keys() == {"logits"}


def _write_as_published(model: Any, path: Path) -> None:
    """The layout of the files that Keras Applications publishes: a group per layer, its weights listed by name."""
    with importlib.import_module("h5py").File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)


def test_imagenet_goes_through_keras_own_loader_into_the_trunk(
    applications: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def loader(**arguments: object) -> Any:
        asked.update(arguments)
        return applications

    model = zoo.build("tmu_resnet50", (SIDE, SIDE, 3), 7, {})
    monkeypatch.setattr(keras.applications, "ResNet50", loader)
    give(model, "imagenet")
    assert asked == {"include_top": False, "weights": "imagenet", "input_shape": (SIDE, SIDE, 3)}
    assert unequal(kernels(applications), kernels(model)) == []


def test_imagenet_without_a_network_says_where_a_file_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", no_network)
    with pytest.raises(RuntimeUnavailable) as error:
        give(zoo.build("porto_resnet50", (48, 48, 3), 7, {}), "imagenet")
    assert sentence(error) == (
        "the ImageNet weights of ResNet-50 cannot be fetched (Network is unreachable): put "
        f"resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 into {tmp_path}/models, or give a file with "
        "--weights PATH"
    )
    assert capfd.readouterr().out == ""


def test_keras_has_no_imagenet_weights_for_resnet_18_and_the_files_that_fit_are_named() -> None:
    with pytest.raises(
        RuntimeUnavailable, match=r"Keras publishes no ImageNet weights for resnet18 .*FILE.safetensors"
    ):
        give(small(), "imagenet")


def test_a_net_that_nobody_trained_on_imagenet_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"cmu_cnn5 has no ImageNet weights: those are published for ResNet-18 and"):
        give(zoo.build("cmu_cnn5", (32, 32, 3), 8, {}), "imagenet")


def test_imagenet_weights_for_grey_pictures_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"three colour channels, the net's input is \(64, 64, 1\)"):
        give(zoo.build("resnet18", (SIDE, SIDE, 1), 7, SMALL), "imagenet")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no weights file .*gone.h5"):
        give(small(), tmp_path / "gone.h5")


def test_a_file_of_another_kind_is_answered_with_those_that_fit(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(UsageError, match=r"read from \.weights\.h5, \.keras, \.h5, \.safetensors, and .*weights\.pth"):
        give(small(), tmp_path / "weights.pth")


@pytest.mark.parametrize("name", ["torn.keras", "torn.weights.h5", "torn.h5"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InputError) as error:
        give(small(), tmp_path / name)
    assert f"{name} does not fit resnet18: " in sentence(error)


def test_a_file_of_a_wider_net_is_refused_with_layer_and_shapes(tmp_path: Path) -> None:
    small(width=6).save_weights(tmp_path / "wider.weights.h5")
    with pytest.raises(InputError) as error:
        give(small(), tmp_path / "wider.weights.h5")
    assert sentence(error).endswith(
        "does not fit resnet18: layer conv1 has the shape (7, 7, 3, 4), in the file it is (7, 7, 3, 6)"
    )


def test_a_file_of_a_shallower_net_is_refused_with_the_layer(tmp_path: Path) -> None:
    small(blocks=[1, 1, 1, 1]).save(tmp_path / "shallow.keras")
    with pytest.raises(InputError) as error:
        give(small(), tmp_path / "shallow.keras")
    assert "'layer4_1_conv1' expected 1 variables, but received 0" in sentence(error)


def test_caffe_preprocessing_in_a_recipe_is_keras_own() -> None:
    spec = recipes.load("tmu-resnet50").preprocess
    assert spec == recipes.load("uaslp-resnet50-svm").preprocess.model_copy(update={"size": spec.size})
    picture = np.random.default_rng(0).integers(0, 256, (spec.size, spec.size, 3), dtype=np.uint8)  # blue, green, red
    expected = keras.applications.resnet50.preprocess_input(picture[None, ..., ::-1].astype(np.float32))
    np.testing.assert_allclose(Preprocess(spec)(picture), expected, atol=2e-5)
