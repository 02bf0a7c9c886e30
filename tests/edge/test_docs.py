"""What the reference pages say is what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fer_edge.config import Settings
from fer_edge.events import TYPES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"


def defaults(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from defaults(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def documented() -> dict[str, str]:
    """Key to default, as the page's tables have them."""
    rows = re.findall(
        r"^\| `([a-z_.]+)` \|(.*)\|$", (DOCS / "configuration.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {
        key: next((cell.strip() for cell in rest.split("|")[:-1] if re.match(r" `[\"0-9]", cell)), "")
        for key, rest in rows
    }


def test_every_key_is_documented_and_no_other() -> None:
    assert set(documented()) == {key for key, _ in defaults(Settings())}


def test_the_documented_defaults_are_the_real_ones() -> None:
    said = documented()
    for key, value in defaults(Settings()):
        if value is not None:
            assert said[key] == (f'`"{value}"`' if isinstance(value, str) else f"`{value}`"), key


def test_every_event_type_is_documented() -> None:
    page = (DOCS / "events.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in page for kind in TYPES)
