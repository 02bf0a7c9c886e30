"""A model that can prove itself: read the manifest, hash the bytes, hand out exactly those bytes.

A bundle is a folder, or the same zipped, with `bundle.json` and one file or more per artifact. Nothing in it is
believed before its hash is right; what is hashed is what the runtime gets.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field, ValidationError, model_validator

from fer_edge.errors import BundleRefused, InputError, UsageError
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import StrictModel, loads_json, problems
from fer_edge.types import Image, TensorSpec

MANIFEST = "bundle.json"
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
"""Golden pictures of 224 x 224 pixels in colour take 0.8 MB for each artifact."""
MAX_ARTIFACT_BYTES = 512 * 1024 * 1024
MAX_LABELS = 256
DEFAULT = "fernet-s"
MODELS_VARIABLE = "FER_EDGE_MODELS"
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others are not in every Python build, and each fails in its own way."""

Format = Literal["tflite", "onnx", "openvino"]
Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
PRECISION_ORDER: tuple[Precision, ...] = ("int8", "float16", "float32", "dynamic", "int16x8")
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Tensor(StrictModel):
    """A tensor as the manifest states it; `spec` is the same for the code."""

    name: str
    dtype: Literal["float32", "float16", "int8", "uint8", "int16"]
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]
    scale: Annotated[float, Field(ge=0.0)] = 0.0
    zero_point: int = 0

    @model_validator(mode="after")
    def _scale_where_integers(self) -> Tensor:
        if self.dtype.startswith("float") != (self.scale == 0.0):
            raise ValueError(f"the {self.dtype} tensor {self.name} has scale {self.scale:g}; only integers need one")
        return self

    @property
    def spec(self) -> TensorSpec:
        """As the runtimes state theirs."""
        return TensorSpec(self.name, self.dtype, self.shape, self.scale, self.zero_point)


class ArtifactFile(StrictModel):
    """One file of an artifact: a plain name, its length and its hash."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
    bytes: Annotated[int, Field(ge=1, le=MAX_ARTIFACT_BYTES)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Quality(StrictModel):
    """What was measured when the artifact was made, on `n` pictures of `data` (SHA-256 of pictures and targets).

    Shares are 0 to 1, `drop_pp` in percentage points below the float source (negative: better); intervals are 95 %.
    """

    data: str
    n: Annotated[int, Field(ge=1)]
    top1: Share
    top1_ci95: Annotated[tuple[Share, Share], Field(strict=False)]
    recall: dict[str, Share]
    drop_pp: float | None = None
    drop_pp_ci95: Annotated[tuple[float, float] | None, Field(strict=False)] = None
    agreement: Share | None = None
    ece: Share | None = None


class Golden(StrictModel):
    """A face-sized picture and the output it must give.

    pixels: base64 of uint8 (S, S) or (S, S, 3), as `Preprocess.pixels` returns them. output: real values per label.
    """

    pixels: str
    output: Annotated[tuple[float, ...], Field(strict=False)]

    def image(self, spec: PreprocessSpec) -> Image:
        """The picture; raises ValueError when it is not of the size that the spec says."""
        raw = np.frombuffer(base64.b64decode(self.pixels, validate=True), dtype=np.uint8)
        shape = (spec.size, spec.size) if spec.channels == 1 else (spec.size, spec.size, 3)
        if raw.size != math.prod(shape):
            raise ValueError(f"a golden picture has {raw.size} values, not {math.prod(shape)} for {shape}")
        return raw.reshape(shape)


class Artifact(StrictModel):
    """One model file in one format and precision.

    output_kind: what the numbers are. temperature: divides logits before softmax. uncertain_below: confidence under
    which no label is given. tolerance: largest difference of any golden output, in the output's own unit.
    """

    format: Format
    precision: Precision
    files: Annotated[tuple[ArtifactFile, ...], Field(strict=False, min_length=1, max_length=4)]
    input: Tensor
    output: Tensor
    output_kind: Literal["logits", "probabilities"] = "logits"
    temperature: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0
    uncertain_below: Share = 0.0
    golden: Annotated[tuple[Golden, ...], Field(strict=False, min_length=1, max_length=16)]
    tolerance: Annotated[float, Field(gt=0.0)]
    quality: Quality | None = None

    @property
    def id(self) -> str:
        """`format/precision`, as commands name it."""
        return f"{self.format}/{self.precision}"

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.bytes for file in self.files)


class Provenance(StrictModel):
    """Where a bundle came from, so that it can be made again."""

    source_sha256: str
    recipe: str
    training_data: str
    calibration_data: str
    calibration_n: Annotated[int, Field(ge=0)]
    tools: dict[str, str]
    git_revision: str


class Card(StrictModel):
    """What a person must know before using the weights."""

    summary: str
    data_terms: str
    intended_use: str
    limits: str


class Manifest(StrictModel):
    """`bundle.json`, schema 1."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    task: Literal["expression"]
    labels: Annotated[tuple[str, ...], Field(strict=False, min_length=2, max_length=MAX_LABELS)]
    preprocess: PreprocessSpec
    artifacts: Annotated[tuple[Artifact, ...], Field(strict=False, min_length=1, max_length=32)]
    provenance: Provenance
    card: Card

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels occur twice")
        ids = [artifact.id for artifact in self.artifacts]
        if len(set(ids)) != len(ids):
            raise ValueError("two artifacts have the same format and precision")
        for artifact in self.artifacts:
            self._fits(artifact)
        return self

    def _fits(self, artifact: Artifact) -> None:
        count = len(self.labels)
        if artifact.output.shape != (1, count):
            raise ValueError(f"{artifact.id} has output {artifact.output.shape}, not (1, {count}) for {count} labels")
        if artifact.input.shape != self.preprocess.shape:
            raise ValueError(
                f"{artifact.id} takes {artifact.input.shape}, but the preprocessing makes {self.preprocess.shape}"
            )
        for golden in artifact.golden:
            golden.image(self.preprocess)
            if len(golden.output) != count:
                raise ValueError(f"{artifact.id} has a golden output of {len(golden.output)} values for {count} labels")


