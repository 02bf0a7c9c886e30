"""What a net starts from: weights drawn anew, those published for ImageNet, or those in a file.

Only the trunk of a net is taken, or without a known trunk all but its last layer: what comes after belongs to the
labels of the run that a file is from.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from fer_edge.errors import InputError, RuntimeUnavailable, UsageError
from fer_train.recipe import Model
from fer_train.zoo import resnet

KERAS_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
"""The file's name where Keras keeps it, in ~/.keras/models."""
KERAS_SUFFIXES = (".weights.h5", ".keras", ".h5")
TORCH_SUFFIX = ".safetensors"
NOT_OF_THE_TRUNK = ("fc.", "head.")
NO_WEIGHT = "num_batches_tracked"
"""How often torch updated a batch normalisation's statistics."""


def start(model: keras.Model, wanted: Model) -> None:
    """Put what `wanted.weights` names into a freshly built net: "none", "imagenet" or a file's path.

    Files: .weights.h5 and .keras of the same architecture, whatever its labels; Keras Applications' .h5 without the top
    for its ResNet-50; .safetensors with the names that torchvision and timm give ResNet-18 and ResNet-50. Raises
    UsageError for what cannot fit this architecture, RuntimeUnavailable for what cannot be fetched or read here and
    InputError for a file that is missing, damaged or of another net.
    """
    if wanted.weights == "none":
        return
    if wanted.weights == "imagenet":
        _imagenet(model)
        return
    path = Path(wanted.weights)
    if not path.is_file():
        raise InputError(f'there is no weights file {path}; model.weights is "none", "imagenet" or the path of one')
    if path.suffix == TORCH_SUFFIX:
        _from_torch(model, path)
    elif path.name.endswith(KERAS_SUFFIXES):
        _from_keras(model, path)
    else:
        kinds = ", ".join((*KERAS_SUFFIXES, TORCH_SUFFIX))
        raise UsageError(f"weights are read from {kinds}, and {path} is none of these")


def _imagenet(model: keras.Model) -> None:
    """Through Keras' own loader, which fetches the file once and checks its hash."""
    end = resnet.trunk_end(model)
    if end is None:
        raise UsageError(f"{model.name} has no ImageNet weights: those are published for ResNet-18 and ResNet-50")
    if model.input_shape[-1] != 3:
        raise UsageError(f"ImageNet weights are for three colour channels, the net's input is {model.input_shape[1:]}")
    if resnet.is_torch(model):
        raise RuntimeUnavailable(
            f"Keras publishes no ImageNet weights for {model.name} with torchvision's layers: give torchvision's or "
            f"timm's with --weights FILE{TORCH_SUFFIX}"
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it tells its progress there, where results belong
            source = keras.applications.ResNet50(
                include_top=False, weights="imagenet", input_shape=model.input_shape[1:]
            )
    except Exception as error:  # noqa: BLE001 - Keras raises Exception itself where a download fails
        folder = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
        raise RuntimeUnavailable(
            f"the ImageNet weights of ResNet-50 cannot be fetched ({_first(error)}): put {KERAS_FILE} into {folder}, "
            "or give a file with --weights PATH"
        ) from None
    for layer in source.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def _body(model: keras.Model) -> keras.Model:
    """The part that a file's weights are for, sharing its layers with the net."""
    end = resnet.trunk_end(model)
    return keras.Model(model.input, model.layers[-1].input if end is None else end, name=model.name)


def _from_keras(model: keras.Model, path: Path) -> None:
    """Weights only, layer by layer in order: no code or configuration in the file is looked at."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras tells of lists in the file that only a whole net has
            _body(model).load_weights(path)
    except Exception as error:  # noqa: BLE001 - h5py, zipfile and Keras raise a dozen kinds for a bad file
        raise InputError(f"{path} does not fit {model.name}: {_misfit(error)}") from None


def _from_torch(model: keras.Model, path: Path) -> None:
    if not resnet.is_torch(model):
        has_variant = resnet.trunk_end(model) is not None
        hint = '; build this one with --set model.arguments.variant="torch"' if has_variant else ""
        raise UsageError(
            f"{path} holds weights for torchvision's ResNet, whose layers {model.name} does not have{hint}"
        )
    found = _read_torch(path)
    for layer in _body(model).layers:
        if layer.weights:
            layer.set_weights([_take(found, name, tuple(w.shape), path) for name, w in _torch_names(layer)])
    left = [name for name in found if not name.startswith(NOT_OF_THE_TRUNK) and not name.endswith(NO_WEIGHT)]
    if left:
        raise InputError(f"{path} is of another net: it holds {left[0]}, which {model.name} does not have")


def _read_torch(path: Path) -> dict[str, Any]:
    try:
        safetensors = importlib.import_module("safetensors.numpy")  # not typed, and needed for this kind of file only
    except ImportError:
        raise RuntimeUnavailable(f"{path} needs the package safetensors: pip install safetensors") from None
    try:
        return dict(safetensors.load_file(path))
    except Exception as error:  # noqa: BLE001 - an exception of its own for a bad header, numpy's for a type it lacks
        raise InputError(f"{path} cannot be read as {TORCH_SUFFIX}: {_first(error)}") from None


def _torch_names(layer: keras.layers.Layer) -> list[tuple[str, Any]]:
    """Every weight of a convolution or batch normalisation, in Keras' order, with torch's name for it."""
    parts = ("weight", "bias", "running_mean", "running_var")
    names = parts if isinstance(layer, layers.BatchNormalization) else parts[:1]
    return [
        (f"{layer.name.replace('_', '.')}.{part}", weight) for part, weight in zip(names, layer.weights, strict=True)
    ]


def _take(found: dict[str, Any], name: str, shape: tuple[int, ...], path: Path) -> Any:  # noqa: ANN401 - an array
    """One tensor as Keras has it: kernels are (H, W, in, out) here and (out, in, H, W) there."""
    if name not in found:
        raise InputError(f"{path} is of another net: it has no {name}")
    values = np.asarray(found.pop(name), dtype=np.float32)
    values = values.transpose(2, 3, 1, 0) if values.ndim == 4 else values
    if values.shape != shape:
        raise InputError(f"{path} does not fit: {name} is {values.shape} in Keras' order, the net has {shape}")
    return values


def _misfit(error: Exception) -> str:
    """Which layer, and what of it: Keras names the layer and the shapes in paragraphs of several lines."""
    text = str(error)
    layer = re.search(r"object <\w+ name=(\w+)", text)
    shapes = re.search(r"variable\.shape=(\([^)]*\)).*value\.shape=(\([^)]*\))", text)
    if layer is None:
        return _first(error)
    if shapes is not None:
        return f"layer {layer[1]} has the shape {shapes[1]}, in the file it is {shapes[2]}"
    return text.split("\n\n")[1].splitlines()[0]


def _first(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
