"""Architectures by name. Each takes an input shape, the number of classes and its own arguments, and ends in logits."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from fer_edge.errors import UsageError

if TYPE_CHECKING:
    import keras

ARCHITECTURES = {
    "buffalo_cnn": "buffalo",
    "buffalo_resnet": "buffalo",
    "fernet": "fernet",
    "porto_cnn8": "porto",
}
"""Function and the module of this package that holds it: a module is imported when one of its nets is built."""


def build(name: str, input_shape: tuple[int, int, int], classes: int, arguments: dict[str, Any]) -> keras.Model:
    """A fresh Keras model: float32 input (N, H, W, C) to float32 logits (N, classes).

    Raises UsageError for an architecture or an argument that does not exist.
    """
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(ARCHITECTURES)}"
        raise UsageError(f"there is no architecture {name!r}{hint}")
    architecture = getattr(importlib.import_module(f"fer_train.zoo.{ARCHITECTURES[name]}"), name)
    try:
        model: keras.Model = architecture(input_shape, classes, **arguments)
    except TypeError as error:
        raise UsageError(f"architecture {name}: {error}") from None
    return model
