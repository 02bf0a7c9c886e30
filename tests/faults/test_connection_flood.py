"""Fault 27: thousands of connections, most of which say nothing or never finish saying it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator

import pytest

from fer_edge.web.limits import KEEP_ALIVE_S, MAX_CONNECTIONS, MAX_PER_ADDRESS, SPARE_CONNECTIONS
from support.brokers import until
from support.http import Paced, Served, face, serving

pytest.importorskip("aiohttp")

from fer_edge.web.connections import Doors

ATTEMPTS = 1500
HELD = 400
"""Sockets that the attackers keep open on their side."""
FPS = 30.0
PATIENCE_S = 30.0


class Flood:
    """Connections from some addresses of this machine, opened one after the other without end; see `ATTEMPTS`."""

    def __init__(self, served: Served, addresses: list[str], words: bytes) -> None:
        self._served, self._addresses, self._words = served, addresses, words
        self._held: deque[socket.socket] = deque()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.attempts = 0
        self.most = 0
        self.half = threading.Event()

    def __enter__(self) -> Flood:  # noqa: PYI034 - `Self` needs Python 3.11
        self._thread.start()
        assert self.half.wait(PATIENCE_S)
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.join(PATIENCE_S)
        for each in self._held:
            each.close()

    def _run(self) -> None:
        while self.attempts < ATTEMPTS:
            with contextlib.suppress(OSError):
                self._attempt(self._addresses[self.attempts % len(self._addresses)])
            self.attempts += 1
            self.most = max(self.most, self._served.server.doors.open)
            if self.attempts > ATTEMPTS // 2:
                self.half.set()

    def _attempt(self, address: str) -> None:
        if len(self._held) >= HELD:
            self._held.popleft().close()
        client = socket.create_connection(("127.0.0.1", self._served.port), 5.0, source_address=(address, 0))
        self._held.append(client)
        if self._words:
            client.sendall(self._words)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


def healthy(served: Served) -> bool:
    """Whether a health check from this machine is answered; one that is pushed aside may try again."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            return served.ask("/healthz").status == 200
    return False


def wait_until_empty(served: Served) -> float:
    """Seconds until no connection is held."""
    before_s, pause = served.clock.monotonic_s(), threading.Event()
    while served.server.doors.open and served.clock.monotonic_s() - before_s < PATIENCE_S:
        pause.wait(0.05)
    return served.clock.monotonic_s() - before_s


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "], ids=["silent", "slowloris"])
def test_one_address_gets_eight_and_a_health_check_still_comes_through(served: Served, words: bytes) -> None:
    with Paced(lambda: served.step(face()), FPS) as paced, Flood(served, ["127.0.0.1"], words) as flood:
        assert healthy(served)
        rate = paced.rate()
    assert flood.attempts == ATTEMPTS
    assert flood.most <= MAX_PER_ADDRESS
    assert rate > 0.9 * FPS
    assert served.server.doors.refused > ATTEMPTS // 2
    assert wait_until_empty(served) < KEEP_ALIVE_S + 2.0
    until(lambda: served.ask("/api/state").status == 200, "who comes after the flood is let in")


def test_many_addresses_together_leave_the_place_for_health_checks(served: Served) -> None:
    addresses = [f"127.0.1.{number}" for number in range(1, 40)]
    with Paced(lambda: served.step(face()), FPS) as paced, Flood(served, addresses, b"") as flood:
        assert healthy(served)
        rate = paced.rate()
    assert flood.most == MAX_CONNECTIONS - SPARE_CONNECTIONS
    assert rate > 0.9 * FPS
    assert wait_until_empty(served) < KEEP_ALIVE_S + 2.0
    until(lambda: served.ask("/api/state").status == 200, "who comes after the flood is let in")


def test_whoever_sits_in_the_spare_place_gets_health_and_nothing_else(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_PER_ADDRESS):
            stack.enter_context(served.connect())
        pause = threading.Event()
        while served.server.doors.open < MAX_PER_ADDRESS:
            pause.wait(0.01)
        assert served.ask("/api/state").status == 503
        found = served.ask("/healthz")
        assert (found.status, found.headers["connection"]) == (200, "close")
        assert served.server.doors.open == MAX_PER_ADDRESS


def test_a_silent_holder_of_the_spare_place_loses_it_to_the_next(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(served.connect()) for _ in range(MAX_PER_ADDRESS + 1)]
        assert served.ask("/healthz").status == 200
        silent[-1].settimeout(0.5)  # far less than the time for which it might have sat there
        assert ended(silent[-1])


def ended(client: socket.socket) -> bool:
    """Whether the other side has hung up."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_strangers_never_get_the_last_place() -> None:
    doors = Doors()
    for number in range(MAX_CONNECTIONS * 2):
        doors.enter(f"203.0.113.{number}")
    assert doors.open == MAX_CONNECTIONS - SPARE_CONNECTIONS
    assert doors.enter("203.0.113.250") == "none"
    assert doors.enter("127.0.0.1") == "spare"
    assert doors.enter("::1") == "spare"


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    doors = Doors()
    seats = [doors.enter(f"2001:db8::{number:x}") for number in range(MAX_PER_ADDRESS + 1)]
    assert seats == ["usual"] * MAX_PER_ADDRESS + ["none"]
    assert doors.enter("2001:db8:0:1::1") == "usual"


def test_a_seat_that_is_left_is_free_again() -> None:
    doors = Doors()
    for _ in range(1000):
        assert doors.enter("203.0.113.1") == "usual"
        doors.leave("203.0.113.1")
    assert doors.open == 0
    assert doors._held == {}


def test_behind_a_unix_socket_only_the_total_counts() -> None:
    doors = Doors()
    seats = [doors.enter("unix") for _ in range(MAX_CONNECTIONS)]
    assert seats == ["usual"] * (MAX_CONNECTIONS - SPARE_CONNECTIONS) + ["spare"] * SPARE_CONNECTIONS
