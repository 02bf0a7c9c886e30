"""Everything that can be set, as one TOML file with a closed set of keys; all mistakes are told at once.

A flag on the command line and a key in the file have the same name and go through the same check.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from fer_edge.errors import ConfigError, InputError, UsageError
from fer_edge.pipeline import PipelineOptions
from fer_edge.strict import StrictModel, problems

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_CONFIG_BYTES = 256 * 1024
MAX_THREADS = 64


class CameraSettings(StrictModel):
    """What is asked of a camera; pace: play clips at their own speed instead of as fast as possible."""

    width_px: Annotated[int, Field(ge=16, le=16384)] = 640
    height_px: Annotated[int, Field(ge=16, le=16384)] = 480
    fps: Annotated[float, Field(gt=0.0, le=1000.0)] = 30.0
    pace: bool | None = None


class DetectorSettings(StrictModel):
    """Which face detector ("auto", "yunet", "haar", "whole"); weights: a file, else looked for in the model folders."""

    name: str = "auto"
    weights: str | None = None
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] = 1


class EventSettings(StrictModel):
    """Where events go ("-" is standard output) and how often a face is told of.

    rate: events per face and second, or "all" (every frame) or "changes" (only what changes).
    """

    path: str = "-"
    rate: str = "2"

    @field_validator("rate", mode="before")
    @classmethod
    def _number_or_word(cls, value: object) -> str:
        text = str(value)
        if text not in {"all", "changes"}:
            try:
                good = 0.0 < float(text) <= 1000.0
            except ValueError:
                good = False
            if not good:
                raise ValueError('a rate is "all", "changes", or events per second above 0')
        return text

    @property
    def rate_hz(self) -> float:
        """As `EventStream` takes it."""
        words = {"all": float("inf"), "changes": 0.0}
        return words[self.rate] if self.rate in words else float(self.rate)


class Settings(StrictModel):
    """The whole configuration."""

    source: str = "auto"
    model: str = "default"
    runtime: str | None = None
    format: str | None = None
    precision: str | None = None
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] = 1
    max_frames: Annotated[int, Field(ge=1)] | None = None
    camera: CameraSettings = CameraSettings()
    detector: DetectorSettings = DetectorSettings()
    pipeline: PipelineOptions = PipelineOptions()
    events: EventSettings = EventSettings()


def load(path: Path | None, overrides: dict[str, Any], assignments: list[str]) -> Settings:
    """Read the file (if any), lay `key=value` assignments and then flags over it, and check it all.

    overrides: dotted key to value. Raises InputError for a file that cannot be read, UsageError for an assignment
    that is none, ConfigError with every mistake.
    """
    origin = str(path) if path else "the command line"
    data = _read(path) if path else {}
    for item in assignments:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, found {item!r}")
        _put(data, key.strip(), _value(value))
    for key, value in overrides.items():
        _put(data, key, value)
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        lines = [_suggest(line) for line in problems(error)]
        raise ConfigError(f"configuration from {origin}: " + "; ".join(lines)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InputError(f"configuration {path} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"configuration {path} is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is not TOML: {error}") from None


def _value(text: str) -> Any:  # noqa: ANN401 - TOML's types
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(data: dict[str, Any], dotted: str, value: Any) -> None:  # noqa: ANN401 - TOML's types
    *parents, last = dotted.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise UsageError(f"{dotted}: {parent} holds a value, not a table")
    data[last] = value


def _keys(model: type[BaseModel]) -> set[str]:
    """All key names of a model and of the models in it."""
    found = set(model.model_fields)
    for info in model.model_fields.values():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found |= _keys(info.annotation)
    return found


def _suggest(line: str) -> str:
    where, unknown, _ = line.partition(" is not a known key")
    if not unknown:
        return line
    near = difflib.get_close_matches(where.rsplit(".", 1)[-1], sorted(_keys(Settings)), n=1)
    return f"{line}; did you mean {near[0]}?" if near else line
