"""What a trained Keras model is worth on a data set: float32, through the preprocessing that the device uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from fer_edge.errors import BundleRefused, ConfigError, InputError
from fer_edge.postprocess import Calibration, probabilities
from fer_edge.preprocess import Preprocess
from fer_edge.strict import loads_json, problems
from fer_train import folder
from fer_train.data import Dataset
from fer_train.learning import network
from fer_train.metrics import Scores, score
from fer_train.recipe import Recipe
from fer_train.recipe import load as load_recipe

BATCH = 256


@dataclass(frozen=True)
class Trained:
    """A model and the recipe it was made by. kind: its outputs are "logits" or "probabilities"."""

    model: keras.Model
    recipe: Recipe
    path: Path
    kind: str


@dataclass(frozen=True)
class Evaluation:
    """What came out on `data`. outputs: float64 (N, labels), of `kind`; probabilities: the same as shares."""

    data: Dataset
    scores: Scores
    outputs: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def open_trained(path: Path, recipe: Path | None = None) -> Trained:
    """Load a run folder's chosen model, or any .keras file, to compute in float32.

    recipe: a .json or .toml file; None takes `recipe.json` in the same folder. Raises InputError when something is
    missing or unfinished, BundleRefused when the model does not fit its recipe.
    """
    weights = path / folder.MODEL if path.is_dir() else path
    if not weights.is_file():
        unfinished = path.is_dir() and (path / folder.CHECKPOINT).exists()
        hint = ": its training has not ended; go on with --resume" if unfinished else ""
        raise InputError(f"there is no model {weights}{hint}")
    found = read_recipe(recipe or weights.with_name(folder.RECIPE))
    model = _float32(_load(weights), found)
    expected = (None, *network.input_shape(found)), (None, len(found.labels))
    if (model.input_shape, model.output_shape) != expected:
        raise BundleRefused(
            f"{weights} maps {model.input_shape} to {model.output_shape}, "
            f"its recipe {found.name} says {expected[0]} to {expected[1]}"
        )
    return Trained(model, found, weights, output_kind(model))


def read_recipe(path: Path) -> Recipe:
    """A recipe from a run folder's `recipe.json` or a .toml file; raises InputError or ConfigError."""
    if path.suffix == ".toml":
        return load_recipe(str(path))
    try:
        return Recipe.model_validate(loads_json(path.read_bytes()), strict=False)
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None


def output_kind(model: keras.Model) -> str:
    """What the numbers are: "probabilities" when the last layer is a softmax, else "logits"."""
    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return "probabilities" if activation == "softmax" or isinstance(last, keras.layers.Softmax) else "logits"


def outputs(trained: Trained, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The model's own numbers, float64 (N, labels), for crops as a `Dataset` holds them: uint8 (N, S, S[, 3])."""
    preprocess = Preprocess(trained.recipe.preprocess)
    parts = [
        keras.ops.convert_to_numpy(trained.model(preprocess.tensor(images[start : start + BATCH]), training=False))
        for start in range(0, len(images), BATCH)
    ]
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])


def shares(trained: Trained, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The same numbers as probabilities, rows summing to 1."""
    return probabilities(outputs(trained, images), Calibration(trained.kind))


def evaluate(trained: Trained, data: Dataset) -> Evaluation:
    """Run every picture once and count; raises BundleRefused when the model's outputs are not numbers."""
    found = outputs(trained, data.images)
    if not np.isfinite(found).all():
        raise BundleRefused(f"{trained.path} answers with what is no number: its weights are broken, train it anew")
    shares = probabilities(found, Calibration(trained.kind))
    return Evaluation(data, score(shares, data.targets, data.labels), found, shares)


def _load(path: Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, json.JSONDecodeError) as error:
        reason = str(error).strip().splitlines()
        raise InputError(f"{path} is not a Keras model: {reason[0] if reason else type(error).__name__}") from None


def _float32(model: keras.Model, recipe: Recipe) -> keras.Model:
    """The model itself, or its weights in the recipe's architecture when it computes in less than float32."""
    if all(_compute(layer) in {None, "float32"} for layer in model.layers):
        return model
    fresh = network.fresh_model(recipe)
    fresh.set_weights(model.get_weights())
    return fresh


def _compute(layer: Any) -> str | None:  # noqa: ANN401 - Keras is not typed
    return getattr(layer, "compute_dtype", None)
