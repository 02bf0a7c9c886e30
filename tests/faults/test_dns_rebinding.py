"""Fault 30: a name of somebody else's that leads to this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support.http import Served, answer, face, request, serving

OURS = (
    *("localhost", "localhost:{port}", "LOCALHOST", "LocalHost:{port}", "localhost.", "localhost.:{port}"),
    *("127.0.0.1", "127.0.0.1:{port}", "127.0.0.1:9999", "[::1]", "[::1]:{port}", "[0:0:0:0:0:0:0:1]:{port}"),
    *("pi.local", "PI.local:{port}", "pi.local.:80"),
)
OTHERS = (
    *(
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example",
        "localhost.evil.example:{port}",
        "evil.localhost",
    ),
    *("", " ", ":", ":{port}", "localhost:", "localhost:x", "localhost:0", "localhost:65536", "localhost:80:80"),
    *("127.0.0.1.evil.example", "127.0.0.1.nip.io", "127.1", "127.0.0.2", "0", "2130706433", "0x7f000001"),
    *("[::1", "::1", "[::1]x", "[::1]:", "[::ffff:127.0.0.1]", "[::]", "[::1%25lo]", "[localhost]", "[127.0.0.1]"),
    *(
        "localhost..",
        ".localhost",
        "localhost/",
        "localhost#",
        "localhost?x",
        "localhost,evil.example",
        "user@localhost",
    ),
    *(
        "localhost evil.example",
        "evil.example localhost",
        "http://localhost",
        "localhost\\",
        "xn--localhost",
        "löcalhost",
    ),
    *("raspberrypi", "pi.local.evil.example", "evil-pi.local", "pi.loca", "\tevil", "null", "*", "a" * 300),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(pictures=True, names=("pi.local",)) as found:
        found.step(face())
        yield found


@pytest.mark.parametrize("host", OURS)
def test_our_own_names_are_answered_in_every_form(served: Served, host: str) -> None:
    assert served.ask("/api/state", Host=host.format(port=served.port)).status == 200


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_name_is_misdirected(served: Served, host: str) -> None:
    found = served.ask("/api/state", Host=host.format(port=served.port) if "{" in host else host)
    assert found.status in {400, 421}, found
    assert b"labels" not in found.body


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example"])
def test_it_is_421_on_every_path_there_is_and_on_those_that_are_not(served: Served, host: str) -> None:
    assert served.server.site is not None
    for path in (*served.server.site.routes, "/nothing", "/../etc/passwd"):
        found = served.ask(path, Host=host)
        assert found.status == 421, path
        assert set(json.loads(found.body)) == {"error"}


def test_a_request_without_a_host_is_misdirected(served: Served) -> None:
    for version in (b"1.0", b"1.1"):
        with served.connect() as client:
            client.sendall(b"GET /api/state HTTP/" + version + b"\r\n\r\n")
            assert answer(client).status in {400, 421}


def test_two_hosts_are_misdirected_even_when_one_is_ours(served: Served) -> None:
    for hosts in (["localhost", "evil.example"], ["evil.example", "localhost"], ["localhost", "localhost"]):
        assert served.ask("/api/state", Host=hosts).status in {400, 421}


def test_a_whole_url_in_the_request_line_is_misdirected(served: Served) -> None:
    for target in ("http://evil.example/api/state", "http://localhost/api/state", "https://localhost:443/api/state"):
        with served.connect() as client:
            client.sendall(request("GET", target, {"Host": "localhost"}))
            assert answer(client).status in {400, 421}


def test_headers_of_proxies_are_not_believed(served: Served) -> None:
    forged: dict[str, Any] = {"X_Forwarded_Host": "localhost", "Forwarded": "host=localhost", "X_Host": "localhost"}
    assert served.ask("/api/state", Host="evil.example", **forged).status == 421


def test_behind_a_unix_socket_names_are_looked_at_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "http.sock"
    with serving(listen=f"unix:{path}", names=("pi.local",)) as served:
        assert served.ask("/api/state", Host="pi.local").status == 200
        assert served.ask("/api/state", Host="evil.example").status == 421


def test_the_address_that_was_connected_to_is_ours() -> None:
    with serving(listen="127.0.0.7:0") as served:
        with _at("127.0.0.7", served.port) as client:
            client.sendall(request("GET", "/healthz", {"Host": f"127.0.0.7:{served.port}"}))
            assert answer(client).status == 200
        with _at("127.0.0.7", served.port) as client:
            client.sendall(request("GET", "/healthz", {"Host": f"127.0.0.8:{served.port}"}))
            assert answer(client).status == 421


def _at(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), 10.0)
