"""Keras and TensorFlow, imported when they are needed, quietly, and missed in one sentence."""

from __future__ import annotations

import os

from fer_edge.errors import RuntimeUnavailable

QUIET = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
"""Defaults, set before the first import; 2 leaves TensorFlow's errors and drops its notes on CPU features."""


def require_keras() -> None:
    """Import Keras with its backend; raises RuntimeUnavailable naming the extra when one of them is missing."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
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
