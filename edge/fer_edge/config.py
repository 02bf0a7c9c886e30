"""Everything that can be set, as one TOML file with a closed set of keys; all mistakes are told at once.

A flag on the command line and a key in the file have the same name and go through the same check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator, model_validator

from fer_edge import toml
from fer_edge.errors import ConfigError
from fer_edge.files import read_up_to
from fer_edge.pipeline import PipelineOptions
from fer_edge.privacy import PrivacySettings
from fer_edge.sinks.settings import MqttSettings, RotationSettings, WebhookSettings
from fer_edge.strict import StrictModel
from fer_edge.system.governor import GovernorSettings
from fer_edge.web.settings import HttpSettings

REFERENCE = "reference.toml"
SERVICE = {"path": ("-", "/var/lib/fer-edge/events.jsonl"), "listen": ("off", "127.0.0.1:8080")}
"""Keys of a service that are not as usual: what they are else, and what they are then."""
MAX_CONFIG_BYTES = 256 * 1024
MAX_THREADS = 64
MAX_MODELS = 64
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class CameraSettings(StrictModel):
    """What is asked of a camera.

    pace: play clips at their own speed instead of as fast as possible. wait: for a camera that is not there yet; None
    waits under systemd and is an error at once in a terminal.
    """

    width_px: Annotated[int, Field(ge=16, le=16384)] = 640
    height_px: Annotated[int, Field(ge=16, le=16384)] = 480
    fps: Annotated[float, Field(gt=0.0, le=1000.0)] = 30.0
    pace: bool | None = None
    wait: bool | None = None


class DetectorSettings(StrictModel):
    """Which face detector ("auto", "yunet", "haar", "whole"); weights: a file, else looked for in the model folders."""

    name: str = "auto"
    weights: str | None = None
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] = 1


class EventSettings(StrictModel):
    """Where events go ("-" is standard output) and how often a face is told of.

    rate: events per face and second, or "all" (every frame) or "changes" (only what changes). statistics_every_s:
    between two `statistics` events. rotation: of a file.
    """

    path: str = "-"
    rate: str = "2"
    statistics_every_s: Annotated[float, Field(ge=1.0, le=86400.0)] = 60.0
    rotation: RotationSettings = RotationSettings()

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
    """The whole configuration.

    model_sha256: of the manifests that may be used; none named: whatever lies at `model`. hot_swap: a bundle that is
    put where the model came from is tried, and takes over, without a restart. trial: an artifact that was not run on
    this board yet is run in another process first, and left out if that does not live.
    """

    source: str = "auto"
    model: str = "default"
    model_sha256: Annotated[tuple[Sha256, ...], Field(strict=False, max_length=MAX_MODELS)] = ()
    runtime: str | None = None
    format: str | None = None
    precision: str | None = None
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] = 1
    max_frames: Annotated[int, Field(ge=1)] | None = None
    hot_swap: bool = False
    trial: bool = True
    camera: CameraSettings = CameraSettings()
    detector: DetectorSettings = DetectorSettings()
    pipeline: PipelineOptions = PipelineOptions()
    events: EventSettings = EventSettings()
    privacy: PrivacySettings = PrivacySettings()
    http: HttpSettings = HttpSettings()
    mqtt: MqttSettings = MqttSettings()
    webhook: WebhookSettings = WebhookSettings()
    governor: GovernorSettings = GovernorSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.http.pictures and self.privacy.mode != "events":
            raise ValueError(f"http.pictures shows pictures, which privacy.mode = {self.privacy.mode!r} rules out")
        return self


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


def reference() -> str:
    """The shipped file with every key, its default and what it means."""
    return (resources.files("fer_edge") / REFERENCE).read_text(encoding="utf-8")


def service_text() -> str:
    """The same for a service: events in its own folder, and the page for this machine."""
    text = reference()
    for key, (usual, wanted) in SERVICE.items():
        old, new = (f"{key} = {json.dumps(value)}" for value in (usual, wanted))
        text = text.replace(f"\n{old}", f"\n{new}", 1)
    return text


def as_toml(settings: Settings) -> str:
    """The settings as a file that says the same; keys without a value are left out."""
    return "\n".join(_tables(settings, ""))


def _tables(model: BaseModel, name: str) -> Iterator[str]:
    values = {key: getattr(model, key) for key in type(model).model_fields}
    if name:
        yield f"\n[{name}]"
    for key, value in values.items():
        if value is not None and not isinstance(value, BaseModel):
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"  # for these types TOML's words are JSON's
    for key, value in values.items():
        if isinstance(value, BaseModel):
            yield from _tables(value, f"{name}.{key}".lstrip("."))
    if not name:
        yield ""


def _text(path: Path) -> str:
    raw, more = read_up_to(path, MAX_CONFIG_BYTES, f"configuration {path}")
    if more:
        raise ConfigError(f"configuration {path} is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path} is not TOML: {error}") from None
