"""OpenVINO IR on the CPU, with its telemetry kept out.

Importing OpenVINO reports the import to its maker through the package openvino-telemetry, where that is installed; a
name in `sys.modules` that is None cannot be imported, and OpenVINO goes on without it.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_edge.errors import BundleRefused, RuntimeRefused
from fer_edge.types import Array, TensorSpec

TELEMETRY = "openvino_telemetry"
_DTYPES = {"f32": "float32", "f16": "float16", "i8": "int8", "u8": "uint8", "i64": "int64"}
_WEIGHTED = {"Convolution", "Deconvolution", "FullyConnected", "MatMul"}
_PRECISIONS = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "int8"}
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
"""Else a processor with short floats uses them unasked, and its outputs are not those of the bundle's maker."""
_ARM = frozenset({"aarch64", "arm64"})
_QUANTIZE = "FakeQuantize"
"""The operator around an int8 layer in an IR."""


class OpenVino:
    """One compiled model with its request; input and output tensors are made once and used again."""

    name = "openvino"

    def __init__(self, compiled: Any, version: str, threads: int) -> None:  # noqa: ANN401 - untyped library
        """Use `open_model`."""
        self.version, self.threads = version, threads
        self.effective_precision = _precision(compiled)
        self._request = compiled.create_infer_request()
        self.input = _spec(compiled.inputs[0])
        self.outputs = tuple(_spec(output) for output in compiled.outputs)
        self._input = self._request.get_input_tensor()
        self._outputs = [self._request.get_output_tensor(i) for i in range(len(self.outputs))]

    def infer(self, tensor: Array) -> Sequence[Array]:
        """Run once; see `Runtime.infer`. Setting tensors anew for every call takes four times as long."""
        if tensor.dtype != self.input.dtype or tensor.shape != self.input.shape:
            raise ValueError(
                f"the model takes {self.input.dtype} {self.input.shape}, found {tensor.dtype} {tensor.shape}"
            )
        self._input.data[...] = tensor
        try:
            self._request.infer()
        except RuntimeError as error:
            raise RuntimeRefused(f"openvino cannot run this model: {_last_line(error)}") from None
        return [np.array(output.data) for output in self._outputs]


def open_model(data: Sequence[bytes], module: str, threads: int) -> OpenVino:  # noqa: ARG001 - one module only
    """Load an IR, its .xml and its .bin, from memory.

    Raises BundleRefused for what is no IR of a fixed size, RuntimeRefused when OpenVINO does not take it.
    """
    openvino = library()
    if len(data) != 2:
        raise BundleRefused(f"an OpenVINO artifact has two files, .xml and .bin, found {len(data)}")
    core = openvino.Core()
    config = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    try:
        model = core.read_model(model=data[0], weights=data[1])
        config |= _exact(model)
        _close_batch(model)
        if any(port.partial_shape.is_dynamic for port in (*model.inputs, *model.outputs)):
            raise BundleRefused("openvino does not take this model: its input has no fixed size")
        compiled = core.compile_model(model, "CPU", config)
    except (RuntimeError, TypeError, ValueError) as error:
        raise RuntimeRefused(f"openvino does not take this model: {_last_line(error)}") from None
    return OpenVino(compiled, openvino.__version__.partition("-")[0], threads)


def _exact(model: Any) -> dict[str, str]:  # noqa: ANN401 - untyped library
    """What keeps its floats as long as the maker's.

    Not for int8 on arm64: told to keep long floats between them, OpenVINO 2026.4 has no kernel for the int8 layers of a
    processor with short ones, and takes forty times as many instructions (626 M instead of 15 M for `fernet-s` on an
    emulated Cortex-A76). The bundle's golden outputs judge what comes of the short ones.
    """
    quantized = any(op.get_type_name() == _QUANTIZE for op in model.get_ops())
    return {} if quantized and platform.machine() in _ARM else _EXACT


def _close_batch(model: Any) -> None:  # noqa: ANN401 - untyped library
    """Fix an open first side to one face; other open sides are left to be refused."""
    shape = model.inputs[0].partial_shape
    if shape.rank.is_static and len(shape) > 0 and shape[0].is_dynamic:
        shape[0] = 1
        model.reshape({model.inputs[0]: shape})


def _last_line(error: Exception) -> str:
    """Where OpenVINO says what is wrong, after the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def library() -> Any:  # noqa: ANN401 - untyped library
    """The module `openvino`, imported so that it tells nobody."""
    if "openvino" not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    import openvino  # noqa: PLC0415 - optional

    return openvino


def _precision(compiled: Any) -> str:  # noqa: ANN401 - untyped library
    """What the weighted operators compute in: the kernel's name tells, else the precision that its tensors are in."""
    kinds = set()
    for op in compiled.get_runtime_model().get_ops():
        told = op.get_rt_info()
        if str(_value(told, "layerType")) in _WEIGHTED:
            kernel = str(_value(told, "primitiveType")).lower().rpartition("_")[2]
            stored = str(_value(told, "runtimePrecision")).lower()
            kinds.add(_PRECISIONS.get(kernel) or _PRECISIONS.get(stored, stored))
    return "+".join(sorted(kinds)) if kinds else "float32"


def _value(told: Any, key: str) -> Any:  # noqa: ANN401 - untyped library
    found = told[key] if key in told else ""  # noqa: SIM401 - the map has no get
    return getattr(found, "value", found)


def _spec(port: Any) -> TensorSpec:  # noqa: ANN401 - untyped library
    kind = port.element_type.get_type_name()
    return TensorSpec(port.any_name if port.names else "output", _DTYPES.get(kind, kind), tuple(port.shape))
