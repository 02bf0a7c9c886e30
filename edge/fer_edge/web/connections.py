"""Connections: how many, from whom, and how long one may do nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from fer_edge.web import limits
from fer_edge.web.guard import network_of
from fer_edge.web.replies import said

log = logging.getLogger(__name__)
_quiet = logging.getLogger("fer_edge.web.aiohttp")
_quiet.setLevel(logging.ERROR)  # no log of requests: it would hold addresses and queries, and strangers could fill it

UNIX = "unix"
Seat = Literal["usual", "spare", "none"]
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Doors:
    """Who may come in; used in the server's thread alone, read by any."""

    def __init__(self) -> None:
        """Nobody is in."""
        self._held: dict[str, int] = {}
        self._spare: Connection | None = None
        self.open = self.refused = self.malformed = self.cut = 0

    def enter(self, address: str) -> Seat:
        """Take a seat for a client, if there is one."""
        key = network_of(address)
        usual = limits.MAX_CONNECTIONS - limits.SPARE_CONNECTIONS
        crowded = address != UNIX and self._held.get(key, 0) >= limits.MAX_PER_ADDRESS
        if self.open < usual and not crowded:
            self._held[key] = self._held.get(key, 0) + 1
            self.open += 1
            return "usual"
        return "spare" if is_local(address) else "none"

    def leave(self, address: str) -> None:
        """Give a usual seat back."""
        key = network_of(address)
        self.open -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def take_spare(self, connection: Connection) -> bool:
        """The spare seat goes to the newest, unless who sits there has asked for something."""
        if self._spare is not None:
            if self._spare.asked:
                return False
            self.refused += 1
            self._spare.abort()
        self._spare = connection
        return True

    def free_spare(self, connection: Connection) -> None:
        """Give the spare seat back, if it is this one's."""
        if self._spare is connection:
            self._spare = None


class Server(web.Server):
    """Makes a `Connection` for each client."""

    def __init__(self, handler: Handler, doors: Doors) -> None:
        """In a running loop."""
        super().__init__(handler, handler_cancellation=True)
        self._doors = doors
        self.transports: set[asyncio.Transport] = set()

    def __call__(self) -> web.RequestHandler:
        """For one client that is about to connect."""
        return Connection(self, self._doors)


class Connection(web.RequestHandler):
    """One client's connection, which is refused, cut off, or served."""

    def __init__(self, server: Server, doors: Doors) -> None:
        """See `Server`."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.KEEP_ALIVE_S,
            lingering_time=limits.LINGER_S,
            max_line_size=limits.MAX_LINE_BYTES,
            max_field_size=limits.MAX_FIELD_BYTES,
            max_headers=limits.MAX_HEADERS,
            logger=_quiet,
            access_log=_quiet,
        )
        self._server, self._doors = server, doors
        self._socket: asyncio.Transport | None = None
        self._address = ""
        self._seat: Seat = "none"
        self._deadline: asyncio.TimerHandle | None = None
        self.asked = self.deaf = False

    @property
    def spare(self) -> bool:
        """Whether it only came in for a health check."""
        return self._seat == "spare"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find a seat, or close."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what `create_server` gives
        self._socket = transport
        self._address = address_of(transport)
        self._seat = self._doors.enter(self._address)
        if self._seat == "none" or (self._seat == "spare" and not self._doors.take_spare(self)):
            self._seat = "none"
            self._doors.refused += 1
            transport.abort()
            return
        transport.set_write_buffer_limits(high=0)  # `pause_writing` as soon as the client does not keep up
        self._server.transports.add(transport)
        if self.spare:
            self._deadline = asyncio.get_running_loop().call_later(limits.SPARE_S, self.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the seat back."""
        if self._seat == "none":
            return
        if self._seat == "usual":
            self._doors.leave(self._address)
        self._doors.free_spare(self)
        self._seat = "none"
        self._calm()
        if self._socket is not None:
            self._server.transports.discard(self._socket)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The client speaks; after a request that is too large nothing more is taken of it."""
        self.asked = self.asked or b"\r\n\r\n" in data
        if self.deaf and self._socket is not None:
            self._socket.pause_reading()
        elif self._seat != "none":
            super().data_received(data)

    def pause_writing(self) -> None:
        """The client does not take what it asked for; from here on it has so long."""
        super().pause_writing()
        if not self.spare:
            self._deadline = asyncio.get_running_loop().call_later(limits.WRITE_DEADLINE_S, self._cut)

    def resume_writing(self) -> None:
        """It took everything."""
        super().resume_writing()
        if not self.spare:
            self._calm()

    def abort(self) -> None:
        """Close now, whatever is unsent."""
        if self._socket is not None:
            self._socket.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP gets an answer that repeats nothing of it; a fault of ours is logged."""
        del message
        if status == 400:
            self._doors.malformed += 1
        elif not isinstance(exc, ConnectionError):  # which is a client that went in the middle
            log.error("a request failed: %s", request.path, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has already begun")
        reason = "this is not a request that can be read" if status == 400 else "something went wrong here"
        response = said(status, reason)
        response.force_close()
        return response

    def _cut(self) -> None:
        self._doors.cut += 1
        self.abort()

    def _calm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def address_of(transport: asyncio.BaseTransport) -> str:
    """The client's IP address, or `unix`."""
    peer = transport.get_extra_info("peername")
    return plain_ip(peer[0]) if isinstance(peer, tuple) else UNIX


def local_of(transport: asyncio.BaseTransport | None) -> str:
    """The IP address that the client connected to, or nothing."""
    name = transport.get_extra_info("sockname") if transport else None
    return plain_ip(name[0]) if isinstance(name, tuple) else ""


def plain_ip(text: str) -> str:
    """Without a zone, and IPv4 as IPv4."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def is_local(address: str) -> bool:
    """Whether a client is on this machine."""
    return address == UNIX or ipaddress.ip_address(address).is_loopback
