"""Answers, each with the headers that keep a browser from doing more with them than was meant."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

JSON = "application/json"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Server": "fer-edge",
    "Cache-Control": "no-store",
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""On every answer; there is none of the headers that let other sites read."""


def reply(body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer that is known in full."""
    return web.Response(body=body, status=status, headers={**HEADERS, "Content-Type": content_type, **(headers or {})})


def as_json(document: Any, status: int = 200) -> web.Response:  # noqa: ANN401 - JSON is any of six types
    """A document."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return reply(text.encode(), JSON, status)


def said(status: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    """A sentence instead of what was asked for."""
    return reply(json.dumps({"error": reason}).encode(), JSON, status, headers)


def stream(content_type: str, headers: dict[str, str] | None = None) -> web.StreamResponse:
    """An answer that goes on."""
    return web.StreamResponse(
        headers={**HEADERS, "Content-Type": content_type, "X-Accel-Buffering": "no", **(headers or {})}
    )
