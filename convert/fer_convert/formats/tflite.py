"""TFLite artifacts: float32, float16 and dynamic by TensorFlow's converter, int8 and int16x8 by the AI Edge Quantizer.

The quantizer works on the float32 file and takes each tensor's range from us, so that every way of choosing ranges,
layers that stay in float, and models that never were Keras' are one and the same path. int8 has int8 at both ends; the
input's scale is pinned to the pixel range, so that one step of it is one step of a pixel: it stores `pixel - 128`,
exactly where 255 * mean is whole. Where pixel 0 and 255 lie symmetrically around zero (mean 0.5), zero falls between
two pixels, and the two middle greys share a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.formats import ConversionFailed, Files
from fer_convert.quantize import kernels
from fer_convert.quantize.calibration import Calibration, Plan
from fer_edge.bundle import Precision
from fer_edge.types import Array
from fer_train.backend import hushed

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
FLOAT_ONLY = ("HARD_SWISH",)
"""XNNPACK has no int8 kernel for these: left in int8 they cut the graph into pieces, and cost five times as much."""


def make(source: Any, precision: Precision, calibration: Calibration | None, plan: Plan) -> Files:  # noqa: ANN401
    """The bytes of a .tflite file."""
    if precision == "float32":
        return {"tflite": source.tflite}
    if precision in {"float16", "dynamic"}:
        return {"tflite": converted(source.function, source.shape, precision)}
    if calibration is None:
        raise ConversionFailed(f"{precision} needs calibration pictures")
    return {"tflite": quantized(source, precision, calibration, plan)}


def converted(function: Callable[[Any], Any], shape: tuple[int | None, ...], precision: Precision = "float32") -> bytes:
    """A TensorFlow function of one float32 tensor of this shape (None: open), as a file; variables become constants."""
    tf = frameworks.tensorflow()
    face = tf.TensorSpec(shape, tf.float32, name="face")
    with hushed():
        traced = tf.function(function, input_signature=[face], autograph=False).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def quantized(source: Any, precision: Precision, calibration: Calibration, plan: Plan) -> bytes:  # noqa: ANN401
    """Eight-bit weights, and activations of eight or sixteen bits."""
    from ai_edge_quantizer import quantizer, recipe  # noqa: PLC0415 - heavy

    limits = calibration.of_tflite(source.tflite, f"tflite {source.key}", plan.method)
    limits = kernels.widened(limits, kernels.sums_of(_interpreter(source)))
    seen = {name: {"min": _one(low), "max": _one(high)} for name, (low, high) in limits.items()}
    with hushed():
        bits = recipe.static_wi8_ai8() if precision == "int8" else recipe.static_wi8_ai16()
        made = quantizer.Quantizer(bytearray(source.tflite), bits)
        for kind, scope in _kept(source, plan):
            made.update_quantization_recipe(scope, kind, algorithm_key="no_quantize")
        return bytes(made.quantize(seen, enable_progress_report=False).quantized_model)


def _one(value: float) -> Array:
    return np.array([value], dtype=np.float32)


def _kept(source: Any, plan: Plan) -> list[tuple[Any, str]]:  # noqa: ANN401 - the quantizer's own names
    """Kinds and scopes of what stays in float."""
    from ai_edge_quantizer import qtyping  # noqa: PLC0415 - heavy

    kept = [(getattr(qtyping.TFLOperationName, kind), ".*") for kind in FLOAT_ONLY]
    names = layer_names(source)
    scopes = [re.escape(names[layer]) for layer in sorted(plan.float_layers) if layer in names]
    return [*kept, *((qtyping.TFLOperationName.ALL_SUPPORTED, f"^{scope};") for scope in scopes)]


def layer_names(source: Any) -> dict[str, str]:  # noqa: ANN401 - a Source
    """Output tensors of the file's operators with weights, by the graph's node: both list them in the same order."""
    from fer_convert.formats.onnx import layers  # noqa: PLC0415 - its tool chain

    interpreter = _interpreter(source)
    names = {int(each["index"]): str(each["name"]) for each in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()  # noqa: SLF001 - its only list of operators
    found = [names[int(op["outputs"][0])] for op in operators if op["op_name"] in WEIGHTED]
    wanted = layers(source.graph)
    if len(found) != len(wanted):
        raise ConversionFailed(f"the .tflite file has {len(found)} layers with weights, the graph {len(wanted)}")
    return dict(zip(wanted, found, strict=True))


def _interpreter(source: Any) -> Any:  # noqa: ANN401 - a Source, a LiteRT interpreter
    """Of the float32 file."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - optional

    with hushed():
        return Interpreter(model_content=source.tflite)
