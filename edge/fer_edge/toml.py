"""TOML with `key=value` laid over it, checked against a closed set of keys: configuration and recipes are read so."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fer_edge.errors import ConfigError, UsageError
from fer_edge.strict import problems

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

M = TypeVar("M", bound=BaseModel)


def parse(text: str, what: str) -> dict[str, Any]:
    """The tables of a TOML text; raises ConfigError, which begins with `what`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{what} is not TOML: {error}") from None


def assign(data: dict[str, Any], items: Iterable[str]) -> None:
    """Lay `key.sub=value` over tables, the value in TOML's syntax or plain text; UsageError for anything else."""
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, found {item!r}")
        put(data, key.strip(), _value(value))


def put(data: dict[str, Any], dotted: str, value: Any) -> None:  # noqa: ANN401 - TOML's types
    """Set one key, making the tables on the way; UsageError where a value stands in it."""
    *parents, last = dotted.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise UsageError(f"{dotted}: {parent} holds a value, not a table")
    data[last] = value


def check(data: dict[str, Any], model: type[M], what: str, *, strict: bool | None = None) -> M:
    """Validate tables; raises ConfigError, which begins with `what` and tells every mistake, with the nearest key."""
    try:
        return model.model_validate(data, strict=strict)
    except ValidationError as error:
        lines = [_suggest(line, model) for line in problems(error)]
        raise ConfigError(f"{what}: " + "; ".join(lines)) from None


def _value(text: str) -> Any:  # noqa: ANN401 - TOML's types
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _keys(model: type[BaseModel]) -> set[str]:
    """All key names of a model and of the models in it."""
    found = set(model.model_fields)
    for info in model.model_fields.values():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found |= _keys(info.annotation)
    return found


def _suggest(line: str, model: type[BaseModel]) -> str:
    """Add the nearest key to a line about an unknown one."""
    where, unknown, _ = line.partition(" is not a known key")
    if not unknown:
        return line
    near = difflib.get_close_matches(where.rsplit(".", 1)[-1], sorted(_keys(model)), n=1)
    return f"{line}; did you mean {near[0]}?" if near else line
