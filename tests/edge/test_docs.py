"""What the reference pages say is what the code does."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fer_edge import config, toml
from fer_edge.config import Settings
from fer_edge.daemon.reload import changed
from fer_edge.events import TYPES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"


def defaults(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from defaults(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def reference() -> tuple[dict[str, Any], set[str]]:
    """Key to value as the shipped file sets them, and the keys that stand in it as comments."""
    found, commented, table = {}, set(), ""
    for line in config.reference().splitlines():
        if head := re.match(r"\[([a-z_.]+)\]$", line):
            table = f"{head[1]}."
        elif idle := re.match(r"# ([a-z0-9_]+) = ", line):
            commented.add(table + idle[1])
        elif key := re.match(r"([a-z0-9_]+) = ", line):
            found[table + key[1]] = toml.parse(line, "")[key[1]]
    return found, commented


def test_every_key_stands_in_the_shipped_file_and_no_other() -> None:
    found, commented = reference()
    assert found.keys() | commented == {key for key, _ in defaults(Settings())}
    assert not found.keys() & commented


def test_the_shipped_file_says_the_real_defaults() -> None:
    found, _ = reference()
    real = {key: list(value) if isinstance(value, tuple) else value for key, value in defaults(Settings())}
    assert found == {key: value for key, value in real.items() if value is not None}


def test_the_shipped_file_is_a_good_configuration_and_so_is_each_of_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(config.reference(), encoding="utf-8")
    assert config.load(path, {}, []) == Settings()
    apart = {"url_file", "events"}  # these do not go with others, or are tables' names too
    lines = [re.sub(r"^# ([a-z_]+ = )", r"\1", line) for line in config.reference().splitlines()]
    text = "\n".join(f"# {line}" if line.partition(" =")[0] in apart else line for line in lines)
    path.write_text(text.replace("tls = false", "tls = true"), encoding="utf-8")
    assert config.load(path, {}, []).mqtt.host == "broker.local"


def test_a_services_file_differs_in_two_keys(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(config.service_text(), encoding="utf-8")
    found = config.load(path, {}, [])
    assert (found.events.path, found.http.listen) == ("/var/lib/fer-edge/events.jsonl", "127.0.0.1:8080")
    assert changed(found, Settings()) == {"events.path", "http.listen"}


def test_the_page_shows_the_shipped_file() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert f"```toml\n{config.reference()}```" in page


def test_every_limit_on_the_page_is_the_real_one() -> None:
    page = (DOCS / "limits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z.]+)\.([A-Z_]+)` \| ([0-9.]+) \|", page, re.MULTILINE)
    assert len(rows) > 20
    for module, name, value in rows:
        found = getattr(importlib.import_module(f"fer_edge.{module}"), name)
        assert found == float(value), f"{module}.{name} is {found}"


def test_every_event_type_is_documented() -> None:
    page = (DOCS / "events.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in page for kind in TYPES)
