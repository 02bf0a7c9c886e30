"""OpenVINO runs an IR from memory, says what it computes in, and tells nobody that it was imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import BundleRefused
from fer_edge.runtimes import Runtime, open_runtime
from fer_edge.runtimes import ov as adapter
from fer_edge.types import Array

pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")

MODELS = Path(__file__).parent.parent / "support" / "models"


def ir(name: str, folder: Path, shape: tuple[int, ...] | None = None) -> list[bytes]:
    """The two files of an ONNX model's IR."""
    library = adapter.library()
    model = library.Core().read_model(MODELS / name)
    if shape is not None:
        model.reshape(library.PartialShape(list(shape)))
    library.save_model(model, str(folder / "m.xml"), compress_to_fp16=False)
    return [(folder / "m.xml").read_bytes(), (folder / "m.bin").read_bytes()]


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    return ir("tiny-float32.onnx", tmp_path)


def faces(runtime: Runtime, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=runtime.input.shape).astype(np.float32)


def test_it_computes_what_onnx_runtime_does(files: list[bytes]) -> None:
    ours, theirs = open_runtime(files, "openvino"), open_runtime([(MODELS / "tiny-float32.onnx").read_bytes()], "onnx")
    face = faces(ours)
    np.testing.assert_allclose(ours.infer(face)[0], theirs.infer(face)[0], atol=1e-4)
    assert (ours.name, ours.effective_precision) == ("openvino", "float32")
    assert (ours.input.dtype, ours.input.shape) == ("float32", theirs.input.shape)


def test_outputs_are_the_callers_own(files: list[bytes]) -> None:
    runtime = open_runtime(files, "openvino")
    first = runtime.infer(faces(runtime))[0]
    kept = first.copy()
    runtime.infer(faces(runtime, 1))
    assert (first == kept).all()


def test_eight_bits_are_told(tmp_path: Path) -> None:
    assert open_runtime(ir("tiny-int8.onnx", tmp_path), "openvino").effective_precision == "int8"


@pytest.mark.parametrize(
    ("name", "machine", "hint"),
    [
        ("tiny-int8.onnx", "aarch64", {}),
        ("tiny-int8.onnx", "x86_64", {"INFERENCE_PRECISION_HINT": "f32"}),
        ("tiny-float32.onnx", "aarch64", {"INFERENCE_PRECISION_HINT": "f32"}),
    ],
)
def test_floats_stay_long_but_between_the_eight_bits_of_an_arm_processor(
    name: str, machine: str, hint: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    xml, weights = ir(name, tmp_path)
    assert adapter._exact(adapter.library().Core().read_model(model=xml, weights=weights)) == hint


@pytest.mark.parametrize("change", [lambda face: face[:, :-1], lambda face: face.astype(np.float64)])
def test_another_tensor_than_the_models_is_refused(files: list[bytes], change: Any) -> None:
    runtime = open_runtime(files, "openvino")
    with pytest.raises(ValueError, match="the model takes float32"):
        runtime.infer(change(faces(runtime)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda xml, weights: [xml[:200], weights],
        lambda xml, weights: [xml, weights[:100]],
        lambda xml, weights: [b"", b""],
        lambda xml, weights: [weights, xml],
        lambda xml, weights: [xml],
    ],
    ids=["short graph", "short weights", "empty", "exchanged", "alone"],
)
def test_a_damaged_artifact_is_refused_in_a_sentence(files: list[bytes], damage: Any) -> None:
    with pytest.raises(BundleRefused, match=r"openvino does not take this model|has two files") as caught:
        open_runtime(damage(*files), "openvino")
    assert "\n" not in str(caught.value)


def test_an_open_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="its input has no fixed size"):
        open_runtime(ir("tiny-float32.onnx", tmp_path, (-1, -1, -1, -1)), "openvino")


def test_nobody_is_told_of_the_import() -> None:
    """The package that would tell is hidden, and no socket is opened."""
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = refuse\n"
        "from fer_edge.runtimes.ov import library\n"
        "library().Core()\n"
        "print(sys.modules['openvino_telemetry'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
