"""The web server: a thread with a loop of its own that listens, answers, and is gone within two seconds when told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from fer_edge.clock import Clock
from fer_edge.errors import ConfigError, OutputError
from fer_edge.health import Health
from fer_edge.live import Live
from fer_edge.system.secrets import Secret
from fer_edge.web import limits
from fer_edge.web.connections import Doors, Server
from fer_edge.web.guard import Guard
from fer_edge.web.picture import Pictures, Preview
from fer_edge.web.routes import Site
from fer_edge.web.settings import HttpSettings, parse_listen, read_token
from fer_edge.web.sockets import listening, remove, where

log = logging.getLogger(__name__)

START_S = 20.0
"""A loop that is not there by then never will be."""


class WebServer:
    """Serves what `live` holds. `start` and `close` belong to one thread."""

    def __init__(
        self, settings: HttpSettings, live: Live, health: Health, clock: Clock, preview: Preview | None = None
    ) -> None:
        """Nothing is opened yet. preview: what pictures are made of; needed where they are on."""
        self._settings, self._live, self._health, self._clock = settings, live, health, clock
        self._preview = preview
        self._listen = parse_listen(settings.listen)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._sockets: list[socket.socket] = []
        self.urls: list[str] = []
        self.doors = Doors()
        self.site: Site | None = None

    def start(self) -> None:
        """Return when it listens; nothing happens when it is off.

        Raises ConfigError for settings that contradict each other or a token that cannot be used, OutputError for an
        address that cannot be had, RuntimeUnavailable where the encoder of pictures is missing.
        """
        if self._listen.off:
            return
        token = read_token(self._settings.token_file) if self._settings.token_file else None
        self._check(token)
        self._sockets = listening(self._listen)
        self.urls = [_url(each) for each in self._sockets]
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(token, started), name="web", daemon=True)
        self._thread.start()
        try:
            started.result(START_S)
        except BaseException as error:
            self.close()
            if isinstance(error, FutureTimeoutError):
                raise OutputError(f"the page at {self._settings.listen} did not begin within {START_S:g} s") from None
            raise
        self._live.pictures(self._settings.pictures)
        log.info("the page is at %s", ", ".join(self.urls))

    def close(self) -> None:
        """Let everybody go; may be called twice."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(limits.CLOSE_S)
        for each in self._sockets:
            each.close()
        if self._sockets and self._listen.path:
            remove(self._listen.path)
        self._sockets, self._thread, self._loop, self._stop = [], None, None, None

    def _check(self, token: Secret | None) -> None:
        if token is None and not self._listen.private:
            raise ConfigError(
                f"http.listen = {self._settings.listen!r} can be reached from other machines: set a token"
            )
        if self._settings.pictures and self._live.privacy.mode != "events":
            raise ConfigError(f"http.pictures cannot be on in the privacy mode {self._live.privacy.mode}")
        if self._settings.pictures and self._preview is None:
            raise ConfigError("http.pictures is on, but nothing holds pictures")

    def _run(self, token: Secret | None, started: Future[None]) -> None:
        """The thread."""
        try:
            asyncio.run(self._serve(token, started))
        except Exception as error:
            if started.done():
                log.exception("the web server has ended")
                self._health.report("web", f"the web server has ended: {error}")
            else:
                started.set_exception(error)

    async def _serve(self, token: Secret | None, started: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(_complain)
        pictures = None
        if self._settings.pictures and self._preview is not None:
            settings = self._settings
            pictures = Pictures(self._preview, self._health, settings.picture_fps, settings.picture_quality)
        site = self.site = Site(
            self._live, self._health, Guard(self._settings.names, token, self._clock), self.doors, pictures
        )
        server = Server(site.answer, self.doors)
        listeners = [
            await self._loop.create_server(server, sock=each, backlog=limits.BACKLOG) for each in self._sockets
        ]
        started.set_result(None)
        try:
            await self._stop.wait()
        finally:
            await _end(listeners, server, site)


async def _end(listeners: list[asyncio.Server], server: Server, site: Site) -> None:
    """Nobody new, streams end, answers are finished or cut."""
    for each in listeners:
        each.close()
    site.feed.close()
    if site.pictures is not None:
        site.pictures.close()
    server.pre_shutdown()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.shutdown(limits.SHUTDOWN_S), 2 * limits.SHUTDOWN_S)
    for transport in list(server.transports):
        transport.abort()
    await asyncio.sleep(0)


def _complain(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What nobody waited for goes to our log, in one line, and not to standard error."""
    log.warning("web: %s: %s", context.get("message"), context.get("exception"))


def _url(listening_at: socket.socket) -> str:
    name = listening_at.getsockname()
    return f"http://{where(name[0], name[1])}/" if isinstance(name, tuple) else f"unix:{name}"
