"""What is answered to which path: one table, and the way of every request through the guard to it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from fer_edge.health import Health
from fer_edge.live import Live
from fer_edge.web import limits, openapi, pages
from fer_edge.web.connections import Connection, Doors, address_of, local_of
from fer_edge.web.guard import COOKIE, Asked, Guard, Refusal
from fer_edge.web.metrics import Metrics
from fer_edge.web.picture import JPEG, MJPEG, Pictures
from fer_edge.web.replies import as_json, reply, said, stream
from fer_edge.web.sse import Feed

log = logging.getLogger(__name__)

READ = ("GET", "HEAD")
FOLLOW = ("GET",)
WRITE = ("POST",)
SPARE_PATHS = frozenset({"/healthz", "/readyz"})
_FORM = "application/x-www-form-urlencoded"
_COOKIE_END = "; Path=/; HttpOnly; SameSite=Strict"

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """Methods that a path takes, and what answers."""

    methods: tuple[str, ...]
    answer: Answer


class Site:
    """Answers requests; lives in the server's loop."""

    def __init__(self, live: Live, health: Health, guard: Guard, doors: Doors, pictures: Pictures | None) -> None:
        """In a running loop. pictures: None where they are off; their paths do not exist then."""
        self._live, self._health, self._guard, self._doors = live, health, guard, doors
        self.pictures = pictures
        self.feed = Feed(live, lambda: live.snapshot(timeline=False))
        self._metrics = Metrics(live, self.numbers)
        self._answers: Counter[str] = Counter()
        self._assets = pages.assets()
        self._described = openapi.description(pictures=pictures is not None, token=guard.closed)
        self.routes = self._table()

    def _table(self) -> dict[str, Route]:
        """All there is; what is not in here does not exist."""
        table = {path: Route(READ, self._asset) for path in self._assets} | {
            "/healthz": Route(READ, self._healthz),
            "/readyz": Route(READ, self._readyz),
            "/metrics": Route(READ, self._metrics_text),
            "/api/state": Route(READ, self._state),
            "/api/events": Route(FOLLOW, self.feed.serve),
            "/api/openapi.json": Route(READ, self._openapi),
        }
        if self._guard.closed:
            table |= {"/login": Route(WRITE, self._login), "/logout": Route(WRITE, self._logout)}
        if self.pictures is not None:
            table |= {"/snapshot.jpg": Route(READ, self._snapshot), "/stream.mjpeg": Route(FOLLOW, self._stream)}
        return table

    def numbers(self) -> dict[str, Any]:
        """The server's own, for its metrics."""
        return {
            "open": self._doors.open,
            "refused": self._doors.refused,
            "cut": self._doors.cut,
            "malformed": self._doors.malformed,
            "readers": self.feed.readers,
            "watchers": self.pictures.watchers if self.pictures else 0,
            "answers": dict(self._answers),
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request."""
        asked = asked_of(request)
        response = await self._answer(request, asked)
        self._answers[str(response.status)] += 1
        log.debug("%s %s %d", asked.method, asked.path, response.status)
        if isinstance(request.protocol, Connection) and request.protocol.spare and not response.prepared:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest, asked: Asked) -> web.StreamResponse:
        refusal = self._guard.refusal(asked)
        if refusal is not None:
            return self._refused(request, asked, refusal)
        route = self.routes.get(asked.path)
        if route is None:
            return said(404, "there is nothing here")
        if asked.method not in route.methods:
            return said(405, f"this path takes {', '.join(route.methods)}", {"Allow": ", ".join(route.methods)})
        spare = isinstance(request.protocol, Connection) and request.protocol.spare
        if spare and asked.path not in SPARE_PATHS:
            return said(503, "too many connections")
        return await route.answer(request)

    def _refused(self, request: web.BaseRequest, asked: Asked, refusal: Refusal) -> web.StreamResponse:
        """A sentence, or the form for the token where a person wants to see the page."""
        if refusal.status == 401 and asked.path == "/" and asked.method in READ:
            return self._form("This page needs a token.", 401)
        response = said(refusal.status, refusal.reason, refusal.headers)
        if refusal.status in {413, 431}:
            stop_reading(request, response)
        return response

    async def _asset(self, request: web.BaseRequest) -> web.StreamResponse:
        asset = self._assets[asked_of(request).path]
        return reply(asset.data, asset.content_type, headers={"Cache-Control": "no-cache"})

    async def _healthz(self, _: web.BaseRequest) -> web.StreamResponse:
        alive = self._health.status().alive
        return as_json({"alive": alive}, 200 if alive else 503)

    async def _readyz(self, _: web.BaseRequest) -> web.StreamResponse:
        status = self._health.status()
        document = {"ready": status.ready, "state": status.state, "reasons": status.reasons}
        return as_json(document, 200 if status.ready else 503)

    async def _metrics_text(self, _: web.BaseRequest) -> web.StreamResponse:
        return reply(self._metrics.text(), self._metrics.content_type)

    async def _state(self, _: web.BaseRequest) -> web.StreamResponse:
        return as_json(self._live.snapshot())

    async def _openapi(self, _: web.BaseRequest) -> web.StreamResponse:
        return as_json(self._described)

    async def _snapshot(self, _: web.BaseRequest) -> web.StreamResponse:
        data = await self.pictures.newest() if self.pictures else None
        return said(503, "there is no picture to show") if data is None else reply(data, JPEG)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.pictures is None or await self.pictures.newest() is None:
            return said(503, "there is no picture to show")
        response = stream(MJPEG)
        await response.prepare(request)
        await self.pictures.stream(request, response)
        return response

    async def _login(self, request: web.BaseRequest) -> web.StreamResponse:
        given = await _field(request, "token")
        if isinstance(given, web.StreamResponse):
            return given
        refusal = self._guard.try_token(given, _client(request))
        if refusal is not None:
            sentence = refusal.reason[0].upper() + refusal.reason[1:] + "."
            return self._form(sentence, refusal.status, refusal.headers)
        cookie = f"{COOKIE}={self._guard.cookie}{_COOKIE_END}"
        return reply(b"", pages.HTML, 303, {"Location": "/", "Set-Cookie": cookie})

    async def _logout(self, _: web.BaseRequest) -> web.StreamResponse:
        return reply(b"", pages.HTML, 303, {"Location": "/", "Set-Cookie": f"{COOKIE}=; Max-Age=0{_COOKIE_END}"})

    def _form(self, sentence: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
        return reply(pages.login(sentence), pages.HTML, status, {**(headers or {}), **pages.LOGIN_HEADERS})


def asked_of(request: web.BaseRequest) -> Asked:
    """What the guard looks at."""
    headers = request.headers
    return Asked(
        method=request.method,
        target=request.raw_path,
        hosts=headers.getall("Host", []),
        address=_client(request),
        local=local_of(request.transport),
        origins=headers.getall("Origin", []),
        fetch_sites=headers.getall("Sec-Fetch-Site", []),
        fetch_modes=headers.getall("Sec-Fetch-Mode", []),
        authorizations=headers.getall("Authorization", []),
        cookie=_cookie(headers.getall("Cookie", [])),
        header_bytes=sum(len(name) + len(value) + 4 for name, value in request.raw_headers),
        body_bytes=request.content_length or 0,
    )


def _client(request: web.BaseRequest) -> str:
    return address_of(request.transport) if request.transport else ""


def _cookie(lines: list[str]) -> str:
    """The value of our cookie, read without a parser that has opinions."""
    pairs = (part.strip().partition("=") for line in lines for part in line.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


async def _field(request: web.BaseRequest, name: str) -> str | web.StreamResponse:
    """One field of a form, or the answer that says what is wrong with it."""
    if request.content_type != _FORM:
        return said(415, f"expected a form, {_FORM}")
    try:
        body = await asyncio.wait_for(_body(request), limits.BODY_S)
    except asyncio.TimeoutError:
        return said(408, f"the form did not arrive within {limits.BODY_S:g} s")
    if body is None:
        response = said(413, f"the body is larger than {limits.MAX_BODY_BYTES} bytes")
        stop_reading(request, response)
        return response
    try:
        found = parse_qs(body.decode("utf-8"), strict_parsing=True, max_num_fields=4).get(name, [])
    except ValueError:
        found = []
    return found[0] if len(found) == 1 else said(400, f"expected a form with one field {name}")


async def _body(request: web.BaseRequest) -> bytes | None:
    """All of it, or None as soon as it is too large."""
    body = b""
    while not request.content.at_eof():
        body += await request.content.readany()
        if len(body) > limits.MAX_BODY_BYTES:
            return None
    return body


def stop_reading(request: web.BaseRequest, response: web.Response) -> None:
    """Take nothing more of a request that is too large; the client has a moment to read why."""
    response.force_close()
    if isinstance(request.protocol, Connection):
        request.protocol.deaf = True
