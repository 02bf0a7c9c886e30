"""The JSON Schema of results, from the dataclasses that write them: `python -m fer_bench.results.schema > schema.json`.

The file beside this module is what it prints; a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_bench.machine.environment import Conditions, Environment
from fer_bench.results.kinds import GATES, MEASURED, ROWS, named, row_type
from fer_bench.results.provenance import Difference
from fer_bench.results.report import SCHEMA_VERSION

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILE = Path(__file__).with_name("schema.json")
SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TIME = {"type": "string", "format": "date-time"}
OBJECT = {"type": "object"}
DESCRIPTION = (
    "What `fer-bench --json` writes. A key keeps its name and meaning within a schema version; new keys may come. "
    "docs/reference/benchmark-results.md describes them."
)

Schema = dict[str, Any]


def document() -> Schema:
    """The whole schema."""
    definitions: dict[str, Schema] = {}
    for part in (Environment, Conditions, Difference, named(GATES), *map(row_type, ROWS)):
        _define(part, definitions)
    common = {
        "schema_version": {"const": SCHEMA_VERSION},
        "kind": {"enum": list(ROWS)},
        "complete": {"type": "boolean"},
        "time": TIME,
        "options": OBJECT,
        "notes": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": OBJECT},
    }
    return {
        "$schema": DRAFT,
        "title": "A result of fer-bench",
        "description": DESCRIPTION,
        "type": "object",
        "properties": common,
        "required": list(common),
        "allOf": [_of_kind(kind) for kind in ROWS],
        "$defs": definitions,
    }


def _of_kind(kind: str) -> Schema:
    rows = {"type": "array", "items": {"$ref": f"#/$defs/{row_type(kind).__name__}"}}
    properties = {"rows": rows, **(_measured() if kind in MEASURED else _compared()), **EXTRA.get(kind, {})}
    return {
        "if": {"properties": {"kind": {"const": kind}}},
        "then": {"properties": properties, "required": list(properties)},
    }


def _measured() -> Schema:
    moments = {"before": {"$ref": "#/$defs/Conditions"}, "after": {"$ref": "#/$defs/Conditions"}}
    bundle = {
        "name": {"type": "string"},
        "path": {"type": "string"},
        "sha256": SHA256,
        "labels": {"type": "array", "items": {"type": "string"}},
        "preprocess": OBJECT,
    }
    return {
        "bundle": {"type": "object", "properties": bundle, "required": list(bundle)},
        "environment": {
            "allOf": [
                {"$ref": "#/$defs/Environment"},
                {"type": "object", "properties": moments, "required": list(moments)},
            ]
        },
    }


def _compared() -> Schema:
    source = {"path": {"type": "string"}, "sha256": SHA256, "time": TIME}
    sources = {"type": "array", "items": {"type": "object", "properties": source, "required": list(source)}}
    side = {"name": {"type": "string"}, "time": TIME, "bundle": OBJECT, "sources": sources}
    half = {"type": "object", "properties": side, "required": list(side)}
    return {
        "of": {"enum": list(MEASURED)},
        "base": half,
        "new": half,
        "interleaved": {"type": "boolean"},
        "differences": {"type": "array", "items": {"$ref": "#/$defs/Difference"}},
        "conditions": {"type": "array", "items": {"$ref": "#/$defs/GateResult"}},
    }


EXTRA: dict[str, Schema] = {
    "accuracy": {
        "data": {
            "type": "object",
            "properties": {
                "source": {"type": "string"},
                "split": {"type": ["string", "null"]},
                "n": {"type": "integer"},
                "sha256": SHA256,
                "targets": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["source", "split", "n", "sha256", "targets"],
        }
    }
}
"""Keys of one kind alone."""


def _define(part: type[Any], definitions: dict[str, Schema]) -> Schema:
    """A dataclass under $defs, and the reference to it; every field is always written."""
    name = part.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = typing.get_type_hints(part)
        names = [each.name for each in dataclasses.fields(part)]
        definitions[name] = {
            "description": " ".join((part.__doc__ or "").split()),
            "type": "object",
            "properties": {each: of_type(hints[each], definitions) for each in names},
            "required": names,
        }
    return {"$ref": f"#/$defs/{name}"}


def of_type(hint: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: ANN401 - any annotation
    """The schema of one annotation, as `dataclasses.asdict` and `json` write its values; TypeError for unknown ones."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _define(hint, definitions)
    return _of_generic(hint, definitions)


def _of_generic(hint: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: ANN401 - any annotation
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [of_type(each, definitions) for each in inner]}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin is tuple and inner[-1:] != (...,):
        parts = [of_type(each, definitions) for each in inner]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
    if origin in {tuple, list, Sequence}:
        return {"type": "array", "items": of_type(inner[0], definitions)}
    if origin in {dict, Mapping}:
        return {"type": "object", "additionalProperties": of_type(inner[1], definitions)}
    raise TypeError(f"results cannot hold a {hint}: the schema knows no such thing")


def text() -> str:
    """The schema as it is published."""
    return json.dumps(document(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
