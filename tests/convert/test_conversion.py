"""A trained model becomes a bundle that keeps what its manifest says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import tiny_source
from convert.conftest import Converted
from fer_convert import cli, formats, verify
from fer_convert.graph.onnx_graph import weighted
from fer_convert.options import Job
from fer_convert.pictures import pinned
from fer_convert.quantize.calibration import Calibration, Plan
from fer_convert.sources import description, reading
from fer_edge.bundle import Bundle
from fer_edge.classifier import Classifier, open_classifier
from fer_edge.errors import BundleRefused
from fer_edge.labels import FER2013
from fer_edge.preprocess import CropContract, Preprocess, PreprocessSpec
from fer_edge.runtimes import Runtime, open_runtime
from fer_train.backend import hushed
from fer_train.crop import CropFile, Fitted, write
from support.shapes import shape
from support.sources import source_of
from support.tiny import read_manifest, write_manifest

PIXELS = np.arange(256, dtype=np.uint8)


def ramp() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A 48 x 48 picture with every pixel value."""
    return np.resize(PIXELS, (48, 48))


@pytest.mark.parametrize("format_", ["tflite", "onnx", "openvino"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_every_artifact_proves_itself_and_reads_a_picture_right(
    converted: Converted, format_: str, precision: str
) -> None:
    classifier = open_classifier(Bundle.open(converted.bundle), format_=format_, precision=precision)
    assert classifier.runtime.effective_precision == precision
    found = classifier.probabilities([shape("happy", 9000), shape("sad", 9001)])
    assert [FER2013[i] for i in found.argmax(axis=1)] == ["happy", "sad"]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_both_ends_are_of_the_precision_with_a_batch_of_one(converted: Converted, precision: str) -> None:
    artifact = Bundle.open(converted.bundle).pick(precision=precision)
    assert (artifact.input.dtype, artifact.input.shape) == (precision, (1, 48, 48, 1))
    assert (artifact.output.dtype, artifact.output.shape) == (precision, (1, 7))


def test_files_are_named_after_bundle_and_precision(converted: Converted) -> None:
    parts = [f"tiny.{kind}.{part}" for kind in ("float32", "int8") for part in ("bin", "onnx", "tflite", "xml")]
    names = sorted(path.name for path in converted.bundle.iterdir())
    assert names == ["CARD.md", "bundle.json", "conversion.json", *parts]


def test_int8_weights_have_a_scale_per_channel(converted: Converted) -> None:
    interpreter = Interpreter(model_path=str(converted.bundle / "tiny.int8.tflite"))
    interpreter.allocate_tensors()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    kernels = [op["inputs"][1] for op in interpreter._get_ops_details() if op["op_name"] == "CONV_2D"]
    scales = [len(details[int(index)]["quantization_parameters"]["scales"]) for index in kernels]
    assert scales == list(tiny_source.FILTERS)


def test_the_int8_input_stores_the_pixel_less_128(converted: Converted) -> None:
    tensor = Bundle.open(converted.bundle).pick(precision="int8").input.spec
    stored = Preprocess(tiny_source.SPEC, tensor).tensor(ramp()[None])[0, :, :, 0]
    assert (stored.astype(int) == ramp().astype(int) - 128).all()


def int8_input(spec: PreprocessSpec, faces: np.ndarray[Any, np.dtype[np.uint8]]) -> Runtime:
    source = source_of(tiny_source.network(), spec, faces)
    files = formats.make(source, "tflite", "int8", Calibration(Preprocess(spec).tensor(pinned(faces))))
    with hushed():
        return open_runtime(list(files.values()), "tflite")


def test_a_mean_between_two_pixels_costs_half_a_step_and_one_grey() -> None:
    spec = PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,))
    tensor = int8_input(spec, tiny_source.drawings(range(3))[0]).input
    stored = Preprocess(spec, tensor).tensor(ramp()[None])[0, :, :, 0].astype(int)
    step = 1 / 255 / 0.25
    real = (stored - tensor.zero_point) * tensor.scale
    assert np.abs(real - (ramp() / 255 - 0.5) / 0.25).max() <= step / 2 + 1e-5
    assert verify.input_levels(spec, tensor) == 255


