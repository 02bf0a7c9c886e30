"""A result file read back into what wrote it: checked against the same dataclasses, or refused in one sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from fer_bench.machine.environment import Conditions, Environment
from fer_bench.results.kinds import ALL, MEASURED, ROWS, row_type
from fer_bench.results.report import SCHEMA_VERSION
from fer_edge.errors import InputError
from fer_edge.files import read_up_to
from fer_edge.strict import loads_json, problems

MAX_RESULT_BYTES = 256 * 1024 * 1024
"""Ten rounds of 200,000 samples for a dozen variants fill a good half of this."""
MAX_PROBLEMS = 3
"""Of a damaged file; the fourth says no more than the first."""

RowT = TypeVar("RowT")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Which bundle was measured; labels and preprocess are missing in results of before they were told."""

    name: str
    path: str
    sha256: str
    labels: tuple[str, ...] | None = None
    preprocess: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings(Environment):
    """Where it was measured, and how things stood before and after."""

    before: Conditions
    after: Conditions


@dataclass(frozen=True)
class Source:
    """A file that a result came from. rounds: how many of the result's rounds are of it, in the order of time."""

    path: str
    sha256: str
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Result:
    """A result as it was written, its rows typed.

    extra: the kind's own keys. sources: several when it was pooled. part: whether it stood in a result of `all`.
    """

    kind: str
    complete: bool
    time: datetime
    options: Mapping[str, Any]
    bundle: Measured
    environment: Surroundings
    notes: tuple[str, ...]
    rows: tuple[Any, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    part: bool = False

    @property
    def name(self) -> str:
        """As sentences speak of it."""
        first, count = self.sources[0].path, len(self.sources)
        whole = first if count == 1 else f"{Path(first).parent} ({count} results)"
        return f"part {self.kind} of {whole}" if self.part else whole


class _Document(BaseModel, Generic[RowT]):
    """The file. New keys may come within a schema version, so unknown ones are let pass; nothing is bent to fit."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    schema_version: int
    kind: str
    complete: bool
    time: AwareDatetime
    options: dict[str, Any]
    bundle: Measured
    environment: Surroundings
    notes: tuple[str, ...]
    rows: tuple[RowT, ...]


def read(path: Path) -> Result:
    """Read one file; raises InputError when it is missing, too large, damaged, of a later schema, or not a result."""
    raw, more = read_up_to(path, MAX_RESULT_BYTES, f"the result {path}")
    if more:
        raise InputError(f"{path} has more than {MAX_RESULT_BYTES} bytes, which no result of fer-bench has")
    return _parsed(raw, str(path))


def parts(result: Result) -> dict[str, Result]:
    """The results within one of `all`, by kind, checked as `read` does; any other is its own only part."""
    if result.kind != ALL:
        return {result.kind: result}
    held = result.extra.get("parts")
    if not isinstance(held, dict):
        raise InputError(f"{result.name} is not a whole all result: it has no parts")
    for kind, part in held.items():
        if kind == ALL or not isinstance(part, dict) or part.get("kind") != kind:
            raise InputError(f"{result.name} is damaged: its part {kind!r} is no result of that kind")
    return {
        kind: replace(
            _parsed(json.dumps(part).encode(), f"part {kind} of {result.name}"), sources=result.sources, part=True
        )
        for kind, part in held.items()
    }


def _parsed(raw: bytes, where: str) -> Result:
    kind = _kind(raw, where)
    document_of: Any = _Document  # the type of the rows is known only now
    try:
        document: _Document[Any] = document_of[row_type(kind)].model_validate_json(raw)
    except ValidationError as error:
        raise InputError(f"{where} is not a whole {kind} result: {_told(error)}") from None
    for row in document.rows:
        _check_samples(row, where)
    return Result(
        kind=kind,
        complete=document.complete,
        time=document.time,
        options=document.options,
        bundle=document.bundle,
        environment=document.environment,
        notes=document.notes,
        rows=document.rows,
        extra=document.model_extra or {},
        sources=(Source(where, hashlib.sha256(raw).hexdigest(), document.time),),
    )


def read_all(path: Path) -> list[Result]:
    """One file, or all `*.json` of a folder, oldest first; errors as `read`, and InputError for an empty folder."""
    if not path.is_dir():
        return [read(path)]
    found = sorted(path.glob("*.json"))
    if not found:
        raise InputError(f"the folder {path} holds no results (*.json)")
    return sorted((read(file) for file in found), key=lambda result: result.time)


def _kind(raw: bytes, where: str) -> str:
    try:
        head = loads_json(raw)
    except ValueError as error:
        raise InputError(f"{where} is not JSON that can be read: {error}") from None
    if not isinstance(head, dict) or "schema_version" not in head or "kind" not in head:
        raise InputError(f"{where} is not a result of fer-bench: it has no schema_version and kind")
    if head["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"{where} has schema version {head['schema_version']!r}, and this fer-bench reads {SCHEMA_VERSION}: "
            "read it with the fer-bench that wrote it, or measure again"
        )
    if head["kind"] not in MEASURED:
        known = "cannot be read back" if head["kind"] in ROWS else "is not known here"
        there = ", ".join(MEASURED)
        raise InputError(f"{where} is a result of kind {head['kind']!r}, which {known}; there are {there}")
    return str(head["kind"])


def _told(error: ValidationError) -> str:
    lines = problems(error)
    more = f", and {len(lines) - MAX_PROBLEMS} more" if len(lines) > MAX_PROBLEMS else ""
    return "; ".join(lines[:MAX_PROBLEMS]) + more


def _check_samples(row: Any, where: str) -> None:  # noqa: ANN401 - a row of any kind
    """Times are above 0, and a row counts the samples that it has: ratios and logarithms are taken of them."""
    rounds = getattr(row, "samples_ns", ())
    if any(sample <= 0 for samples in rounds for sample in samples) or not all(rounds):
        raise InputError(f"{where} is damaged: {row.name} has a round without samples, or a time of 0 or less")
    held = sum(map(len, rounds))
    if held and (row.n < held or row.n % held):  # a call of the offline scenario counts for several
        raise InputError(f"{where} is damaged: {row.name} tells of {row.n} inferences and holds {held} samples")
