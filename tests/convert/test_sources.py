"""Models of every kind are taken apart and keep the accuracy they had; strangers' files are read apart from us."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from convert import tiny_source
from convert.conftest import Converted
from fer_convert import again, cli, frameworks
from fer_convert.sources import apart, reading
from fer_convert.sources.reading import ModelRefused, Wanted
from fer_edge.errors import UsageError
from fer_edge.labels import FER2013
from fer_edge.preprocess import Preprocess
from fer_train import data as datasets
from fer_train.backend import hushed

FLAGS = ["--labels", ",".join(FER2013), "--preprocess", f"color=gray,size=48,mean={tiny_source.MEAN!r},std=0.25"]


def as_keras_2(data: Path, folder: Path) -> Path:
    """A net of tf_keras with the layers of its day, trained for seconds, in the legacy file format."""
    tf_keras: Any = frameworks.tf_keras()
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    with hushed():
        net = tf_keras.Sequential(
            [
                layers.Input((48, 48, 1)),
                layers.SeparableConv2D(8, 3, strides=2, padding="same", use_bias=False),
                layers.BatchNormalization(momentum=0.9),
                layers.Activation("relu"),
                layers.SeparableConv2D(16, 3, strides=2, padding="same"),
                layers.BatchNormalization(momentum=0.9),
                layers.Activation("relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(7, activation="softmax"),
            ]
        )
        net.compile(tf_keras.optimizers.legacy.Adam(0.01), "sparse_categorical_crossentropy")
        pictures = datasets.load(str(data), FER2013, tiny_source.SPEC, "train")
        net.fit(Preprocess(tiny_source.SPEC).tensor(pictures.images), pictures.targets, epochs=15, verbose=0)
        net.save(folder / "net.hdf5", save_format="h5")
    return folder / "net.hdf5"


def as_saved_model(run: Path, folder: Path) -> Path:
    with hushed():
        keras.models.load_model(run / "model.keras", compile=False).export(folder / "saved", verbose=False)
    return folder / "saved"


def as_onnx(run: Path, folder: Path) -> Path:
    from fer_convert.graph import onnx_graph  # noqa: PLC0415 - heavy

    net = keras.models.load_model(run / "model.keras", compile=False)
    model = onnx_graph.from_function(lambda face: net(face, training=False), (1, 48, 48, 1))
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize("make", [as_saved_model, as_onnx])
def test_a_foreign_model_keeps_its_accuracy(make: Any, run: Path, data: Path, tmp_path: Path) -> None:
    model, result = make(run, tmp_path), tmp_path / "result.json"
    flags = [*FLAGS, "--precision", "float32", "--evaluate", str(data), "--json", str(result)]
    assert cli.main([str(model), *flags, "--out", str(tmp_path / "out")]) == 0
    found = json.loads(result.read_text(encoding="utf-8"))
    assert found["source"]["top1"] > 0.95
    assert {f"{row['format']}: {row['agreement']}" for row in found["rows"]} == {
        "tflite: 1.0", "onnx: 1.0", "openvino: 1.0",
    }  # fmt: skip
    asked = again.read(tmp_path / "out" / "conversion.json").recipe.asked()
    assert (asked["labels"], asked["preprocess"], asked["precisions"]) == (FER2013, tiny_source.SPEC, ("float32",))


def test_a_net_of_keras_2_is_read_and_converted(data: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    flags = [*FLAGS, "--precision", "float32", "--evaluate", str(data), "--json", str(result)]
    assert cli.main([str(as_keras_2(data, tmp_path)), *flags, "--out", str(tmp_path / "out")]) == 0
    found = json.loads(result.read_text(encoding="utf-8"))
    assert found["source"]["top1"] > 0.6
    assert [row["agreement"] for row in found["rows"]] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_an_artifact_of_ours_says_itself_what_it_is(
    converted: Converted, data: Path, tmp_path: Path, suffix: str
) -> None:
    alone = tmp_path / f"alone.{suffix}"
    shutil.copyfile(converted.bundle / f"tiny.float32.{suffix}", alone)
    flags = ["--calibrate", str(data), "--to", "tflite,onnx", "--out", str(tmp_path / "out")]
    assert cli.main([str(alone), *flags]) == 0
    manifest = json.loads((tmp_path / "out" / "bundle.json").read_text(encoding="utf-8"))
    original = json.loads((converted.bundle / "bundle.json").read_text(encoding="utf-8"))
    assert (manifest["labels"], manifest["preprocess"]) == (original["labels"], original["preprocess"])
    assert manifest["artifacts"][0]["quality"]["agreement"] == 1.0


def wanted(file: Path, kind: Any, labels: tuple[str, ...] = FER2013) -> Wanted:
    return Wanted(file, kind, tiny_source.SPEC, labels, from_flags=True)


NOBODY = np.zeros((1, 48, 48), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["keras", "h5", "onnx", "tflite"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04rubbish", b"\x89HDF\r\n\x1a\nrubbish"])
def test_rubbish_is_refused_in_a_sentence(tmp_path: Path, kind: Any, content: bytes) -> None:
    file = tmp_path / "model"
    file.write_bytes(content)
    with pytest.raises(ModelRefused) as caught:
        reading.take(wanted(file, kind), NOBODY)
    assert str(caught.value).startswith(f"{file} ")
    assert "\n" not in str(caught.value)


def test_an_empty_folder_that_says_it_is_a_saved_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelRefused, match=r"is not a SavedModel that can be loaded|has no signature"):
        reading.take(wanted(tmp_path, "savedmodel"), NOBODY)


def test_byte_code_in_an_old_file_is_not_run(tmp_path: Path) -> None:
    tf_keras: Any = frameworks.tf_keras()
    with hushed():
        layers = tf_keras.layers
        net = tf_keras.Sequential(
            [layers.Input((48, 48, 1)), layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(7)]
        )
        net.save(tmp_path / "net.h5", save_format="h5")
    with pytest.raises(ModelRefused, match="has a Lambda layer, whose code would run here"):
        reading.take(wanted(tmp_path / "net.h5", "h5"), NOBODY)


def test_weights_without_a_model_are_refused(tmp_path: Path) -> None:
    tf_keras: Any = frameworks.tf_keras()
    with hushed():
        net = tf_keras.Sequential(
            [tf_keras.layers.Input((48, 48, 1)), tf_keras.layers.Flatten(), tf_keras.layers.Dense(7)]
        )
        net.save_weights(tmp_path / "net.h5", save_format="h5")
    with pytest.raises(ModelRefused, match="holds weights without a model"):
        reading.take(wanted(tmp_path / "net.h5", "h5"), NOBODY)


@pytest.mark.parametrize(("format_", "kind"), [("onnx", "onnx"), ("tflite", "tflite")])
def test_a_model_that_is_quantized_already_is_refused(converted: Converted, format_: str, kind: Any) -> None:
    with pytest.raises(ModelRefused, match=r"the float(32)? model it was made from"):
        reading.take(wanted(converted.bundle / f"tiny.int8.{format_}", kind), NOBODY)


def test_a_stranger_is_told_of_as_if_it_were_read_here(converted: Converted) -> None:
    six = wanted(converted.bundle / "tiny.float32.onnx", "onnx", FER2013[:6])
    with pytest.raises(UsageError, match=r"gives \(7,\) values, but there are 6 labels"):
        apart.take_apart(six, NOBODY)


def test_a_reader_that_takes_too_long_is_ended(converted: Converted) -> None:
    with pytest.raises(ModelRefused, match=r"was not read within 0\.1 s"):
        apart.take_apart(wanted(converted.bundle / "tiny.float32.onnx", "onnx"), NOBODY, time_s=0.1)


def test_a_reader_that_takes_too_much_memory_is_ended(converted: Converted) -> None:
    with pytest.raises(ModelRefused, match="cannot be read: its reader"):
        apart.take_apart(wanted(converted.bundle / "tiny.float32.onnx", "onnx"), NOBODY, memory_bytes=200 * 1024**2)
