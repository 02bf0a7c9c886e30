"""TFLite models through ai-edge-litert, tflite-runtime or TensorFlow: the same interpreter under three names."""

from __future__ import annotations

import importlib
import operator
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import numpy as np

from fer_edge.errors import RuntimeRefused, RuntimeUnavailable, first_line
from fer_edge.types import Array, TensorSpec

_PLACES = {
    "ai_edge_litert": ("ai_edge_litert.interpreter", "Interpreter", ("ai-edge-litert",)),
    "tflite_runtime": ("tflite_runtime.interpreter", "Interpreter", ("tflite-runtime",)),
    # `tensorflow.lite` is an attribute; the module of that name is empty
    "tensorflow": ("tensorflow", "lite.Interpreter", ("tensorflow", "tensorflow-cpu")),
}
_NAMES = {"ai_edge_litert": "litert", "tflite_runtime": "tflite-runtime", "tensorflow": "tensorflow"}
_CHATTER = (b"INFO: ", b"VERBOSE: ")
_ACTIVATION = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 2}
"""Which input of a weighted operator is its activation; its weights are the second of all of them."""


class LiteRt:
    """One interpreter with its tensors allocated."""

    def __init__(self, interpreter: Any, module: str, threads: int) -> None:  # noqa: ANN401 - three unrelated classes
        """Use `open_model`."""
        self.name, self.threads = _NAMES[module], threads
        self.version = _version(_PLACES[module][2])
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]
        self._outputs = interpreter.get_output_details()
        self.input = _spec(self._input)
        self.outputs = tuple(_spec(detail) for detail in self._outputs)
        self.effective_precision = _precision(interpreter)

    def infer(self, tensor: Array) -> Sequence[Array]:
        """Run once; see `Runtime.infer`."""
        if tensor.dtype != self.input.dtype or tensor.shape != self.input.shape:
            raise ValueError(
                f"the model takes {self.input.dtype} {self.input.shape}, found {tensor.dtype} {tensor.shape}"
            )
        self._interpreter.set_tensor(self._input["index"], tensor)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise RuntimeRefused(f"{self.name} cannot run this model: {first_line(error)}") from None
        return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]


def open_model(data: Sequence[bytes], module: str, threads: int) -> LiteRt:
    """Load a .tflite file from memory; RuntimeRefused when the interpreter does not take it.

    Raises RuntimeUnavailable when the interpreter was built for another numpy.
    """
    place, attribute, _ = _PLACES[module]
    interpreter_class = operator.attrgetter(attribute)(importlib.import_module(place))
    try:
        with _without_chatter():
            interpreter = interpreter_class(model_content=data[0], num_threads=threads)
            interpreter.allocate_tensors()
        return LiteRt(interpreter, module, threads)
    except (ValueError, RuntimeError) as error:  # names that are not text are among the former
        raise RuntimeRefused(f"{_NAMES[module]} does not take this model: {first_line(error)}") from None
    except SystemError:  # tflite-runtime 2.14 says it so: its last wheels were built for numpy 1
        raise RuntimeUnavailable(
            f"{_NAMES[module]} does not work with numpy {np.__version__}: pip install 'numpy<2', or another runtime"
        ) from None


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop what the interpreter's C++ says of itself on standard error (`INFO: Created ...`); the rest comes through.

    It has no switch for this, so the file descriptor is replaced for a moment; other threads' lines wait until then.
    """
    with tempfile.TemporaryFile() as kept:
        real = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            kept.seek(0)
            for line in kept:
                if not line.startswith(_CHATTER):
                    os.write(2, line)


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return TensorSpec(str(detail["name"]), np.dtype(detail["dtype"]).name, shape, float(scale), int(zero_point))


def _precision(interpreter: Any) -> str:  # noqa: ANN401 - see LiteRt
    """What the weighted operators compute in, from the dtypes of their activations and weights."""
    kinds = {detail["index"]: np.dtype(detail["dtype"]).name for detail in interpreter.get_tensor_details()}
    found = set()
    for op in interpreter._get_ops_details():  # noqa: SLF001 - the interpreter's only list of operators
        if (place := _ACTIVATION.get(op["op_name"])) is not None:
            activation, weight = kinds.get(int(op["inputs"][place])), kinds.get(int(op["inputs"][1]))
            found.add(_kind(str(activation), str(weight)))
    return "+".join(sorted(found)) if found else kinds[interpreter.get_input_details()[0]["index"]]


def _kind(activation: str, weight: str) -> str:
    if activation == "int8":
        return "int8"
    if activation == "int16":
        return "int16x8"
    return "dynamic" if weight == "int8" else "float32"


def _version(packages: Sequence[str]) -> str:
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
