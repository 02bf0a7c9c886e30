"""What the page on recipes says is what the schema has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from fer_train.recipe import Recipe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "recipe.md"


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and default; a sub-table's keys in place of the sub-table."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        table = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if table is not None and name != "crop":
            yield from fields(table, f"{prefix}{name}.")
        else:
            yield prefix + name, field.get_default(call_default_factory=True)


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \|([^|]*)\|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {key: default.strip() for key, default in rows}


def test_every_key_is_documented_and_no_other() -> None:
    assert set(documented()) == {key for key, _ in fields(Recipe)}


def test_the_documented_defaults_are_the_real_ones() -> None:
    said = documented()
    for key, value in fields(Recipe):
        if value is PydanticUndefined:
            assert said[key] == "", key
        elif value is None:
            assert said[key] == "none", key
        else:
            assert said[key] == f"`{json.dumps(value)}`", key