@pytest.mark.parametrize("format_", ["tflite", "onnx", "openvino"])
@pytest.mark.parametrize("place", [1, -1])
def test_a_layer_that_is_to_stay_in_float_stays_so(format_: Any, place: int) -> None:
    layers = keras.layers
    x = inputs = keras.Input((48, 48, 1), name="face")
    for filters in (12, 24):
        x = layers.Conv2D(filters, 3, strides=4, activation="relu", bias_initializer="ones")(x)
    net = keras.Model(inputs, layers.Dense(7, bias_initializer="ones")(layers.Flatten()(x)))
    faces = tiny_source.drawings(range(3))[0]
    source = source_of(net, tiny_source.SPEC, faces)
    calibration = Calibration(Preprocess(tiny_source.SPEC).tensor(pinned(faces)))
    plans = Plan(), Plan(float_layers=frozenset({weighted(source.graph)[place].name}))
    plain, kept = (formats.make(source, format_, "int8", calibration, plan) for plan in plans)
    part = "bin" if format_ == "openvino" else format_  # the graph itself gets shorter, with fewer nodes that round
    assert len(kept[part]) - len(plain[part]) > 2 * {1: 12 * 24 * 9, -1: 4 * 24 * 7}[place]
    with hushed():
        assert open_runtime(list(kept.values()), format_).effective_precision == "float32+int8"


def test_dull_calibration_pictures_do_not_narrow_the_input() -> None:
    faces = np.clip(tiny_source.drawings(range(3))[0], 100, 150).astype(np.uint8)
    tensor = int8_input(tiny_source.SPEC, faces).input
    assert tensor.scale == pytest.approx(1 / 255 / 0.25, rel=1e-5)
    assert verify.input_levels(tiny_source.SPEC, tensor) == 256


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "p50_ms"} for row in rows]


def output_errors(conversion: dict[str, Any]) -> list[float]:
    """Taken out: differences of single floats, which the source's own framework sums in another order each time."""
    return [row.pop("output_error") for row in conversion["rows"]]


