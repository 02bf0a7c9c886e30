"""Architectures by name. Each takes an input shape, the number of classes and its own arguments, and ends in logits."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from fer_edge.errors import UsageError

if TYPE_CHECKING:
    import keras

ARCHITECTURES = ("fernet",)


def build(name: str, input_shape: tuple[int, int, int], classes: int, arguments: dict[str, Any]) -> keras.Model:
    """A fresh Keras model: float32 input (N, H, W, C) to float32 logits (N, classes).

    Raises UsageError for an architecture or an argument that does not exist.
    """
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(ARCHITECTURES)}"
        raise UsageError(f"there is no architecture {name!r}{hint}")
    from fer_train.zoo.fernet import fernet  # noqa: PLC0415 - Keras takes seconds to import

    try:
        return fernet(input_shape, classes, **arguments)
    except TypeError as error:
        raise UsageError(f"architecture {name}: {error}") from None
