"""Architectures by name. Each takes an input shape, the number of classes and its own arguments, and ends in logits."""

from __future__ import annotations

import difflib
import importlib
import re
from typing import TYPE_CHECKING, Any

from fer_edge.errors import UsageError

if TYPE_CHECKING:
    import keras

ARCHITECTURES = {
    "buffalo_cnn": "buffalo",
    "buffalo_googlenet": "buffalo",
    "buffalo_newnet": "buffalo",
    "buffalo_resnet": "buffalo",
    "buffalo_roglenet": "buffalo",
    "buffalo_unet": "buffalo",
    "cmu_cnn5": "cmu",
    "fernet": "fernet",
    "porto_cnn8": "porto",
    "porto_resnet50": "porto",
    "resnet18": "resnet",
    "resnet50_features": "resnet",
    "tmu_resnet50": "tmu",
    "uaslp_cnn": "uaslp",
    "uaslp_dnn": "uaslp",
}
"""Function and the module of this package that holds it: a module is imported when one of its nets is built."""


def build(name: str, input_shape: tuple[int, int, int], classes: int, arguments: dict[str, Any]) -> keras.Model:
    """A fresh Keras model: float32 input (N, H, W, C) to float32 logits (N, classes); features for resnet50_features.

    The reports end their nets in a softmax and train on its crossentropy; here the loss takes the softmax, which is the
    same function. Raises UsageError for an architecture or an argument that does not exist, or an input too small.
    """
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(ARCHITECTURES)}"
        raise UsageError(f"there is no architecture {name!r}{hint}")
    architecture = getattr(importlib.import_module(f"fer_train.zoo.{ARCHITECTURES[name]}"), name)
    try:
        model: keras.Model = architecture(input_shape, classes, **arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"architecture {name} for input {input_shape}: {_reason(error)}") from None
    return model


def _reason(error: Exception) -> str:
    """The line that tells it: Keras puts the name of the layer's class before it, and prints it bold."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered")]
    return lines[0] if lines else type(error).__name__