def told_by_a_process(run: Path, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The command as a user starts it: in a process of its own, whose layers are numbered from the start."""
    program = "import sys; from fer_convert.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(run), "--out", str(out), "--calibrate", str(data), "--json", "-"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended


def test_a_second_process_makes_the_same_bytes_and_prints_nothing_else(run: Path, data: Path, tmp_path: Path) -> None:
    once, again = tmp_path / "once", tmp_path / "again"
    told_by_a_process(run, data, once)
    ended = told_by_a_process(run, data, again)
    for path in once.iterdir():
        if path.name != "conversion.json":
            assert (again / path.name).read_bytes() == path.read_bytes(), path.name
    told, before = (json.loads((each / "conversion.json").read_text(encoding="utf-8")) for each in (again, once))
    errors = output_errors(told)
    assert errors == pytest.approx(output_errors(before), rel=1e-3, abs=1e-5)
    assert told == before
    rows = json.loads(ended.stdout)["rows"]
    assert [row.pop("output_error") for row in rows] == errors
    assert untimed(rows) == untimed(before["rows"])
    talk, _, table = ended.stderr.partition("tiny on 140 pictures of shapes:\n")
    assert table.rstrip().splitlines()[-1].startswith(f"written: {again}")
    assert all(line.startswith("fer-convert: ") for line in talk.splitlines())


def test_manifest_and_result_tell_the_same_figures(converted: Converted) -> None:
    artifacts = {artifact.id: artifact for artifact in Bundle.open(converted.bundle).manifest.artifacts}
    assert len(artifacts) == len(converted.result["rows"]) == 6
    for row in converted.result["rows"]:
        artifact = artifacts[f"{row['format']}/{row['precision']}"]
        quality = artifact.quality
        assert quality is not None
        assert (row["n"], row["top1"], row["ece"]) == (140, quality.top1, quality.ece)
        assert (row["drop_pp"], row["agreement"]) == (quality.drop_pp, quality.agreement)
        assert row["recall"] == quality.recall
        assert row["size_bytes"] == artifact.size_bytes


def test_the_figures_are_those_of_the_written_file(converted: Converted) -> None:
    classifier = open_classifier(Bundle.open(converted.bundle), precision="int8")
    crops, targets = tiny_source.drawings(range(5000, 5000 + tiny_source.TEST_EACH))
    quality = classifier.artifact.quality
    assert quality is not None
    assert quality.top1 == (classifier.outputs(crops).argmax(axis=1) == targets).mean()


def test_provenance_names_source_data_and_tools(converted: Converted) -> None:
    origin = Bundle.open(converted.bundle).manifest.provenance
    assert (origin.recipe, origin.calibration_n) == ("tiny", 7 * tiny_source.TRAIN_EACH)
    assert {"tensorflow", "keras", "litert", "numpy", "fer-edge"} <= origin.tools.keys()
    assert len(origin.source_sha256) == len(origin.calibration_data) == len(origin.training_data) == 64


def test_the_card_of_the_run_travels(converted: Converted) -> None:
    card = Bundle.open(converted.bundle).manifest.card
    assert card.summary == "Tells seven drawn shapes apart"
    assert (card.intended_use, card.data_terms) == ("Telling drawings apart.", "Drawn by the tests.")
    assert card.limits == "- It has never seen a face."
    assert (converted.bundle / "CARD.md").read_text(encoding="utf-8") == tiny_source.CARD


def test_no_folder_of_this_machine_is_written(converted: Converted, run: Path, data: Path) -> None:
    for name in ("bundle.json", "conversion.json"):
        text = (converted.bundle / name).read_text(encoding="utf-8")
        assert str(run.parent) not in text
        assert str(data.parent) not in text


def test_a_changed_mean_is_refused_by_the_golden_outputs(converted: Converted, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in converted.bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    manifest = read_manifest(copy)
    manifest["preprocess"]["mean"] = [-manifest["preprocess"]["mean"][0]]
    write_manifest(copy, manifest)
    for precision in ("float32", "int8"):
        with pytest.raises(BundleRefused, match="golden output is off"):
            open_classifier(Bundle.open(copy), precision=precision)


def test_wrong_preprocessing_makes_accuracy_fall(converted: Converted) -> None:
    bundle = Bundle.open(converted.bundle)
    crops, targets = tiny_source.drawings(range(5000, 5000 + tiny_source.TEST_EACH))
    top1 = {}
    for mean in (tiny_source.MEAN, 1.5):
        spec = bundle.manifest.preprocess.model_copy(update={"mean": (mean,)})
        other = Bundle(bundle.path, bundle.manifest.model_copy(update={"preprocess": spec}), bundle.sha256)
        artifact = other.pick(precision="int8")
        classifier = Classifier(other, artifact, open_runtime(other.read(artifact), "tflite"))
        top1[mean] = (verify.run(classifier, crops, print).argmax(axis=1) == targets).mean()
    assert top1[tiny_source.MEAN] > 0.9
    assert top1[1.5] < 0.6


def test_a_softmax_at_the_end_is_told_as_probabilities(data: Path, tmp_path: Path) -> None:
    folder = tiny_source.write_run(tmp_path / "run", tiny_source.network(softmax=True))
    arguments = ["--out", str(tmp_path / "out"), "--calibrate", str(data), "--max-drop", "100", "--min-agreement", "0"]
    assert cli.main([str(folder), "--to", "tflite", *arguments]) == 0
    classifier = open_classifier(Bundle.open(tmp_path / "out"), precision="int8")
    assert classifier.artifact.output_kind == "probabilities"
    assert classifier.probabilities([shape("sad", 1)]).sum() == pytest.approx(1.0)


def test_a_bare_model_is_converted_with_labels_and_preprocessing_from_flags(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "Net.keras"
    shutil.copyfile(run / "model.keras", bare)
    preprocess = f"color=gray,size=48,mean={tiny_source.MEAN!r},std=0.25"
    arguments = ["--labels", ",".join(FER2013), "--preprocess", preprocess, "--evaluate", str(data)]
    assert (
        cli.main([str(bare), *arguments, "--to", "tflite", "--precision", "float32", "--out", str(tmp_path / "net")])
        == 0
    )
    manifest = Bundle.open(tmp_path / "net").manifest
    assert (manifest.name, manifest.labels, manifest.provenance.calibration_n) == ("net", FER2013, 0)
    assert manifest.preprocess == tiny_source.SPEC
    assert "no card" in manifest.card.limits
    assert "tflite/float32" in capsys.readouterr().out


def test_crop_contracts_of_the_run_are_part_of_the_preprocessing(run: Path) -> None:
    fitted = Fitted(margin=0.2, dx=0.01, dy=-0.05, n=100, found=0.9, spread=(0.1, 0.1, 0.1), iou=0.9, iou_p10=0.8)
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(run, Path(folder) / "run")
        write(copy / "crop.json", CropFile(data="shapes", data_sha256="0" * 64, detectors={"haar": fitted}))
        found = description.describe(Job(copy, Path("unused"), calibrate="unused"))
    assert found.preprocess.crop == {"haar": CropContract(margin=0.2, dx=0.01, dy=-0.05)}


def test_int8_is_judged_without_keras(run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = formats.make

    def bomb(*_: Any, **__: Any) -> None:
        raise AssertionError("Keras was asked on the artifact's behalf")

    def then_no_keras(*arguments: Any) -> formats.Files:
        data = convert(*arguments)
        monkeypatch.setattr(keras.Model, "predict", bomb)
        monkeypatch.setattr(keras.Model, "__call__", bomb)
        return data

    monkeypatch.setattr(formats, "make", then_no_keras)
    arguments = ["--out", str(tmp_path / "out"), "--calibrate", str(data), "--precision", "int8"]
    assert cli.main([str(run), "--to", "tflite", *arguments]) == 0


def test_a_model_trained_in_mixed_precision_computes_in_float32(tmp_path: Path) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tiny_source.network()
    finally:
        keras.config.set_dtype_policy(before)
    folder = tiny_source.write_run(tmp_path / "run", model)
    known = description.describe(Job(folder, Path("unused"), calibrate="unused"))
    loaded = reading.as_float32(keras.models.load_model(known.file, compile=False), known.file, keras)
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    face = Preprocess(tiny_source.SPEC).tensor(shape("fear", 1)[None])
    assert np.allclose(np.asarray(loaded(face)), np.asarray(model(face)), atol=0.05)


def test_a_transposed_convolution_counts_as_what_it_computes_in(data: Path, tmp_path: Path) -> None:
    layers = keras.layers
    x = inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Conv2D(4, 3, strides=4, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(4, 2, strides=2)(x)
    net = keras.Model(inputs, layers.Dense(7, dtype="float32", name="logits")(layers.Flatten()(x)))
    run = tiny_source.write_run(tmp_path / "run", net)
    open_gates = ["--max-drop", "100", "--min-agreement", "0", "--max-class-drop", "100"]
    flags = ["--to", "tflite", "--precision", "int8", "--calibrate", str(data), *open_gates]
    assert cli.main([str(run), *flags, "--out", str(tmp_path / "out")]) == 0
    with hushed():
        assert open_classifier(Bundle.open(tmp_path / "out")).runtime.effective_precision == "int8"


def test_layers_that_died_do_not_keep_a_net_from_running_in_eight_bits(data: Path, tmp_path: Path) -> None:
    layers = keras.layers
    x = inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(x)
    dead = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer=keras.initializers.Constant(-99.0))
    x = layers.Add()([x, dead(dead_input := layers.Conv2D(8, 3, padding="same")(x))])
    x = layers.Concatenate()([x, layers.Conv2D(4, 1, activation="relu")(dead(dead_input))])
    net = keras.Model(inputs, layers.Dense(7, dtype="float32", name="logits")(layers.GlobalAveragePooling2D()(x)))
    run = tiny_source.write_run(tmp_path / "run", net)
    flags = ["--to", "tflite", "--precision", "int8", "--calibrate", str(data), "--max-drop", "100"]
    assert cli.main([str(run), *flags, "--min-agreement", "0", "--out", str(tmp_path / "out")]) == 0
