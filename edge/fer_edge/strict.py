"""The base of everything read from a file: unknown keys are errors, nothing is bent to fit, nothing changes later."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class StrictModel(BaseModel):
    """A frozen record that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def problems(error: ValidationError) -> list[str]:
    """One line per mistake: where it is, what is wrong, what was found."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or "top level"
        found = repr(item["input"])
        found = found if len(found) <= 60 else found[:57] + "..."
        if item["type"] == "missing":
            lines.append(f"{where} is missing")
        elif item["type"] == "extra_forbidden":
            lines.append(f"{where} is not a known key")
        elif item["type"] == "value_error":  # a rule of our own, in its own words
            plain = isinstance(item["input"], (str, int, float))  # a whole table would drown them
            lines.append(f"{where}: {item['ctx']['error']}" + (f" (found {found})" if plain else ""))
        else:
            lines.append(f"{where}: {item['msg'][0].lower()}{item['msg'][1:]} (found {found})")
    return lines


def loads_json(text: bytes) -> Any:  # noqa: ANN401 - JSON is any of six types
    """Parse JSON, refusing duplicate keys and NaN; raises ValueError with a one-line reason."""

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"the key {key!r} occurs twice")
            found[key] = value
        return found

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not allowed")

    try:
        return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
