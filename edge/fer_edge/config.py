"""Everything that can be set, as one TOML file with a closed set of keys; all mistakes are told at once.

A flag on the command line and a key in the file have the same name and go through the same check.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from fer_edge import toml
from fer_edge.errors import ConfigError, InputError
from fer_edge.pipeline import PipelineOptions
from fer_edge.strict import StrictModel

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
    text = _text(path) if path else ""
    data, lines = toml.parse(text, f"configuration {path}"), toml.lines_of(text)
    toml.assign(data, assignments)
    for key, value in overrides.items():
        toml.put(data, key, value)
    return toml.check(data, Settings, f"configuration from {path or 'the command line'}", lines=lines)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InputError(f"configuration {path} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"configuration {path} is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path} is not TOML: {error}") from None
