"""What a training run does, as one TOML file with a closed set of keys; the same file gives the same run."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from fer_edge import toml
from fer_edge.errors import InputError, UsageError
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import StrictModel

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Model(StrictModel):
    """Which architecture of `fer_train.zoo`, and its arguments."""

    architecture: str
    arguments: dict[str, Any] = {}


class Augmentation(StrictModel):
    """Random changes to training pictures, drawn anew for every picture and epoch.

    flip, erase, blur, lowres: probability of each. rotate_deg, shift (fraction of the side), zoom (0.1 = 0.9 to 1.1),
    brightness and contrast (fraction): half-widths of uniform ranges. mixup: alpha of the Beta distribution, 0 is off.
    """

    flip: Fraction = 0.0
    rotate_deg: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    shift: Fraction = 0.0
    zoom: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    erase: Fraction = 0.0
    blur: Fraction = 0.0
    lowres: Fraction = 0.0
    mixup: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0


class Fit(StrictModel):
    """How the weights are found. weight_decay is decoupled for AdamW and an L2 term on kernels for SGD."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch: Annotated[int, Field(ge=1, le=65_536)]
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive
    momentum: Fraction = 0.9
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0.0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    label_smoothing: Fraction = 0.0
    class_weight: Literal["none", "balanced"] = "none"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 1


class Reported(StrictModel):
    """What a paper or an earlier run says of this recipe, and where."""

    accuracy: Fraction
    source: str


class Recipe(StrictModel):
    """A whole training run. labels: the order of the model's outputs."""

    name: str
    title: str
    labels: tuple[str, ...]
    model: Model
    preprocess: PreprocessSpec
    augmentation: Augmentation = Augmentation()
    fit: Fit
    reported: Reported | None = None


def names() -> list[str]:
    """The recipes that ship."""
    folder = resources.files("fer_train") / "recipes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(name_or_path: str, overrides: list[str] | None = None) -> Recipe:
    """Read a shipped recipe by name or a file by path, with `key.sub=value` overrides in TOML's own syntax.

    Raises UsageError for an unknown name (with the nearest one), InputError for a file that cannot be read and
    ConfigError with every mistake for one that does not fit.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"recipe {path} cannot be read: {error.strerror}") from None
    elif name_or_path in names():
        text = (resources.files("fer_train") / "recipes" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        near = difflib.get_close_matches(name_or_path, names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names())}"
        raise UsageError(f"there is no recipe {name_or_path!r}{hint}")
    return parse(text, name_or_path, overrides or [])


def parse(text: str, origin: str, overrides: list[str]) -> Recipe:
    """Check a recipe's text; `origin` is named in errors."""
    data = toml.parse(text, f"recipe {origin}")
    toml.assign(data, overrides)
    return toml.check(data, Recipe, f"recipe {origin}", strict=False)
