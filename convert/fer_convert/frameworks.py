"""TensorFlow and Keras: imported when needed, named when missing, and kept from talking over the command.

Both write to standard output and standard error from C++, past Python's streams, so the file descriptors themselves are
turned away while they work. Errors are not lost: they come as exceptions.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fer_edge.errors import RuntimeUnavailable

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""A person who sets this variable wants to see the messages, and does."""
ERRORS_ONLY = "2"
BACKEND = "KERAS_BACKEND"
INSTALL = "pip install 'fer-edge[convert]'"


def require() -> None:
    """Raise RuntimeUnavailable, naming the extra, when TensorFlow or Keras is not installed; imports neither."""
    missing = [name for name in ("tensorflow", "keras") if not _installed(name)]
    if missing:
        raise RuntimeUnavailable(f"conversion needs {' and '.join(missing)}, not installed here: {INSTALL}")


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
