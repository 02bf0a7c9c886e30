"""What a model is, in a small TOML file: for `--about`, where the command line would grow long.

labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

[preprocess]
color = "rgb"
size = 64
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
layout = "NCHW"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from fer_edge import toml
from fer_edge.errors import InputError
from fer_edge.files import read_up_to
from fer_edge.labels import canonical, label_set
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import StrictModel

MAX_BYTES = 64 * 1024


def _distinct(labels: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(canonical(label) for label in labels)
    if len(set(found)) != len(found):
        raise ValueError("labels occur twice")
    return found


class About(StrictModel):
    """labels: in the order of the outputs, or the name of a known order (`fer2013`). preprocess: as in bundles."""

    labels: Annotated[
        tuple[str, ...],
        BeforeValidator(label_set),
        AfterValidator(_distinct),
        Field(strict=False, min_length=2),
    ]
    preprocess: PreprocessSpec


def read(path: Path) -> About:
    """The file's content; raises InputError where it cannot be read, ConfigError with every mistake in it."""
    text, more = read_up_to(path, MAX_BYTES, str(path))
    if more:
        raise InputError(f"{path} has more than {MAX_BYTES} bytes, which no description of a model has")
    return toml.check(toml.parse(text.decode("utf-8", errors="replace"), str(path)), About, str(path), strict=False)
