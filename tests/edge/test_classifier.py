"""A classifier proves its artifact before it answers, and then knows what it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge import classifier as classifier_module
from fer_edge.bundle import Bundle
from fer_edge.classifier import Classifier, load, open_classifier
from fer_edge.errors import BundleRefused, RuntimeUnavailable, UsageError
from fer_edge.labels import FER2013
from fer_edge.preprocess import CropContract
from fer_edge.runtimes import ENGINES, Runtime, open_runtime
from fer_edge.types import Box, TensorSpec
from support.shapes import shape, shape_bgr
from support.tiny import read_manifest, tiny_bundle, write_manifest

ONNX = any(engine.name == "onnxruntime" and engine.installed for engine in ENGINES)
Data = dict[str, Any]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path)


@pytest.fixture
def ready(tiny: Path) -> Classifier:
    return open_classifier(Bundle.open(tiny))


# --- what it answers


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("label", FER2013)
def test_a_drawing_gets_its_label(tiny: Path, precision: str, label: str) -> None:
    ready = open_classifier(Bundle.open(tiny), precision=precision)
    picture = shape_bgr(label, seed=77, scale=2)
    (found,) = ready.classify(picture, [Box(0, 0, 96, 96)])
    assert found.label == label
    assert sum(found.probabilities) == pytest.approx(1.0, abs=1e-6)


def test_several_faces_of_a_frame_keep_their_order(ready: Classifier) -> None:
    frame = np.concatenate([shape_bgr(label, seed=5) for label in ("sad", "happy", "fear")], axis=1)
    found = ready.classify(frame, [Box(48 * i, 0, 48, 48) for i in (2, 0, 1)])
    assert [item.label for item in found] == ["fear", "sad", "happy"]


def test_a_frame_without_faces_has_no_expressions(ready: Classifier) -> None:
    assert ready.classify(shape_bgr("happy"), []) == []


def test_a_crop_stays_what_it_is_when_the_next_frame_comes_into_the_same_memory(ready: Classifier) -> None:
    picture = shape("happy", seed=3)
    crop = ready.crop(picture, Box(0, 0, 48, 48))
    kept = crop.copy()
    picture[:] = 0
    assert (crop == kept).all()


def test_faces_at_once_give_the_same_as_one_by_one(ready: Classifier) -> None:
    faces = [shape(label, seed=9) for label in FER2013]
    together = ready.probabilities(faces)
    assert np.array_equal(together, np.concatenate([ready.probabilities([face]) for face in faces]))


def test_the_crop_contract_of_the_detector_is_used(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, crop={"tight": CropContract(margin=1.0)}))
    ready = open_classifier(bundle)
    frame = np.full((200, 200, 3), 10, dtype=np.uint8)
    frame[60:108, 60:108] = shape_bgr("surprise", seed=2)
    middle = Box(72, 72, 24, 24)  # half the drawing's side, as a detector would that draws tight
    (fitted,) = ready.classify(frame, [middle], "tight")
    (drawn,) = ready.classify(frame, [Box(60, 60, 48, 48)])
    assert fitted == drawn


def test_below_the_artifacts_threshold_the_face_is_uncertain(tmp_path: Path) -> None:
    ready = open_classifier(Bundle.open(tiny_bundle(tmp_path, uncertain_below=1.0)))
    (found,) = ready.classify(shape_bgr("happy"), [Box(0, 0, 48, 48)])
    assert found.label is None
    assert found.confidence > 0.5


def test_the_artifacts_temperature_flattens_the_probabilities(tiny: Path) -> None:
    sharp = open_classifier(Bundle.open(tiny)).probabilities([shape("happy")])
    data = read_manifest(tiny)
    for artifact in data["artifacts"]:
        artifact["temperature"] = 5.0
    write_manifest(tiny, data)
    flat = open_classifier(Bundle.open(tiny)).probabilities([shape("happy")])
    assert flat.max() < sharp.max()
    assert flat.argmax() == sharp.argmax()


def test_int8_outputs_are_real_values_near_those_of_float32(tiny: Path) -> None:
    bundle = Bundle.open(tiny)
    faces = [shape(label, seed=4) for label in FER2013]
    one, other = (open_classifier(bundle, precision=name).outputs(faces) for name in ("int8", "float32"))
    assert np.abs(one - other).max() < 1.0


@pytest.mark.skipif(not ONNX, reason="ONNX Runtime is not installed")
def test_the_same_bundle_runs_as_onnx(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, with_onnx=True))
    ready = open_classifier(bundle, runtime="onnxruntime")
    assert ready.artifact.format == "onnx"
    assert [ready.labels[i] for i in ready.probabilities([shape(x, 6) for x in FER2013]).argmax(-1)] == list(FER2013)


# --- what it takes


def test_the_lightest_precision_is_opened_by_itself(ready: Classifier) -> None:
    assert ready.artifact.id == "tflite/int8"
    assert ready.runtime.effective_precision == "int8"


def test_threads_are_passed_on(tiny: Path) -> None:
    assert open_classifier(Bundle.open(tiny), threads=2).runtime.threads == 2


def test_a_precision_that_the_bundle_lacks_is_refused(tiny: Path) -> None:
    with pytest.raises(UsageError, match=r"no .*artifact in float16, only tflite/float32, tflite/int8"):
        open_classifier(Bundle.open(tiny), precision="float16")


def test_a_runtime_of_another_format_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(UsageError, match="bundle tiny has no onnx artifact, only tflite/float32, tflite/int8"):
        open_classifier(Bundle.open(tiny), runtime="onnxruntime")


def test_a_runtime_that_is_missing_names_its_extra(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match=r"not installed: pip install 'fer-edge\[onnx\]'"):
        open_classifier(Bundle.open(tiny), runtime="onnxruntime")


# --- what it refuses


def _mean(data: Data) -> None:
    data["preprocess"]["mean"] = [0.4]


def _std(data: Data) -> None:
    data["preprocess"]["std"] = [0.5]


def _golden_output(data: Data) -> None:
    data["artifacts"][0]["golden"][1]["output"][2] += 1.0


def _golden_picture(data: Data) -> None:
    first, second = data["artifacts"][0]["golden"][:2]
    first["pixels"] = second["pixels"]


def _input(**change: object) -> Callable[[Data], None]:
    return lambda data: data["artifacts"][0]["input"].update(change)


def _output(**change: object) -> Callable[[Data], None]:
    return lambda data: data["artifacts"][0]["output"].update(change)


OFF = r"a golden output is off by [\d.]+, more than the tolerance [\d.]+: the preprocessing was changed or"
LIES: dict[str, tuple[Callable[[Data], None], str]] = {
    "another mean": (_mean, OFF),
    "another std": (_std, OFF),
    "a golden output": (_golden_output, OFF),
    "a golden picture": (_golden_picture, OFF),
    "another input scale": (
        _input(scale=0.02),
        r"input is int8 .* scale 0.0156\d* .* where the manifest says .* scale 0.02",
    ),
    "another input zero point": (
        _input(zero_point=0),
        "input is int8 .* zero point -1 where the manifest says .* zero point 0",
    ),
    "another input type": (_input(dtype="uint8"), "input is int8 .* where the manifest says uint8"),
    "another output scale": (_output(scale=1.0), "output is int8 .* where the manifest says .* scale 1 "),
    "another output type": (_output(dtype="float32", scale=0.0), "output is int8 .* where the manifest says float32"),
}


@pytest.mark.parametrize(("lie", "sentence"), LIES.values(), ids=LIES.keys())
def test_a_manifest_that_the_model_contradicts_is_refused(
    tmp_path: Path, lie: Callable[[Data], None], sentence: str
) -> None:
    path = tiny_bundle(tmp_path, precisions=("int8",))
    data = read_manifest(path)
    lie(data)
    write_manifest(path, data)
    with pytest.raises(BundleRefused, match=f"tflite/int8 in .*: ?.*{sentence}"):
        open_classifier(Bundle.open(path))


def test_labels_and_outputs_that_differ_are_refused_although_the_manifest_agrees_with_itself(tiny: Path) -> None:
    data = read_manifest(tiny)
    data["labels"].append("contempt")
    for artifact in data["artifacts"]:
        artifact["output"]["shape"] = [1, 8]
        for golden in artifact["golden"]:
            golden["output"].append(0.0)
    write_manifest(tiny, data)
    with pytest.raises(BundleRefused, match=r"output is int8 \(1, 7\) .* where the manifest says int8 \(1, 8\)"):
        open_classifier(Bundle.open(tiny))


class TwoOutputs:
    """A runtime that gives more than an expression model may."""

    name = version = effective_precision = "fake"
    threads = 1
    input = TensorSpec("x", "float32", (1, 48, 48, 1))
    outputs = (TensorSpec("y", "float32", (1, 7)), TensorSpec("z", "float32", (1, 2)))


def test_a_model_with_two_outputs_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_module, "open_runtime", lambda *_, **__: TwoOutputs())
    with pytest.raises(BundleRefused, match="has 2 outputs; an expression model has one"):
        open_classifier(Bundle.open(tiny))


class Nan:
    """A runtime whose arithmetic breaks."""

    def __init__(self, real: Runtime) -> None:
        self.name, self.input, self.outputs = real.name, real.input, real.outputs

    def infer(self, tensor: Any) -> list[Any]:
        return [np.full((1, 7), np.nan, dtype=np.float32)]


def test_a_runtime_that_computes_nan_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.open(tiny)
    real = open_runtime
    monkeypatch.setattr(classifier_module, "open_runtime", lambda *args, **options: Nan(real(*args, **options)))
    with pytest.raises(BundleRefused, match="a golden output is off by nan"):
        load(bundle, bundle.pick(precision="float32"))


def test_an_artifact_with_one_bit_flipped_never_reaches_a_runtime(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny / "tiny-int8.tflite"
    data = bytearray(path.read_bytes())
    data[3000] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(classifier_module, "open_runtime", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(BundleRefused, match="has SHA-256"):
        open_classifier(Bundle.open(tiny))


def test_a_format_is_taken_as_asked(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    bundle = Bundle.open(tiny_bundle(tmp_path, with_onnx=True))
    assert open_classifier(bundle, format_="onnx").artifact.id == "onnx/int8"


def test_a_format_that_the_runtime_does_not_run_is_refused(tiny: Path) -> None:
    with pytest.raises(UsageError, match="litert does not run onnx"):
        open_classifier(Bundle.open(tiny), format_="onnx", runtime="litert")
