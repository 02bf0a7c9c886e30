"""The recipe of a conversion: `conversion.json` read back, so that the same is done again and compared byte for byte.

It says everything but where things lie on a machine: the model and the pictures are given anew, and known by hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_convert import options
from fer_convert.report import Again, Row
from fer_edge.bundle import Format, Precision, Provenance
from fer_edge.errors import InputError, UsageError
from fer_edge.files import read_up_to
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import loads_json, problems

MAX_BYTES = 16 * 1024 * 1024
SCHEMA_VERSION = 1


class _Part(BaseModel):
    """What is read of a document that says more."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class _Gates(_Part):
    max_drop_pp: float
    min_agreement: float
    max_class_drop_pp: float | None


class _Options(_Part):
    to: Annotated[tuple[Format, ...], Field(strict=False)]
    precision: Annotated[tuple[Precision, ...], Field(strict=False)]
    leave_out: Annotated[tuple[str, ...], Field(strict=False)] = ()
    batch: options.Batch
    calibration_n: int
    gates: _Gates
    keep_passing: bool
    labels: Annotated[tuple[str, ...] | None, Field(strict=False)]
    preprocess: PreprocessSpec | None


class _File(_Part):
    name: str
    sha256: str


class _Row(_Part):
    format: Format
    precision: Precision
    files: Annotated[tuple[_File, ...], Field(strict=False)] = ()


class _Evaluation(_Part):
    sha256: str


class Recipe(_Part):
    """A conversion as it was done."""

    schema_version: Literal[1]
    kind: Literal["conversion"]
    name: str
    options: _Options
    provenance: Provenance
    evaluation: _Evaluation
    rows: Annotated[tuple[_Row, ...], Field(strict=False)]

    def asked(self) -> dict[str, Any]:
        """The same as fields of a `Job`."""
        told = self.options
        return {
            "name": self.name,
            "formats": told.to,
            "precisions": told.precision,
            "leave_out": told.leave_out,
            "batch": told.batch,
            "calibration_n": told.calibration_n,
            "gates": options.Gates(**told.gates.model_dump()),
            "keep_passing": told.keep_passing,
            "labels": told.labels,
            "preprocess": told.preprocess,
        }


@dataclass(frozen=True)
class Kept:
    """A recipe and the file it is from, for sentences."""

    path: Path
    recipe: Recipe

    def check_model(self, file: Path, sha256: str) -> None:
        """Raises UsageError for another model than the recipe's."""
        if sha256 != self.recipe.provenance.source_sha256:
            raise UsageError(f"{file} is not the model that {self.path} speaks of: its SHA-256 differs")

    def other_pictures(self, evaluation_sha256: str, calibration_sha256: str) -> list[str]:
        """Which pictures are not those of the recipe, in words."""
        pairs = (
            ("judged by", evaluation_sha256, self.recipe.evaluation.sha256),
            ("calibrated with", calibration_sha256, self.recipe.provenance.calibration_data),
        )
        return [f"the pictures it is {use} are not those of {self.path}" for use, now, then in pairs if now != then]

    def compared(self, rows: Sequence[Row], tools: dict[str, str]) -> Again:
        """Whether every file has the bytes it had, and what was made with other tools."""
        before = {(row.format, row.precision): {f.name: f.sha256 for f in row.files} for row in self.recipe.rows}
        same: list[str] = []
        other: list[str] = []
        for row in rows:
            now = {file.name: file.sha256 for file in row.artifact.files} if row.artifact else {}
            (same if now and now == before.get((row.format, row.precision)) else other).append(row.name)
        then = self.recipe.provenance.tools
        changed = {name: (then[name], tools[name]) for name in sorted(then.keys() & tools) if then[name] != tools[name]}
        return Again(tuple(same), tuple(other), changed)


def read(path: Path) -> Kept:
    """Raises InputError where the file cannot be read or is no conversion's, with every mistake in it."""
    text, more = read_up_to(path, MAX_BYTES, str(path))
    if more:
        raise InputError(f"{path} has more than {MAX_BYTES} bytes, which no conversion's recipe has")
    try:
        return Kept(path, Recipe.model_validate(loads_json(text), strict=False))
    except ValidationError as error:
        raise InputError(f"{path} is not the recipe of a conversion: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None
