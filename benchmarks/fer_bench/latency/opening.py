"""Models opened as the device opens them but for one thing that its adapters close: the batch, or the counters."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from fer_edge.errors import BundleRefused, first_line
from fer_edge.runtimes import Runtime, litert, open_runtime, ort, ov

LITERT_MODULES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "tensorflow": "tensorflow"}
"""Runtimes of the device that are the TFLite interpreter, and the package of each."""


def open_wide(data: Sequence[bytes], format_: str, runtime: str, threads: int, batch: int) -> tuple[Runtime, int]:
    """A runtime and the pictures that it takes at once: `batch` where the model leaves that open, else its own number.

    The device gives a model one face at a time and so closes an open first side to 1. Raises BundleRefused when the
    library does not take the model at this size.
    """
    try:
        if runtime == ort.Ort.name:
            opened: Runtime = _onnxruntime(data, threads)
        elif runtime == ov.OpenVino.name:
            opened = _openvino(data, threads, batch)
        elif runtime in LITERT_MODULES:
            opened = _litert(data, LITERT_MODULES[runtime], threads, batch)
        else:
            opened = open_runtime(data, format_, runtime=runtime, threads=threads)
    except (RuntimeError, TypeError, ValueError) as error:
        raise BundleRefused(f"{runtime} does not take this model at a batch of {batch}: {first_line(error)}") from None
    return opened, opened.input.shape[0] or batch


def onnx_session(data: bytes, threads: int, sides: Mapping[str, int], **more: object) -> Any:  # noqa: ANN401 - untyped library
    """An ONNX Runtime session with the device's settings; sides: open ones to close, by name; more: options by name."""
    import onnxruntime  # noqa: PLC0415 - optional

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    for name, value in more.items():
        setattr(options, name, value)
    for name, size in sides.items():
        options.add_free_dimension_override_by_name(name, size)
    return onnxruntime.InferenceSession(data, options, **ort.SESSION)


def openvino_compiled(data: Sequence[bytes], threads: int, batch: int, **more: object) -> Any:  # noqa: ANN401 - untyped library
    """An OpenVINO model with the device's settings, an open first side set to `batch`; more: properties by name."""
    core = ov.library().Core()
    model = core.read_model(model=data[0], weights=data[1])
    shape = model.inputs[0].partial_shape
    if shape.rank.is_static and len(shape) > 0 and shape[0].is_dynamic:
        shape[0] = batch
        model.reshape({model.inputs[0]: shape})
    latency = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    return core.compile_model(model, "CPU", {**latency, "INFERENCE_PRECISION_HINT": "f32", **more})


def tflite_interpreter(data: bytes, module: str, threads: int) -> Any:  # noqa: ANN401 - three unrelated classes
    """A TFLite interpreter whose tensors are not allocated yet."""
    place, attribute, _ = litert._PLACES[module]  # noqa: SLF001 - the adapter's own table of where the class is
    return operator.attrgetter(attribute)(importlib.import_module(place))(model_content=data, num_threads=threads)


def _onnxruntime(data: Sequence[bytes], threads: int) -> ort.Ort:
    import onnxruntime  # noqa: PLC0415 - optional

    session = onnx_session(data[0], threads, {})
    precision = ort._precision(data[0], onnxruntime.SessionOptions(), onnxruntime)  # noqa: SLF001 - as the adapter does
    return ort.Ort(session, onnxruntime.__version__, threads, precision)


def _openvino(data: Sequence[bytes], threads: int, batch: int) -> ov.OpenVino:
    version = ov.library().__version__.partition("-")[0]
    return ov.OpenVino(openvino_compiled(data, threads, batch), version, threads)


def _litert(data: Sequence[bytes], module: str, threads: int, batch: int) -> litert.LiteRt:
    interpreter = tflite_interpreter(data[0], module, threads)
    detail = interpreter.get_input_details()[0]
    if len(detail["shape_signature"]) and detail["shape_signature"][0] == -1:
        interpreter.resize_tensor_input(detail["index"], [batch, *detail["shape"][1:]])
    interpreter.allocate_tensors()
    return litert.LiteRt(interpreter, module, threads)