class Bundle:
    """An opened bundle: a checked manifest, and artifact bytes on demand."""

    def __init__(self, path: Path, manifest: Manifest, sha256: str) -> None:
        """Use `Bundle.open`."""
        self.path, self.manifest, self.sha256 = path, manifest, sha256

    @classmethod
    def open(cls, name_or_path: str | Path) -> Bundle:
        """Read and check a bundle's manifest; artifacts are read and hashed by `read`.

        Raises InputError when there is none, BundleRefused when the manifest is not right.
        """
        path = locate(name_or_path)
        raw = _read(path, MANIFEST, MAX_MANIFEST_BYTES)
        return cls(path, parse_manifest(raw, path), hashlib.sha256(raw).hexdigest())

    def pick(self, formats: tuple[str, ...] | None = None, precision: str | None = None) -> Artifact:
        """The artifact to run: the first of `choices`."""
        return self.choices(formats, precision)[0]

    def choices(self, formats: tuple[str, ...] | None = None, precision: str | None = None) -> list[Artifact]:
        """The artifacts of these formats (in order of preference), in this precision or the lightest first.

        Raises UsageError when the bundle has none.
        """
        order = formats or get_args(Format)
        precisions = (precision,) if precision else PRECISION_ORDER
        found = [
            artifact
            for wanted in order
            for name in precisions
            for artifact in self.manifest.artifacts
            if (artifact.format, artifact.precision) == (wanted, name)
        ]
        if found:
            return found
        has = ", ".join(artifact.id for artifact in self.manifest.artifacts)
        asked = f"{'/'.join(order)} artifact" + (f" in {precision}" if precision else "")
        raise UsageError(f"bundle {self.manifest.name} has no {asked}, only {has}")

    def read(self, artifact: Artifact) -> tuple[bytes, ...]:
        """The bytes of an artifact's files, after their length and hash were found right; BundleRefused otherwise."""
        return tuple(self._checked(file) for file in artifact.files)

    def _checked(self, file: ArtifactFile) -> bytes:
        data = _read(self.path, file.name, MAX_ARTIFACT_BYTES)
        if len(data) != file.bytes:
            raise BundleRefused(f"{self.path}: {file.name} has {len(data)} bytes where the manifest says {file.bytes}")
        found = hashlib.sha256(data).hexdigest()
        if found != file.sha256:
            raise BundleRefused(
                f"{self.path}: {file.name} has SHA-256 {found[:12]}… where the manifest says {file.sha256[:12]}…: "
                "the file was changed or damaged; get the bundle again"
            )
        return data


def parse_manifest(raw: bytes, origin: Path) -> Manifest:
    """Check a manifest's text; raises BundleRefused with every mistake found."""
    try:
        return Manifest.model_validate(loads_json(raw))
    except ValidationError as error:
        raise BundleRefused(f"{origin}: the manifest is not right: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise BundleRefused(f"{origin}: the manifest is not valid JSON: {error}") from None


def model_folders() -> list[Path]:
    """Where bundles and detector weights are looked for by name: $FER_EDGE_MODELS, the user's, the system's."""
    own = os.environ.get(MODELS_VARIABLE)
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    folders = [Path(part) for part in own.split(os.pathsep) if part] if own else []
    return [*folders, Path(data) / "fer-edge" / "models", Path("/var/lib/fer-edge/models")]


def shipped() -> Path:
    """The folder of bundles inside the package."""
    return Path(str(resources.files("fer_edge"))) / "bundles"


def available() -> Iterator[Path]:
    """Every bundle that can be named, in the order in which names are looked up."""
    for folder in [*model_folders(), shipped()]:
        if folder.is_dir():
            for entry in sorted(folder.iterdir()):
                if (entry / MANIFEST).is_file() or entry.suffix == ".zip":
                    yield entry


def locate(name_or_path: str | Path) -> Path:
    """A bundle's path from a path or a name; `default` is the one that ships. Raises InputError when there is none."""
    path = Path(name_or_path)
    if path.exists():
        return path
    name = DEFAULT if str(name_or_path) == "default" else str(name_or_path)
    for entry in available():
        if entry.name in {name, f"{name}.zip"}:
            return entry
    known = ", ".join(sorted({entry.name.removesuffix(".zip") for entry in available()})) or "none installed"
    raise InputError(f"there is no bundle {str(name_or_path)!r}: not a path, and not among the known names ({known})")


def _read(path: Path, name: str, limit: int) -> bytes:
    """One member of a bundle folder or zip, refused above `limit` bytes before it is read."""
    try:
        if path.is_dir():
            with (path / name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = b"" if size > limit else file.read(limit + 1)
        else:
            with zipfile.ZipFile(path) as archive:
                member = archive.getinfo(name)
                if member.compress_type not in ZIP_METHODS:
                    raise BundleRefused(f"{path}: {name} is packed in a way other than store or deflate; pack it anew")
                size = member.file_size
                data = b"" if size > limit else archive.read(member)
    except (KeyError, FileNotFoundError):
        raise BundleRefused(f"{path} is not a whole bundle: {name} is missing") from None
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise BundleRefused(f"{path} cannot be read as a bundle: {error}") from None
    if size > limit:
        raise BundleRefused(f"{path}: {name} has {size} bytes, more than the limit of {limit}")
    return data
