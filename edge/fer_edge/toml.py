"""TOML with `key=value` laid over it, checked against a closed set of keys: configuration and recipes are read so."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fer_edge.errors import ConfigError, UsageError
from fer_edge.strict import problems

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

M = TypeVar("M", bound=BaseModel)
_NAME = r"(?P<name>(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)"
_TABLE = re.compile(r"\s*\[\s*" + _NAME + r"\s*\]")
_KEY = re.compile(r"\s*" + _NAME + r"\s*=")


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


def check(
    data: dict[str, Any],
    model: type[M],
    what: str,
    *,
    strict: bool | None = None,
    lines: Mapping[str, int] | None = None,
) -> M:
    """Validate tables; raises ConfigError, which begins with `what` and tells every mistake, with the nearest key.

    lines: where keys stand in the file, as `lines_of` tells it.
    """
    try:
        return model.model_validate(data, strict=strict)
    except ValidationError as error:
        told = [_placed(_suggest(line, model), lines or {}) for line in problems(error)]
        raise ConfigError(f"{what}: " + "; ".join(told)) from None


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of every table and key that begins a line of a TOML text, by its dotted name.

    A search and no parser: what stands in the middle of a line, or in a string of several lines, may be missed or told
    wrongly, which costs no more than a number in a message.
    """
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        head = _TABLE.match(line)
        if head:
            table = _plain(head["name"])
            found.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            found.setdefault(f"{table}.{_plain(key['name'])}".lstrip("."), number)
    return found


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _placed(line: str, lines: Mapping[str, int]) -> str:
    """A line about a key with its number before it; the number of its table where the key itself is not there."""
    key = re.split(r"[ :]", line, maxsplit=1)[0]
    while key:
        if key in lines:
            return f"line {lines[key]}: {line}"
        key = key.rpartition(".")[0]
    return line


def _value(text: str) -> Any:  # noqa: ANN401 - TOML's types
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _keys(model: type[BaseModel]) -> set[str]:
    """All key names of a model and of the models in it."""
    found = set(model.model_fields)
    for name in model.model_fields:
        inner = _inner(model, name)
        found |= _keys(inner) if inner else set()
    return found


def _inner(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of a key that is a table."""
    kind = model.model_fields[name].annotation if name in model.model_fields else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _suggest(line: str, model: type[BaseModel]) -> str:
    """Add the nearest key to a line about an unknown one: of its own table, else of any."""
    where, unknown, _ = line.partition(" is not a known key")
    if not unknown:
        return line
    *tables, key = where.split(".")
    table: type[BaseModel] | None = model
    for name in tables:
        table = _inner(table, name) if table else None
    for keys in (set(table.model_fields) if table else set(), _keys(model)):
        near = difflib.get_close_matches(key, sorted(keys), n=1)
        if near:
            return f"{line}; did you mean {near[0]}?"
    return line
