"""ONNX models through ONNX Runtime on the CPU, with its telemetry switched off before it is imported."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.errors import RuntimeRefused, first_line
from fer_edge.types import Array, TensorSpec

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # on by default on Linux since 1.29 (onnxruntime #27379)

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
}
OPEN_BATCH = "batch"
"""Name of an input's first side that may be any; the device's one face at a time closes it."""
_QUANTIZED = b"DequantizeLinear"
SESSION = {"providers": ["CPUExecutionProvider"], "disabled_optimizers": ["WeightBiasQuantization"]}
"""How every session is made. Left out is what gives a layer that was to stay in float eight-bit weights, where it
stands between two quantized ones, with one step for all."""
_INTEGER = re.compile(rb"\x22.(?:QLinearConv|QLinearMatMul|QGemm|MatMulIntegerToFloat|ConvInteger|MatMulInteger)")
_FLOAT = re.compile(
    rb"\x22.(?:NhwcFusedConv|FusedConv|Conv|ConvTranspose|FusedMatMul|MatMul|FusedGemm|Gemm)[\x22\x2a\x3a]"
)
_DYNAMIC = b"DynamicQuantizeLinear"
"""Nodes by their operator: 0x22 begins op_type in ONNX's NodeProto, and one of the fields after it ends it."""


class Ort:
    """One session. A dynamic dimension is 0 in the specs."""

    name = "onnxruntime"

    def __init__(self, session: Any, version: str, threads: int, precision: str) -> None:  # noqa: ANN401 - untyped library
        """Use `open_model`."""
        self.version, self.threads, self.effective_precision = version, threads, precision
        self._session = session
        self.input = _spec(session.get_inputs()[0])
        self.outputs = tuple(_spec(output) for output in session.get_outputs())
        self._names = [spec.name for spec in self.outputs]

    def infer(self, tensor: Array) -> Sequence[Array]:
        """Run once; see `Runtime.infer`. Dimensions that the model leaves open take any size."""
        fits = len(tensor.shape) == len(self.input.shape) and all(
            want in (0, have) for want, have in zip(self.input.shape, tensor.shape, strict=True)
        )
        if tensor.dtype != self.input.dtype or not fits:
            raise ValueError(
                f"the model takes {self.input.dtype} {self.input.shape}, found {tensor.dtype} {tensor.shape}"
            )
        try:
            return [np.asarray(out) for out in self._session.run(self._names, {self.input.name: tensor})]
        except Exception as error:  # noqa: BLE001 - see open_model
            raise RuntimeRefused(f"onnxruntime cannot run this model: {first_line(error)}") from None


def open_model(data: Sequence[bytes], module: str, threads: int) -> Ort:  # noqa: ARG001 - one module only
    """Load an .onnx file from memory; RuntimeRefused when the runtime does not take it."""
    import onnxruntime  # noqa: PLC0415 - optional

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name(OPEN_BATCH, 1)
    try:
        session = onnxruntime.InferenceSession(data[0], options, **SESSION)
    except Exception as error:  # noqa: BLE001 - its own exception classes derive from Exception alone
        raise RuntimeRefused(f"onnxruntime does not take this model: {first_line(error)}") from None
    return Ort(session, onnxruntime.__version__, threads, _precision(data[0], options, onnxruntime))


def _precision(data: bytes, options: Any, library: Any) -> str:  # noqa: ANN401 - untyped library
    """What the weighted operators compute in, as the graph that ONNX Runtime made of the model tells it."""
    if _DYNAMIC in data:
        return "dynamic"
    if _QUANTIZED not in data:
        return "float32"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "optimized.onnx")
        options.optimized_model_filepath = str(made)
        library.InferenceSession(data, options, **SESSION)
        graph = made.read_bytes()
    kinds = [name for name, nodes in (("float32", _FLOAT), ("int8", _INTEGER)) if nodes.search(graph)]
    return "+".join(kinds) if kinds else "float32"


def _spec(value: Any) -> TensorSpec:  # noqa: ANN401 - untyped library
    shape = tuple(size if isinstance(size, int) else 0 for size in value.shape)
    return TensorSpec(value.name, _DTYPES.get(value.type, value.type), shape)
