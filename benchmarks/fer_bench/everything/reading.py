"""A result file of any kind as the document that was written, checked by `results.reading`, parts of `all` included."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from fer_bench.results.kinds import MEASURED
from fer_bench.results.reading import MAX_RESULT_BYTES
from fer_bench.results.reading import read as checked
from fer_bench.verdict.facts import ALL, Json
from fer_edge.errors import InputError
from fer_edge.files import read_up_to
from fer_edge.strict import loads_json

PARTS = tuple(kind for kind in MEASURED if kind != ALL)


def read(path: Path) -> Json:
    """Read one file; raises InputError when it is missing, too large, damaged, of a later schema, or not a result."""
    checked(path)
    raw, _ = read_up_to(path, MAX_RESULT_BYTES, f"the result {path}")
    document: Json = loads_json(raw)
    if document["kind"] == ALL:
        _check_parts(document, path)
    return document


def _check_parts(document: Json, path: Path) -> None:
    parts = document.get("parts")
    if not isinstance(parts, dict):
        raise InputError(f"{path} is not a whole all result: it has no parts")
    for name, part in parts.items():
        if name not in PARTS or not isinstance(part, dict) or part.get("kind") != name:
            raise InputError(f"{path} is damaged: its part {name!r} is no result of that kind")
        _check_part(part, f"part {name} of {path}")


def _check_part(part: dict[str, Any], where: str) -> None:
    """By the reader of results, which reads files."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(part, file)
        file.flush()
        try:
            checked(Path(file.name))
        except InputError as error:
            raise InputError(str(error).replace(file.name, where)) from None
