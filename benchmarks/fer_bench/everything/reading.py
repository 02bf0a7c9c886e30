"""A result file of any kind as the document that was written, checked by `results.reading`, parts of `all` included."""

from __future__ import annotations

from pathlib import Path

from fer_bench.results.reading import MAX_RESULT_BYTES, parts
from fer_bench.results.reading import read as checked
from fer_bench.verdict.facts import Json
from fer_edge.files import read_up_to
from fer_edge.strict import loads_json


def read(path: Path) -> Json:
    """Read one file; raises InputError when it is missing, too large, damaged, of a later schema, or not a result."""
    parts(checked(path))
    raw, _ = read_up_to(path, MAX_RESULT_BYTES, f"the result {path}")
    document: Json = loads_json(raw)
    return document
