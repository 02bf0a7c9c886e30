"""The models that a run is about: bundles by name or path, and single model files, which nothing vouches for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_bench.variants import UNSTATED, Choice, Variant, is_lone, pairs
from fer_edge.bundle import MAX_ARTIFACT_BYTES, Artifact, ArtifactFile, Bundle, Manifest
from fer_edge.errors import InputError, RuntimeUnavailable, UsageError
from fer_edge.files import read_up_to
from fer_edge.preprocess import PreprocessSpec

SUFFIXES = {".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino"}
"""Files that a runtime of the device takes as they are; an .xml has its weights in the .bin beside it."""
WORKSTATION_SUFFIXES = (".keras", ".h5", ".hdf5", ".pb", ".pt", ".pth", ".bin")
"""What no runtime of the device takes by itself."""


def open_model(name_or_path: str) -> Bundle:
    """A bundle, or a single file as a bundle of one artifact without golden pictures.

    Raises the errors of `Bundle.open`, InputError for a file that is missing, empty or too large, UsageError for one of
    a kind that the device does not run.
    """
    path, suffix = Path(name_or_path), Path(name_or_path).suffix.lower()
    if suffix in SUFFIXES and not path.is_dir():
        return _lone(path, SUFFIXES[suffix])
    if suffix in WORKSTATION_SUFFIXES and not path.is_dir():
        raise UsageError(
            f"{name_or_path} is a {suffix} file, which no runtime of the device takes: make a bundle of it with "
            "fer-convert, or name a .tflite, .onnx or OpenVINO .xml file"
        )
    return Bundle.open(name_or_path)


def lone_bytes(path: Path) -> tuple[bytes, ...]:
    """A single model's files, in the order in which runtimes take them; InputError where one cannot be had."""
    return tuple(_bytes(each) for each in _files(path))


def digest(parts: Sequence[bytes]) -> str:
    """SHA-256 of a single model's files, one after the other."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def variants(
    bundles: Sequence[Bundle], names: Sequence[str], choice: Choice, threads: Sequence[int]
) -> tuple[list[Variant], list[str]]:
    """Every artifact in every runtime that fits it, and a sentence for each that none runs.

    names: as the person gave them. Raises RuntimeUnavailable when nothing runs, UsageError as `variants.artifacts`.
    """
    found: list[Variant] = []
    notes: list[str] = []
    for bundle, title in zip(bundles, _titles(bundles, names), strict=True):
        try:
            chosen, told = pairs(bundle, choice, every_runtime=True)
        except RuntimeUnavailable as reason:
            notes.append(str(reason))
            continue
        notes += told
        for artifact, runtime in chosen:
            label = _label(title, artifact, len(bundles))
            found += [Variant(artifact, runtime, number, bundle, label) for number in threads]
    if not found:
        raise RuntimeUnavailable("; ".join(dict.fromkeys(notes)))
    return found, notes


def described(bundles: Sequence[Bundle]) -> dict[str, Any]:
    """All models for a result's JSON; a single file that comes first has no labels and no preprocessing there."""
    found: list[dict[str, Any]] = []
    for bundle in bundles:
        kind = "file" if any(is_lone(artifact) for artifact in bundle.manifest.artifacts) else "bundle"
        found.append({"name": bundle.manifest.name, "path": str(bundle.path), "sha256": bundle.sha256, "kind": kind})
    if found[0]["kind"] == "bundle":
        return {"models": found}
    told = {key: found[0][key] for key in ("name", "path", "sha256")}
    return {"models": found, "bundle": {**told, "labels": [], "preprocess": {}}}


def _lone(path: Path, format_: str) -> Bundle:
    """A stand-in: its manifest has a name and an artifact, and nothing of what a real one proves."""
    data = lone_bytes(path)
    files = tuple(
        ArtifactFile.model_construct(name=each.name, bytes=len(part), sha256=hashlib.sha256(part).hexdigest())
        for each, part in zip(_files(path), data, strict=True)
    )
    unproven: dict[str, Any] = {"format": format_, "precision": UNSTATED, "files": files, "golden": ()}
    artifact = Artifact.model_construct(**unproven)
    nothing = PreprocessSpec.model_construct()
    said: dict[str, Any] = {"name": path.name, "labels": (), "preprocess": nothing, "artifacts": (artifact,)}
    return Bundle(path, Manifest.model_construct(**said), digest(data))


def _files(path: Path) -> tuple[Path, ...]:
    return (path, path.with_suffix(".bin")) if path.suffix.lower() == ".xml" else (path,)


def _bytes(path: Path) -> bytes:
    data, more = read_up_to(path, MAX_ARTIFACT_BYTES, f"the model file {path}")
    if more:
        raise InputError(f"the model file {path} has more than {MAX_ARTIFACT_BYTES} bytes, the limit for a model")
    if not data:
        raise InputError(f"the model file {path} is empty")
    return data


def _titles(bundles: Sequence[Bundle], names: Sequence[str]) -> list[str]:
    """Each model's own name, or what the person called it where several have that name."""
    own = [bundle.manifest.name for bundle in bundles]
    return [name if own.count(title) > 1 else title for title, name in zip(own, names, strict=True)]


def _label(title: str, artifact: Artifact, models: int) -> str:
    """What tells this artifact apart from all others of the run; "" where its own id does."""
    if is_lone(artifact):
        return title
    return f"{title} {artifact.id}" if models > 1 else ""
