"""Keras and TensorFlow, imported when they are needed, quietly, and missed in one sentence.

Both write to standard output and standard error from C++, past Python's streams, so the file descriptors themselves are
turned away while they start. Errors are not lost: they come as exceptions.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from fer_edge.errors import RuntimeUnavailable

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""A person who sets this variable wants to see the messages, and does."""
ERRORS_ONLY = "2"
BACKEND = "KERAS_BACKEND"
DEFAULT_BACKEND = "tensorflow"


def require_keras() -> None:
    """Import Keras with its backend; raises RuntimeUnavailable naming the extra when one of them is missing."""
    os.environ.setdefault(BACKEND, DEFAULT_BACKEND)
    try:
        with hushed():
            import keras  # noqa: F401, PLC0415 - takes seconds, and is not in the base install
    except ImportError as error:
        missing = (error.name or "Keras").partition(".")[0]
        raise RuntimeUnavailable(
            f"training needs Keras and TensorFlow, and {missing} cannot be imported: pip install 'fer-edge[train]'"
        ) from None


def versions() -> dict[str, str]:
    """Names and versions of what computes here; Keras must have been imported."""
    import keras  # noqa: PLC0415 - see require_keras

    found = {"keras": str(keras.__version__)}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 - see require_keras

        found["tensorflow"] = str(tf.__version__)
    return found


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
