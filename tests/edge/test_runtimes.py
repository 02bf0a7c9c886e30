"""Engines: which one is taken, what is said when it is missing, and that each computes what the model is."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import BundleRefused, RuntimeUnavailable, UsageError
from fer_edge.postprocess import dequantize
from fer_edge.preprocess import Preprocess
from fer_edge.runtimes import ENGINES, Runtime, engine_for, engines_for, open_runtime
from support.shapes import shape
from support.tiny import SPEC, model_bytes

HERE = {engine.name for engine in ENGINES if engine.installed}
TFLITE = [engine.name for engine in ENGINES if engine.format == "tflite"]
needs_onnx = pytest.mark.skipif("onnxruntime" not in HERE, reason="ONNX Runtime is not installed")
PRECISIONS = ("float32", "int8")


def pretend_installed(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Only these modules can be found, whatever is there."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in modules else None)


def opened(precision: str, format_: str = "tflite", **options: Any) -> Runtime:
    return open_runtime([model_bytes(precision, format_)], format_, **options)


def happy_row(runtime: Runtime) -> NDArray[np.float64]:
    tensor = Preprocess(SPEC, runtime.input).tensor(shape("happy", seed=3)[np.newaxis])
    return dequantize(runtime.infer(tensor)[0], runtime.outputs[0]).ravel()


# --- choosing


def test_litert_is_preferred_for_tflite(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, "tensorflow", "tflite_runtime", "ai_edge_litert")
    assert engine_for("tflite").name == "litert"


def test_tflite_runtime_comes_before_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, "tensorflow", "tflite_runtime")
    assert engine_for("tflite").name == "tflite-runtime"


def test_a_named_engine_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, "tensorflow", "ai_edge_litert")
    assert engine_for("tflite", "tensorflow").name == "tensorflow"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("litert", "pip install fer-edge"),
        ("tflite-runtime", "pip install 'fer-edge[tflite-runtime]'"),
        ("tensorflow", "pip install 'fer-edge[train]'"),
        ("onnxruntime", "pip install 'fer-edge[onnx]'"),
    ],
)
def test_a_named_engine_that_is_missing_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str, remedy: str
) -> None:
    pretend_installed(monkeypatch)
    with pytest.raises(RuntimeUnavailable) as caught:
        engines_for(name)
    assert str(caught.value) == f"the runtime {name} is not installed: {remedy}"


def test_a_format_without_an_engine_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, "ai_edge_litert")
    with pytest.raises(RuntimeUnavailable) as caught:
        open_runtime([b""], "onnx")
    assert str(caught.value) == "no runtime for onnx artifacts is installed: pip install 'fer-edge[onnx]'"


def test_no_engine_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch)
    with pytest.raises(RuntimeUnavailable, match="no inference runtime is installed: pip install fer-edge"):
        engines_for()


def test_an_unknown_engine_lists_the_known_ones() -> None:
    known = "litert, tflite-runtime, tensorflow, onnxruntime, openvino"
    with pytest.raises(UsageError, match=f"no runtime 'tpu'; there are {known}"):
        engines_for("tpu")


def test_an_engine_is_not_used_for_another_format(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, "ai_edge_litert", "onnxruntime")
    with pytest.raises(UsageError, match="the runtime litert does not run onnx artifacts"):
        engine_for("onnx", "litert")


def test_an_engine_that_breaks_on_import_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def broken(name: str, package: str | None = None) -> Any:
        if name == "ai_edge_litert.interpreter":
            raise ImportError("libfoo.so: cannot open shared object file")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", broken)
    sentence = "the runtime litert is installed but cannot be used: libfoo.so: cannot open shared object file"
    with pytest.raises(RuntimeUnavailable, match=sentence):
        opened("int8", runtime="litert")


def test_an_engine_built_for_another_numpy_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise SystemError("<built-in method CreateWrapperFromBuffer> returned a result with an exception set")

    monkeypatch.setattr(importlib.import_module("ai_edge_litert.interpreter"), "Interpreter", broken)
    with pytest.raises(RuntimeUnavailable, match=r"litert does not work with numpy \d.*: pip install 'numpy<2'"):
        opened("int8", runtime="litert")


def test_every_extra_that_is_named_exists() -> None:
    from importlib import metadata  # noqa: PLC0415 - here only

    known = set(metadata.metadata("fer-edge").get_all("Provides-Extra") or [])
    named = {engine.extra.split("[")[1].split("]")[0] for engine in ENGINES if "[" in engine.extra}
    assert named <= known


# --- TFLite


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TFLITE)
def test_every_tflite_engine_computes_the_same(name: str, precision: str) -> None:
    if name not in HERE:
        pytest.skip(f"{name} is not installed")
    found, wanted = opened(precision, runtime=name), opened(precision)
    assert found.name == name
    assert found.effective_precision == precision
    assert np.abs(happy_row(found) - happy_row(wanted)).max() <= max(1e-3, 2 * wanted.outputs[0].scale)


def test_int8_says_what_it_computes_in_and_how_its_ends_are_quantized() -> None:
    runtime = opened("int8")
    assert runtime.effective_precision == "int8"
    assert (runtime.input.dtype, runtime.outputs[0].dtype) == ("int8", "int8")
    assert runtime.input.scale > 0


def test_float32_says_what_it_computes_in() -> None:
    runtime = opened("float32")
    assert runtime.effective_precision == "float32"
    assert (runtime.input.shape, runtime.outputs[0].shape) == ((1, 48, 48, 1), (1, 7))


def test_int8_and_float32_agree_on_a_drawing() -> None:
    assert np.abs(happy_row(opened("int8")) - happy_row(opened("float32"))).max() < 1.0


def test_a_runtime_tells_its_library_and_version() -> None:
    runtime = opened("int8", runtime="litert")
    assert runtime.name == "litert"
    assert runtime.version[0].isdigit()


def test_threads_reach_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("ai_edge_litert.interpreter")
    asked: list[object] = []
    real = module.Interpreter

    def recording(**options: Any) -> Any:
        asked.append(options["num_threads"])
        return real(**options)

    monkeypatch.setattr(module, "Interpreter", recording)
    assert opened("int8", runtime="litert", threads=3).threads == 3
    assert asked == [3]


def test_outputs_belong_to_the_caller() -> None:
    runtime = opened("float32")
    preprocess = Preprocess(SPEC, runtime.input)
    first = runtime.infer(preprocess.tensor(shape("happy")[np.newaxis]))[0]
    kept = first.copy()
    runtime.infer(preprocess.tensor(shape("sad")[np.newaxis]))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize(("format_", "precision"), [("tflite", "int8"), ("tflite", "float32"), ("onnx", "float32")])
def test_a_tensor_of_the_wrong_dtype_is_refused(format_: str, precision: str) -> None:
    if format_ == "onnx" and "onnxruntime" not in HERE:
        pytest.skip("ONNX Runtime is not installed")
    runtime = opened(precision, format_)
    with pytest.raises(ValueError, match=r"the model takes \w+ \(1, 48, 48, 1\), found uint8 \(1, 48, 48, 1\)"):
        runtime.infer(np.zeros((1, 48, 48, 1), dtype=np.uint8))


@pytest.mark.parametrize("wrong", [(1, 48, 48), (2, 48, 48, 1), (1, 47, 48, 1), (1, 48, 48, 3)])
@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_a_tensor_of_the_wrong_shape_is_refused(format_: str, wrong: tuple[int, ...]) -> None:
    if format_ == "onnx" and "onnxruntime" not in HERE:
        pytest.skip("ONNX Runtime is not installed")
    runtime = opened("float32", format_)
    with pytest.raises(ValueError, match=r"the model takes float32 \(1, 48, 48, 1\), found float32"):
        runtime.infer(np.zeros(wrong, dtype=np.float32))


@pytest.mark.parametrize("length", [0, 1, 8, 100, 3000, 6000])
def test_a_truncated_tflite_model_is_refused(length: int) -> None:
    with pytest.raises(BundleRefused, match="litert does not take this model: "):
        open_runtime([model_bytes("int8")[:length]], "tflite", runtime="litert")


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(BundleRefused, match=r"litert does not take this model: .*not a valid Flatbuffer"):
        open_runtime([b"\x89PNG" * 500], "tflite", runtime="litert")


# --- ONNX


@needs_onnx
@pytest.mark.parametrize("precision", PRECISIONS)
def test_onnx_computes_what_tflite_computes(precision: str) -> None:
    assert np.abs(happy_row(opened(precision, "onnx")) - happy_row(opened(precision))).max() < 0.5


@needs_onnx
@pytest.mark.parametrize("precision", PRECISIONS)
def test_onnx_says_what_it_computes_in(precision: str) -> None:
    assert opened(precision, "onnx").effective_precision == precision


@needs_onnx
def test_onnx_threads_reach_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime  # noqa: PLC0415 - optional

    asked: list[int] = []
    real = onnxruntime.InferenceSession

    def recording(data: bytes, options: Any, **rest: Any) -> Any:
        asked.append(options.intra_op_num_threads)
        return real(data, options, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", recording)
    assert opened("float32", "onnx", threads=2).threads == 2
    assert asked == [2]


@needs_onnx
def test_onnx_telemetry_is_off_before_the_library_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    module = importlib.reload(importlib.import_module("fer_edge.runtimes.ort"))
    assert module.os.environ["ORT_DISABLE_TELEMETRY"] == "1"


@needs_onnx
@pytest.mark.parametrize("length", [0, 100, 3000, 7000])
def test_a_truncated_onnx_model_is_refused(length: int) -> None:
    with pytest.raises(BundleRefused, match="onnxruntime does not take this model: "):
        open_runtime([model_bytes("int8", "onnx")[:length]], "onnx")


@needs_onnx
def test_both_adapters_have_all_that_the_protocol_names() -> None:
    protocol = {name for name in (*vars(Runtime), *Runtime.__annotations__) if not name.startswith("_")}
    assert {"infer", "input", "threads"} <= protocol
    for format_ in ("tflite", "onnx"):
        assert protocol <= set(dir(opened("float32", format_)))


def test_the_interpreter_says_nothing_of_itself_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    open_runtime([model_bytes("int8")], "tflite")
    assert capfd.readouterr().err == ""
