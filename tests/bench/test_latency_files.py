"""Single model files: what they are fed, what is said of it, and several models in one run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_bench.latency.feeding import declared_range, random_tensor
from fer_bench.latency.models import open_model
from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.run import Plan, run, text
from fer_bench.latency.worker import Job, measure
from fer_bench.results.report import Report, exit_code
from fer_bench.variants import Choice
from fer_edge.errors import BundleRefused, ExitCode, FerEdgeError, InputError, RuntimeUnavailable, UsageError
from fer_edge.preprocess import Preprocess
from fer_edge.types import TensorSpec
from support.tiny import MODELS, SPEC, model_bytes, tiny_bundle

INT8, FLOAT32, ONNX = MODELS / "tiny-int8.tflite", MODELS / "tiny-float32.tflite", MODELS / "tiny-float32.onnx"


def measured(*models: Path | str, runtime: str = "litert") -> Report:
    first, *more = map(str, models)
    choice = Choice(runtimes=(runtime,))
    return run(Plan(first, choice, more=tuple(more), rounds=1, min_seconds=0.02, min_runs=10), lambda _: None)


def test_a_single_file_is_measured_and_what_it_was_fed_is_said() -> None:
    report = measured(INT8)
    (row,) = report.rows
    assert isinstance(row, ScenarioRow)
    assert (row.label, row.format, row.precision, row.effective_precision) == (
        "tiny-int8.tflite",
        "tflite",
        "unstated",
        "int8",
    )
    assert row.n >= 10
    assert row.golden_error is None
    assert row.verdict is None
    assert row.size_bytes == INT8.stat().st_size
    assert any(
        "it was fed random int8 in -128..127" in note and "nothing proves that its answers are right" in note
        for note in report.notes
    )
    assert "tiny-int8.tflite" in text(report)
    assert exit_code(report) == ExitCode.OK


def test_the_json_names_the_file_with_its_hash() -> None:
    document = measured(INT8).as_json()
    assert document["bundle"]["name"] == "tiny-int8.tflite"
    assert document["models"] == [
        {
            "name": "tiny-int8.tflite",
            "path": str(INT8),
            "sha256": document["bundle"]["sha256"],
            "kind": "file",
        }
    ]


def test_bundles_and_files_are_measured_in_one_run_and_told_apart(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path, precisions=("float32",))
    rows = measured(bundle, INT8, FLOAT32).rows
    assert [row.label for row in rows] == ["tiny tflite/float32", "tiny-int8.tflite", "tiny-float32.tflite"]
    assert [row.model for row in rows] == ["tiny", "tiny-int8.tflite", "tiny-float32.tflite"]


def test_files_of_the_same_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    copies = [tmp_path / name / "net.tflite" for name in ("a", "b")]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copyfile(INT8, copy)
    assert [row.label for row in measured(*copies).rows] == [str(copy) for copy in copies]


def test_precisions_are_compared_within_a_bundle_and_not_between_two(tmp_path: Path) -> None:
    one = tiny_bundle(tmp_path, name="one", precisions=("float32",))
    two = tiny_bundle(tmp_path, name="two", precisions=("int8",))
    assert [row.ratio_to_float32 for row in measured(one, two).rows] == [None, None]


def test_a_model_that_no_installed_runtime_runs_does_not_keep_the_others_from_it() -> None:
    report = measured(INT8, ONNX)
    assert [row.label for row in report.rows] == ["tiny-int8.tflite"]
    assert "nothing of tiny-float32.onnx runs here: litert does not run onnx" in report.notes


def test_when_no_runtime_takes_any_of_them_one_sentence_says_so() -> None:
    with pytest.raises(RuntimeUnavailable, match=r"nothing of tiny-float32\.onnx runs here: litert does not run onnx"):
        measured(ONNX)


def test_a_file_that_is_changed_meanwhile_gets_no_time(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(model_bytes("int8"))
    known = open_model(str(path)).sha256
    path.write_bytes(model_bytes("float32"))
    with pytest.raises(BundleRefused, match="was changed while it was being measured"):
        measure(Job(str(path), "tflite", "unstated", "litert", 1, 0.0, 1, sha256=known))


def test_a_damaged_file_is_a_row_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(model_bytes("int8")[:1000])
    report = measured(path)
    assert "litert does not take this model" in str(report.rows[0].error)
    assert exit_code(report) == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "data", "kind", "sentence"),
    [
        ("net.tflite", None, InputError, "the model file .*net.tflite cannot be read: No such file"),
        ("net.onnx", b"", InputError, "net.onnx is empty"),
        ("net.xml", b"<net/>", InputError, "net.bin cannot be read"),
        ("net.keras", b"PK", UsageError, "is a .keras file, which no runtime of the device takes: make a bundle"),
    ],
)
def test_what_is_no_model_of_the_device_is_told_in_a_sentence(
    name: str, data: bytes | None, kind: type[FerEdgeError], sentence: str, tmp_path: Path
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(kind, match=sentence):
        open_model(str(tmp_path / name))


def test_integers_are_fed_all_that_their_type_holds() -> None:
    tensor, words = random_tensor(TensorSpec("x", "uint8", (1, 48, 48, 3), 0.1, 3), 2, None)
    assert tensor.shape == (2, 48, 48, 3)
    assert (tensor.min(), tensor.max()) == (0, 255)
    assert words.startswith("random uint8 in 0..255")


def test_floats_are_fed_what_the_file_declares_else_0_to_1() -> None:
    spec = TensorSpec("x", "float32", (1, 48, 48, 1))
    declared, words = random_tensor(spec, 1, (-2.0, 2.0))
    assert -2.0 <= declared.min() < -1.9 < 1.9 < declared.max() <= 2.0
    assert "as the file says of itself" in words
    plain, words = random_tensor(spec, 1, None)
    assert 0.0 <= plain.min() < plain.max() <= 1.0
    assert "the file does not say" in words


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (TensorSpec("x", "float32", (1, 3, 0, 0)), "leaves sides open"),
        (TensorSpec("x", "int64", (1, 10)), "its input is int64; pictures are float32"),
    ],
)
def test_an_input_that_is_no_picture_is_refused(spec: TensorSpec, sentence: str) -> None:
    with pytest.raises(BundleRefused, match=sentence):
        random_tensor(spec, 1, None)


def test_the_range_that_fer_convert_wrote_into_a_file_is_that_of_its_preprocessing(tmp_path: Path) -> None:
    metadata = pytest.importorskip("fer_convert.metadata")
    meaning = metadata.Meaning(
        name="net", precision="float32", labels=("a", "b"), output_kind="logits", preprocess=SPEC
    )
    told = metadata.embedded("tflite", {"tflite": model_bytes("float32")}, meaning)["tflite"]
    (tmp_path / "net.tflite").write_bytes(told)
    pixels = np.asarray([[[0, 255]]], dtype=np.uint8)
    extremes = Preprocess(SPEC).tensor(pixels)
    assert declared_range(tmp_path / "net.tflite", "tflite") == (extremes.min(), extremes.max())
    assert declared_range(FLOAT32, "tflite") is None
