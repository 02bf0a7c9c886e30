"""The float model that is converted: what is known of it, and the model itself in float32.

A source is a run folder of fer-train (`model.keras`, `recipe.json`, perhaps `crop.json`) or a `.keras` file, either
beside such a `recipe.json` or described by labels and preprocessing on the command line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fer_convert import frameworks
from fer_convert.options import NAME, Job
from fer_edge.errors import ExitCode, FerEdgeError, InputError, UsageError
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import loads_json, problems
from fer_train import crop
from fer_train.backend import hushed
from fer_train.recipe import Recipe

MODEL = "model.keras"
RECIPE = "recipe.json"
MAX_RECIPE_BYTES = 64 * 1024


class ModelRefused(FerEdgeError):  # noqa: N818 - says what happened to the model
    """The source is not a model that can be converted, or does not fit its recipe."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Description:
    """All that is known of a source before Keras has read it.

    folder: where the run's other files lie. recipe: the recipe's name, or "" without one. title: one line for the card.
    from_flags: labels and preprocessing came from the command line.
    """

    file: Path
    folder: Path
    name: str
    recipe: str
    title: str
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    from_flags: bool


@dataclass(frozen=True)
class Source:
    """A loaded Keras model in float32, with one picture input (N, H, W, C) and one output (N, labels)."""

    description: Description
    model: Any
    sha256: str


def describe(job: Job) -> Description:
    """Find the model file and what its numbers mean.

    Raises InputError for what is missing, UsageError when it is not said how to feed the model, ModelRefused for a
    recipe with mistakes.
    """
    file = _model_file(job.model)
    recipe = _recipe(file.parent / RECIPE)
    labels, spec = _meaning(job, file, recipe)
    found = file.parent / crop.FILE
    contracts = job.crop or (found if found.exists() else None)
    if contracts is not None:
        spec = spec.model_copy(update={"crop": crop.contracts(contracts)})
    return Description(
        file=file,
        folder=file.parent,
        name=job.name or _name(recipe.name if recipe else file.stem),
        recipe=recipe.name if recipe else "",
        title=recipe.title if recipe else f"Expression model converted from {file.name}",
        labels=labels,
        preprocess=spec,
        from_flags=recipe is None,
    )


def load(description: Description) -> Source:
    """Read the model, in safe mode and without its optimizer, and check that it fits; raises ModelRefused."""
    try:
        data = description.file.read_bytes()
    except OSError as error:
        raise InputError(f"{description.file} cannot be read: {error.strerror}") from None
    keras = frameworks.keras()
    try:
        with hushed():
            model = keras.models.load_model(description.file, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - zipfile, h5py and Keras raise a dozen kinds for a bad file
        raise ModelRefused(f"{description.file} is not a Keras model that can be loaded: {_first(error)}") from None
    _fits(model, description)
    return Source(description, _as_float32(model, description.file, keras), hashlib.sha256(data).hexdigest())


def _model_file(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"there is no model {path}")
    if path.is_dir():
        if not (path / MODEL).is_file():
            raise InputError(f"{path} is not a finished run: it has no {MODEL} (fer-train run writes it at its end)")
        return path / MODEL
    if path.suffix != ".keras":
        raise UsageError(f"{path} is neither a run folder nor a .keras file")
    return path


def _recipe(path: Path) -> Recipe | None:
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            text = file.read(MAX_RECIPE_BYTES + 1)
        if len(text) > MAX_RECIPE_BYTES:
            raise ModelRefused(f"{path} has more than {MAX_RECIPE_BYTES} bytes, which no recipe has")
        return Recipe.model_validate(loads_json(text), strict=False)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise ModelRefused(f"{path}: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise ModelRefused(f"{path} is not valid JSON: {error}") from None


def _meaning(job: Job, file: Path, recipe: Recipe | None) -> tuple[tuple[str, ...], PreprocessSpec]:
    """Labels and preprocessing, from the recipe or from the command line, never half from each."""
    if recipe is not None:
        if job.labels or job.preprocess:
            raise UsageError(f"--labels and --preprocess are for a model without a recipe; {file} has one beside it")
        return recipe.labels, recipe.preprocess
    if job.labels is None or job.preprocess is None:
        raise UsageError(f"{file} has no {RECIPE} beside it, so say how to feed it: --labels a,b,c --preprocess ...")
    return job.labels, job.preprocess


def _name(text: str) -> str:
    plain = text.lower().replace(" ", "-")
    if not NAME.fullmatch(plain):
        raise UsageError(f"{text!r} cannot be a bundle's name; give one with --name")
    return plain


def _fits(model: Any, description: Description) -> None:  # noqa: ANN401 - a Keras model
    """One input of the preprocessing's shape, one output per label."""
    file, labels, spec = description.file, description.labels, description.preprocess
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise ModelRefused(f"{file} has no fixed inputs and outputs; build it as a functional or sequential model")
    for kind, tensors in (("input", inputs), ("output", outputs)):
        if len(tensors) != 1:
            raise ModelRefused(f"{file} has {len(tensors)} {kind}s; an expression model has one")
    takes, gives = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(takes) != 4 or any(have not in (None, want) for have, want in zip(takes[1:], spec.shape[1:], strict=True)):
        raise _mismatch(description, f"{file} takes {takes}, but the preprocessing makes {spec.shape}")
    if len(gives) != 2 or gives[1] != len(labels):
        raise _mismatch(
            description, f"{file} gives {gives[1:]} values, but there are {len(labels)} labels: {', '.join(labels)}"
        )


def _mismatch(description: Description, text: str) -> FerEdgeError:
    return UsageError(text) if description.from_flags else ModelRefused(text)


def _as_float32(model: Any, file: Path, keras: Any) -> Any:  # noqa: ANN401 - untyped library
    """The same weights in layers that compute in float32; a model trained in mixed precision is built anew."""
    if all(layer.compute_dtype == "float32" for layer in _layers(model)):
        return model
    try:
        with hushed():
            fresh = keras.models.model_from_json(json.dumps(_float32_policies(json.loads(model.to_json()))))
            fresh.set_weights(model.get_weights())
    except Exception as error:  # noqa: BLE001 - whatever a layer's own configuration raises
        raise ModelRefused(f"{file} computes in a mixed precision and has no float32 twin: {_first(error)}") from None
    return fresh


def _layers(model: Any) -> Iterator[Any]:  # noqa: ANN401 - untyped library
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def _float32_policies(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy":
            return {**value, "config": {"name": "float32"}}
        return {key: _float32_policies(item) for key, item in value.items()}
    return [_float32_policies(item) for item in value] if isinstance(value, list) else value


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
