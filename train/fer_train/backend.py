"""Keras and its backend, imported when they are needed, quietly, and missed in one sentence.

TensorFlow writes to standard output and standard error from C++, past Python's streams, so the file descriptors
themselves are turned away while it starts. Errors are not lost: they come as exceptions.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fer_edge.errors import RuntimeUnavailable, UsageError
from fer_train.memory import keep_freed

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""A person who sets this variable wants to see the messages, and does."""
ERRORS_ONLY = "2"
BACKEND = "KERAS_BACKEND"
DEFAULT_BACKEND = "tensorflow"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""TensorFlow turns oneDNN on by itself only where the processor has AVX-512; it is faster without that too."""
TITLES = {"tensorflow": "TensorFlow", "torch": "torch", "jax": "JAX"}
EXTRAS = {"tensorflow": "train", "torch": "train-torch", "jax": "train-jax"}
"""What trains here, and the extra that installs it. Keras has further backends, which only infer."""


def name() -> str:
    """The backend that Keras has, or will have once it is imported."""
    return os.environ.get(BACKEND) or DEFAULT_BACKEND


def require_keras() -> None:
    """Import Keras with the backend that KERAS_BACKEND names.

    Raises RuntimeUnavailable naming the extra when one of them is missing, UsageError for a backend that cannot train.
    """
    wanted = name()
    if wanted not in EXTRAS:
        raise UsageError(f"{BACKEND} is {wanted!r}; there are {', '.join(EXTRAS)}")
    os.environ[BACKEND] = wanted
    os.environ.setdefault(ONEDNN, "1")
    keep_freed()
    try:
        with hushed():
            import keras  # noqa: F401, PLC0415 - takes seconds, and is not in the base install
    except ImportError as error:
        missing = (error.name or "Keras").partition(".")[0]
        raise RuntimeUnavailable(
            f"training needs Keras and {TITLES[wanted]}, and {missing} cannot be imported: "
            f"pip install 'fer-edge[{EXTRAS[wanted]}]'"
        ) from None


def versions() -> dict[str, str]:
    """Names and versions of what computes here; Keras must have been imported."""
    import keras  # noqa: PLC0415 - see require_keras

    used = str(keras.backend.backend())
    return {"keras": str(keras.__version__), used: str(importlib.import_module(used).__version__)}


def accelerators() -> list[str]:
    """GPUs and the like that the backend sees, by the names of their makers; Keras must have been imported."""
    if name() == "tensorflow":
        config = tensorflow().config
        details = [config.experimental.get_device_details(gpu) for gpu in config.list_physical_devices("GPU")]
        return [str(detail.get("device_name", "GPU")) for detail in details]
    if name() == "torch":
        cuda = importlib.import_module("torch").cuda
        return [str(cuda.get_device_name(i)) for i in range(cuda.device_count())]
    devices = importlib.import_module("jax").devices()
    return [str(device.device_kind) for device in devices if device.platform != "cpu"]


def tensorflow() -> Any:  # noqa: ANN401 - TensorFlow is not typed
    """The module, for the little that Keras has no word for; only to be called when it is the backend."""
    import tensorflow  # noqa: ICN001, PLC0415 - see require_keras

    return tensorflow


@contextmanager
def hushed() -> Iterator[None]:
    """Inside, what is written to file descriptors 1 and 2 goes nowhere, and warnings are not raised or shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if LEVEL in os.environ:
            yield
            return
        os.environ[LEVEL] = ERRORS_ONLY
        try:
            with _away(1), _away(2):
                yield
        finally:
            os.environ.pop(LEVEL, None)


@contextmanager
def _away(descriptor: int) -> Iterator[None]:
    stream = sys.stdout if descriptor == 1 else sys.stderr
    stream.flush()
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)
