"""Server-sent events: what happened since, as it happens, and the state for a page that is open."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from fer_edge.live import Live
from fer_edge.web import limits
from fer_edge.web.replies import stream

CONTENT_TYPE = "text/event-stream"
_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


@dataclass(eq=False)
class Reader:
    """One client: the number of the last event it was given, whether it wants states too, and the last it was given."""

    number: int
    states: bool
    shown: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Feed:
    """Hands events and states to all readers; holds nothing per reader but its place, so a slow one costs nothing.

    Lives in the server's loop; only `_woken` is called from other threads.
    """

    def __init__(self, live: Live, state: Callable[[], dict[str, Any]]) -> None:
        """state: what a page is sent while it is open."""
        self._live, self._state = live, state
        self._readers: set[Reader] = set()
        self._loop = asyncio.get_running_loop()
        self._pending = threading.Event()
        self._ticker: asyncio.Task[None] | None = None
        self._text, self._version = "", 0
        self._closing = False
        self._unlisten = live.listen(self._woken)

    @property
    def readers(self) -> int:
        """How many read along."""
        return len(self._readers)

    def close(self) -> None:
        """Let all readers go."""
        self._closing = True
        self._unlisten()
        self._ring()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one client until it goes, or the server does."""
        reader = self._admit(request.headers.get("Last-Event-ID"), states=request.query.get("state") == "1")
        response = stream(CONTENT_TYPE)
        try:
            await response.prepare(request)
            await self._send(request, response, f"retry: {limits.RETRY_MS}\n\n")
            while not self._closing:
                await self._send(request, response, self._news(reader) or await self._wait(reader))
        finally:
            self._readers.discard(reader)
        return response

    async def _send(self, request: web.BaseRequest, response: web.StreamResponse, text: str) -> None:
        """Returns when the kernel has taken it; a client that takes nothing is cut off by its connection."""
        if text:
            await response.write(text.encode())
            await request.writer.drain()

    async def _wait(self, reader: Reader) -> str:
        """Nothing, when there may be news; a sign of life when there was none for long."""
        try:
            await asyncio.wait_for(reader.wake.wait(), limits.HEARTBEAT_S)
        except asyncio.TimeoutError:
            return ": still here\n\n"
        return ""

    def _admit(self, last_id: str | None, *, states: bool) -> Reader:
        """A reader who begins now, or goes on where it broke off in this run of the daemon."""
        newest = self._live.newest
        match = _ID.fullmatch(last_id or "")
        reader = Reader(newest, states, self._version)
        self._readers.add(reader)
        if match and match[1] == self._live.run_id:
            reader.number = min(int(match[2]), newest)
        if states and (self._ticker is None or self._ticker.done()):
            self._ticker = self._loop.create_task(self._tick())
        return reader

    def _news(self, reader: Reader) -> str:
        """What this reader has not been given yet."""
        reader.wake.clear()
        found, lost = self._live.since(reader.number)
        parts = [f'event: gap\ndata: {{"lost_events":{lost}}}\n\n'] if lost else []
        for told in found:
            parts.append(f"id: {self._live.run_id}-{told.number}\ndata: {told.text}\n\n")
            reader.number = told.number
        if reader.states and reader.shown != self._version:
            reader.shown = self._version
            parts.append(f"event: state\ndata: {self._text}\n\n")
        return "".join(parts)

    async def _tick(self) -> None:
        """Make the state once for all who want it, as long as anybody does."""
        seen, quiet_s = None, limits.QUIET_STATE_EVERY_S
        while not self._closing:
            state = self._state()
            key = (state["frame"] and state["frame"]["seq"], state["state"])
            quiet_s += limits.STATE_EVERY_S
            if key != seen or quiet_s >= limits.QUIET_STATE_EVERY_S:
                seen, quiet_s = key, 0.0
                self._text = json.dumps(state, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
                self._version += 1
                self._ring()
            await asyncio.sleep(limits.STATE_EVERY_S)
            if not any(reader.states for reader in self._readers):
                return

    def _woken(self) -> None:
        """An event came, in whatever thread; the loop is told once, however many follow."""
        if self._readers and not self._pending.is_set():
            self._pending.set()
            try:
                self._loop.call_soon_threadsafe(self._ring)
            except RuntimeError:  # the loop has just ended
                self._closing = True

    def _ring(self) -> None:
        self._pending.clear()
        for reader in self._readers:
            reader.wake.set()
