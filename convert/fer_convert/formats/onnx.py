"""ONNX artifacts: the float graph, the same in float16, with dynamic or with static eight bits.

int8 is QDQ with unsigned weights and activations: on x86 without VNNI, ONNX Runtime multiplies unsigned by signed bytes
in 16 bits that overflow, while unsigned by unsigned is exact on every
processor. Input and output stay float32: quantizing is the first node, and a division there costs nothing beside a
convolution.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.formats import ConversionFailed, Files
from fer_convert.graph.onnx_graph import serialized, weighted
from fer_convert.quantize.calibration import Calibration, Plan
from fer_edge.bundle import Precision
from fer_train.backend import hushed

DENSE = ("MatMul", "Gemm")


def make(source: Any, precision: Precision, calibration: Calibration | None, plan: Plan) -> Files:  # noqa: ANN401
    """The bytes of an .onnx file."""
    graph = source.graph
    if precision == "float16":
        graph = _half(graph)
    elif precision == "dynamic":
        graph = _dynamic(graph)
    elif precision == "int8":
        graph = _static(source, calibration, plan)
    return {"onnx": serialized(graph)}


def _half(graph: Any) -> Any:  # noqa: ANN401 - onnx.ModelProto
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 - heavy

    onnx = frameworks.onnx()
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    with hushed():
        return convert_float_to_float16(copy, keep_io_types=True)


def _dynamic(graph: Any) -> Any:  # noqa: ANN401 - onnx.ModelProto
    """Dense layers only: ONNX Runtime's dynamic convolution takes seven times as long as the float one."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - heavy

    onnx = frameworks.onnx()
    if not any(node.op_type in DENSE for node in graph.graph.node):
        raise ConversionFailed("the model has no dense layer, and only those are made dynamic in ONNX")
    with tempfile.TemporaryDirectory() as folder, hushed():
        path = Path(folder, "dynamic.onnx")
        quantize_dynamic(graph, path, op_types_to_quantize=list(DENSE), weight_type=QuantType.QInt8, per_channel=True)
        return onnx.load(str(path))


def _static(source: Any, calibration: Calibration | None, plan: Plan) -> Any:  # noqa: ANN401 - onnx.ModelProto
    if calibration is None:
        raise ConversionFailed("int8 needs calibration pictures")
    return quantized(source.graph, calibration.of_graph(source.graph, source.key, plan.method), plan.float_layers)


def quantized(graph: Any, limits: dict[str, tuple[float, float]], keep: frozenset[str] = frozenset()) -> Any:  # noqa: ANN401
    """A graph with quantization put between its nodes; limits: ranges by tensor; keep: nodes that stay in float."""
    from onnxruntime.quantization import CalibrationMethod, QuantType  # noqa: PLC0415 - heavy
    from onnxruntime.quantization.calibrate import TensorsData  # noqa: PLC0415
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer  # noqa: PLC0415
    from onnxruntime.quantization.registry import QDQRegistry  # noqa: PLC0415

    onnx = frameworks.onnx()
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    told = {name: (np.float32(low), np.float32(high)) for name, (low, high) in limits.items()}
    data = TensorsData(CalibrationMethod.MinMax, told)
    kinds = sorted(QDQRegistry)
    byte = QuantType.QUInt8
    with hushed():
        quantizer = QDQQuantizer(copy, True, False, byte, byte, data, [], sorted(keep), kinds, {})  # noqa: FBT003
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    return quantizer.model.model


def layers(graph: Any) -> list[str]:  # noqa: ANN401 - onnx.ModelProto
    """Names of the nodes with weights, in order: what can be kept in float."""
    return [node.name for node in weighted(graph)]
