"""The interface described by OpenAPI 3.1, for programs that want to know what is answered where."""

from __future__ import annotations

from typing import Any, get_args

from fer_edge import __version__
from fer_edge.health import State
from fer_edge.privacy import Mode

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
JSON = "application/json"


def _object(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    """A closed object: what it may hold, and what of that may be missing."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _schemas() -> Schema:
    reasons = {"description": "per part, in one sentence, what is wrong", **_map(TEXT)}
    state = {"enum": list(get_args(State))}
    return {
        "Error": _object({"error": TEXT}),
        "Alive": _object({"alive": FLAG}),
        "Ready": _object({"ready": FLAG, "state": state, "reasons": reasons}),
        "Face": _face(),
        "State": _object(
            {
                "schema_version": {"const": 1},
                "time": {"type": "string", "format": "date-time"},
                "run": TEXT,
                "up_s": NUMBER,
                "state": state,
                "ready": FLAG,
                "reasons": reasons,
                "privacy": _object({"mode": {"enum": list(get_args(Mode))}, "pictures": FLAG}),
                "who": {"type": "object", "description": "what the event `started` said"},
                "labels": _list(TEXT),
                "frame": _or_null(_object({"seq": COUNT, "width_px": COUNT, "height_px": COUNT, "age_s": NUMBER})),
                "faces": _or_null(_list({"$ref": "#/components/schemas/Face"})),
                "fps": NUMBER,
                "counts": _map(_or_null(COUNT)),
                "board": _or_null(_board()),
                "timeline": _or_null(_timeline()),
                "aggregate": _or_null(_aggregate()),
                "stages_ms": _map(_object({"p50": NUMBER, "p95": NUMBER})),
            }
        ),
    }


def _face() -> Schema:
    return _object(
        {
            "track": COUNT,
            "label": TEXT,
            "confidence": SHARE,
            "probabilities": _map(SHARE),
            "box": {**_list(NUMBER), "minItems": 4, "maxItems": 4},
            "score": SHARE,
        }
    )


def _board() -> Schema:
    return _object(
        {
            "temperature_c": _or_null(NUMBER),
            "throttled": _or_null(_list(TEXT)),
            "memory_available_bytes": _or_null(COUNT),
        }
    )


def _timeline() -> Schema:
    point = {
        "type": "array",
        "description": "second, most faces at once, mean probability per label of the most prominent face",
        "prefixItems": [COUNT, COUNT, _or_null(_list(SHARE))],
        "minItems": 3,
        "maxItems": 3,
    }
    return _object({"step_s": {"const": 1}, "now": COUNT, "points": _list(point)})


def _aggregate() -> Schema:
    stamp = {"type": "string", "format": "date-time"}
    counted = _map(_or_null(COUNT))
    window = _object({"since": stamp, "time": stamp, "people": _or_null(COUNT), "labels": counted})
    return _object({"window_s": NUMBER, "min_group": COUNT, "windows": _list(window)})


def _content(content_type: str, schema: Schema | None = None) -> Schema:
    return {content_type: {"schema": schema or TEXT}}


def _named(name: str) -> Schema:
    return _content(JSON, {"$ref": f"#/components/schemas/{name}"})


def _get(summary: str, content: Schema, others: dict[int, tuple[str, Schema]] | None = None) -> Schema:
    responses = {"200": {"description": "as asked", "content": content}}
    for status, (text, body) in (others or {}).items():
        responses[str(status)] = {"description": text, "content": body}
    return {"summary": summary, "responses": responses}


def _paths() -> Schema:
    events = _get("What happens, as it happens, as server-sent events", _content("text/event-stream"))
    events["parameters"] = [
        {"name": "state", "in": "query", "schema": {"enum": ["0", "1"]}, "description": "1: states too"},
        {"name": "Last-Event-ID", "in": "header", "schema": TEXT, "description": "go on after this event"},
    ]
    return {
        "/": {"get": _get("The page", _content("text/html"))},
        "/page.css": {"get": _get("How the page looks", _content("text/css"))},
        "/page.js": {"get": _get("What the page does", _content("text/javascript"))},
        "/charts.js": {"get": _get("What the page draws", _content("text/javascript"))},
        "/icon.svg": {"get": _get("The page's icon", _content("image/svg+xml"))},
        "/healthz": {"get": _get("Whether it lives", _named("Alive"), {503: ("it is stopping", _named("Alive"))})},
        "/readyz": {
            "get": _get(
                "Whether it can tell expressions now, and if not, why",
                _named("Ready"),
                {503: ("not now", _named("Ready"))},
            )
        },
        "/metrics": {"get": _get("For Prometheus", _content("text/plain"))},
        "/api/state": {"get": _get("Everything of now, and the last minutes", _named("State"))},
        "/api/events": {"get": events},
        "/api/openapi.json": {"get": _get("This description", _content(JSON, {"type": "object"}))},
    }


def _picture_paths() -> Schema:
    none = {503: ("there is no picture to show", _named("Error"))}
    return {
        "/snapshot.jpg": {"get": _get("What the camera sees", _content("image/jpeg"), none)},
        "/stream.mjpeg": {"get": _get("The same, going on", _content("multipart/x-mixed-replace"), none)},
    }


def _token_paths() -> Schema:
    form = {"application/x-www-form-urlencoded": {"schema": _object({"token": TEXT})}}
    page = _content("text/html")
    statuses = {303: "see the page", 401: "that is not the token", 429: "too many wrong ones"}
    login = {str(status): {"description": text, "content": page} for status, text in statuses.items()}
    refused = {400: "no form with one token", 408: "too slow", 415: "no form"}
    login |= {str(status): {"description": text, "content": _named("Error")} for status, text in refused.items()}
    logout = {"303": {"description": "see the page", "content": page}}
    return {
        "/login": {
            "post": {
                "summary": "Hand in the token, get the cookie",
                "security": [],
                "requestBody": {"content": form},
                "responses": login,
            }
        },
        "/logout": {"post": {"summary": "Give the cookie back", "responses": logout}},
    }


ANYWHERE = {
    400: "this is not a request that can be read",
    403: "from another site",
    405: "not this method",
    413: "the body is too large",
    421: "not our host name",
    431: "the headers are too large",
    503: "too many connections",
}
"""What any path may answer, as an `Error`."""


def description(*, pictures: bool, token: bool) -> dict[str, Any]:
    """Of a server with these settings: what is off is not described."""
    paths = _paths() | (_picture_paths() if pictures else {}) | (_token_paths() if token else {})
    anywhere = dict(ANYWHERE)
    if token:
        anywhere |= {401: "this needs a token", 429: "too many wrong tokens"}
    for methods in paths.values():
        for operation in methods.values():
            for status, text in anywhere.items():
                operation["responses"].setdefault(str(status), {"description": text, "content": _named("Error")})
    if token:
        paths["/"]["get"]["responses"]["401"]["content"] = _content("text/html")
        paths["/healthz"]["get"]["security"] = []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fer-edge",
            "version": __version__,
            "description": "GET changes nothing. Where a token is set, every path but /healthz needs it.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "fer_edge"},
            },
        },
        "security": [{"bearer": []}, {"cookie": []}] if token else [],
    }
