"""Keras models in memory, taken apart as fer-convert takes a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_convert.sources import Source
from fer_convert.sources.description import Description
from fer_convert.sources.reading import Wanted, of_keras, taken
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_edge.types import Image

NOWHERE = Path("model.keras")


def description(spec: PreprocessSpec, labels: tuple[str, ...] = FER2013) -> Description:
    return Description(NOWHERE, "keras", Path(), "model", "", "A model", labels, spec, from_flags=True)


def source_of(model: Any, spec: PreprocessSpec, faces: Image, labels: tuple[str, ...] = FER2013) -> Source:
    """The source that a Keras model is; its outputs are of these faces."""
    wanted = Wanted(NOWHERE, "keras", spec, labels, from_flags=True)
    return Source(description(spec, labels), taken(of_keras(model, NOWHERE), wanted, faces), "0" * 64)
