"""TensorFlow and Keras for conversion: imported when needed, and named when missing."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from fer_edge.errors import RuntimeUnavailable
from fer_edge.runtimes import ov
from fer_train.backend import hushed

BACKEND = "KERAS_BACKEND"
NEEDED = (
    "tensorflow",
    "keras",
    "onnx",
    "tf2onnx",
    "onnxslim",
    "onnxruntime",
    "openvino",
    "nncf",
    "ai_edge_quantizer",
    "tf_keras",
)
INSTALL = "pip install 'fer-edge[convert]'"


def require() -> None:
    """Raise RuntimeUnavailable, naming the extra, when TensorFlow or Keras is not installed; imports neither."""
    missing = [name for name in NEEDED if not _installed(name)]
    if missing:
        raise RuntimeUnavailable(f"conversion needs {', '.join(missing)}, not installed here: {INSTALL}")


def tensorflow() -> Any:  # noqa: ANN401 - an untyped library
    """The module `tensorflow`; RuntimeUnavailable when it is missing or does not run here."""
    return _load("tensorflow")


def keras() -> Any:  # noqa: ANN401 - an untyped library
    """The module `keras` on TensorFlow, the only backend that the converter reads; RuntimeUnavailable otherwise."""
    os.environ.setdefault(BACKEND, "tensorflow")
    module = _load("keras")
    backend = module.backend.backend()
    if backend != "tensorflow":
        raise RuntimeUnavailable(f"conversion needs Keras on TensorFlow, found it on {backend}: unset {BACKEND}")
    return module


def onnx() -> Any:  # noqa: ANN401 - an untyped library
    """The module `onnx` with what it does not import by itself."""
    for part in ("helper", "numpy_helper", "shape_inference", "checker"):
        importlib.import_module(f"onnx.{part}")
    return _load("onnx")


def onnxslim() -> Any:  # noqa: ANN401 - an untyped library
    """The module `onnxslim`."""
    return _load("onnxslim")


def tf2onnx() -> Any:  # noqa: ANN401 - an untyped library
    """The module `tf2onnx`, which takes TensorFlow with it."""
    tensorflow()
    return _load("tf2onnx")


def tf_keras() -> Any:  # noqa: ANN401 - an untyped library
    """The module `tf_keras`: Keras 2, which still reads the files of its day."""
    tensorflow()
    return _load("tf_keras")


def nncf() -> Any:  # noqa: ANN401 - an untyped library
    """The module `nncf`; OpenVINO is imported before it, so that neither reports anything to anybody."""
    ov.library()
    return _load("nncf")


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _load(name: str) -> Any:  # noqa: ANN401 - an untyped library
    require()
    try:
        with hushed():
            return importlib.import_module(name)
    except ImportError as error:
        raise RuntimeUnavailable(f"{name} is installed but cannot be used: {error}; {INSTALL}") from None
