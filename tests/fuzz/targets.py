"""What reads files that strangers made, each as a function of their bytes that ends in nothing or a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer_edge.bundle import Bundle, parse_manifest
from fer_edge.classifier import load
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_edge.runtimes import open_runtime

SPEC = PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,))
Target = Callable[[bytes, Path], None]
"""Bytes, and an empty folder."""


def manifest(data: bytes, _: Path) -> None:
    """`bundle.json`."""
    parse_manifest(data, Path("bundle.json"))


def zipped(data: bytes, folder: Path) -> None:
    """A whole bundle in one file."""
    path = folder / "net.zip"
    path.write_bytes(data)
    bundle = Bundle.open(path)
    for artifact in bundle.manifest.artifacts:
        load(bundle, artifact)


def tflite(data: bytes, _: Path) -> None:
    """A .tflite file in the runtime of the device."""
    runtime = open_runtime([data], "tflite")
    if runtime.input.dtype in {"float32", "int8"} and 0 < np.prod(runtime.input.shape) < 10**6:
        runtime.infer(np.zeros(runtime.input.shape, dtype=runtime.input.dtype))


def onnx(data: bytes, _: Path) -> None:
    """An .onnx file in the runtime of the device."""
    open_runtime([data], "onnx")


def recipe(data: bytes, _: Path) -> None:
    """A recipe in TOML."""
    from fer_train.recipe import parse  # noqa: PLC0415 - of the workstation

    parse(data.decode("utf-8", errors="replace"), "fuzzed", [])


def about(data: bytes, folder: Path) -> None:
    """A description of a model in TOML."""
    from fer_convert import about as reader  # noqa: PLC0415 - of the workstation

    (folder / "about.toml").write_bytes(data)
    reader.read(folder / "about.toml")


def conversion(data: bytes, folder: Path) -> None:
    """What a conversion wrote of itself, as a recipe."""
    from fer_convert import again, options  # noqa: PLC0415 - of the workstation

    (folder / "conversion.json").write_bytes(data)
    options.Job(folder, folder, "faces", **again.read(folder / "conversion.json").recipe.asked())


def model(kind: str, suffix: str) -> Target:
    """A model file as fer-convert reads it, without the process that stands around that."""

    def read(data: bytes, folder: Path) -> None:
        from fer_convert.sources import reading  # noqa: PLC0415 - of the workstation

        file = folder / f"net{suffix}"
        file.write_bytes(data)
        wanted = reading.Wanted(file, kind, SPEC, FER2013, from_flags=True)  # type: ignore[arg-type]
        reading.READERS[kind](wanted)  # type: ignore[index]

    return read


DEVICE: dict[str, Target] = {"manifest": manifest, "zip": zipped, "tflite": tflite, "onnx": onnx}
WORKSTATION: dict[str, Target] = {
    "recipe": recipe,
    "about": about,
    "conversion": conversion,
    "source-onnx": model("onnx", ".onnx"),
    "source-keras": model("keras", ".keras"),
    "source-h5": model("h5", ".h5"),
}
TARGETS = {**DEVICE, **WORKSTATION}
