"""What is known of a model before it is read: its file and kind, its name, its labels, and how faces become its input.

Three places can say it, the first that does counts: a recipe beside the model, the command line (`--labels`,
`--preprocess`, or both in a file for `--about`), and what fer-convert wrote into the file itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fer_convert import metadata
from fer_convert.options import NAME, Job
from fer_convert.sources.reading import Kind, ModelRefused
from fer_edge.errors import InputError, UsageError
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import loads_json, problems
from fer_train import crop
from fer_train.recipe import Recipe

MODEL = "model.keras"
RECIPE = "recipe.json"
SAVED_MODEL = "saved_model.pb"
MAX_RECIPE_BYTES = 64 * 1024
SUFFIXES: dict[str, Kind] = {
    ".keras": "keras",
    ".h5": "h5",
    ".hdf5": "h5",
    ".onnx": "onnx",
    ".tflite": "tflite",
}


@dataclass(frozen=True)
class Description:
    """All that is known of a source before it is read.

    folder: where the run's other files lie. recipe: the recipe's name, or "" without one. title: one line for the card.
    from_flags: labels and preprocessing came from the command line.
    """

    file: Path
    kind: Kind
    folder: Path
    name: str
    recipe: str
    title: str
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    from_flags: bool

    @property
    def own(self) -> bool:
        """Whether it is a run of fer-train, which nobody else had a hand in."""
        return self.kind == "keras" and bool(self.recipe)


def describe(job: Job) -> Description:
    """Find the model file and what its numbers mean.

    Raises InputError for what is missing, UsageError when it is not said how to feed the model, ModelRefused for a
    recipe with mistakes.
    """
    file, kind = _model_file(job.model)
    recipe = _recipe(file.parent / RECIPE)
    labels, spec = _meaning(job, file, kind, recipe)
    found = file.parent / crop.FILE
    contracts = job.crop or (found if found.exists() else None)
    if contracts is not None:
        spec = spec.model_copy(update={"crop": crop.contracts(contracts)})
    return Description(
        file=file,
        kind=kind,
        folder=file.parent,
        name=job.name or _name(recipe.name if recipe else file.stem),
        recipe=recipe.name if recipe else "",
        title=recipe.title if recipe else f"Expression model converted from {file.name}",
        labels=labels,
        preprocess=spec,
        from_flags=recipe is None,
    )


def _model_file(path: Path) -> tuple[Path, Kind]:
    if not path.exists():
        raise InputError(f"there is no model {path}")
    if path.is_dir():
        if (path / SAVED_MODEL).is_file():
            return path, "savedmodel"
        if not (path / MODEL).is_file():
            raise InputError(f"{path} is not a finished run: it has no {MODEL} (fer-train run writes it at its end)")
        return path / MODEL, "keras"
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path} is neither a run folder, a SavedModel folder, nor one of {known}")
    return path, kind


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


def _meaning(job: Job, file: Path, kind: Kind, recipe: Recipe | None) -> tuple[tuple[str, ...], PreprocessSpec]:
    """Labels and preprocessing; a recipe is never half overruled."""
    if recipe is not None:
        if job.labels or job.preprocess:
            raise UsageError(f"--labels and --preprocess are for a model without a recipe; {file} has one beside it")
        return recipe.labels, recipe.preprocess
    labels, spec = job.labels, job.preprocess
    if labels is None or spec is None:
        told = metadata.read(file, kind)
        if told is not None:
            return labels or told.labels, spec or told.preprocess
        raise UsageError(f"{file} has no {RECIPE} beside it, so say how to feed it: --labels a,b,c --preprocess ...")
    return labels, spec


def _name(text: str) -> str:
    plain = text.lower().replace(" ", "-")
    if not NAME.fullmatch(plain):
        raise UsageError(f"{text!r} cannot be a bundle's name; give one with --name")
    return plain
