"""Where the web server may listen, and which settings it refuses."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from fer_edge.errors import ConfigError, ExitCode, OutputError
from fer_edge.web.settings import HttpSettings, Listen, parse_listen, read_token
from fer_edge.web.sockets import listening
from support.http import TOKEN, serving, token_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", Listen()),
        ("127.0.0.1:8080", Listen(("127.0.0.1",), 8080)),
        ("127.0.0.1:0", Listen(("127.0.0.1",), 0)),
        ("[::1]:8080", Listen(("::1",), 8080)),
        ("localhost:8080", Listen(("127.0.0.1", "::1"), 8080)),
        ("0.0.0.0:80", Listen(("0.0.0.0",), 80)),  # noqa: S104 - parsed, not bound
        ("[::]:80", Listen(("::",), 80)),
        ("unix:/run/fer-edge/http.sock", Listen(path="/run/fer-edge/http.sock")),
    ],
)
def test_an_address_is_read(text: str, expected: Listen) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "on", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"),
        *("127.0.0.1:-1", "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:٣", "::1:8080", "[::1]", "[::1]8080"),
        *("[127.0.0.1]:80", "[fe80::1%eth0]:80", "pi.local:80", "127.1:80", "http://127.0.0.1:80"),
        *("unix:", "unix:http.sock", "unix:@name", "unix:/a\0b", "unix:/" + "a" * 107, "OFF"),
    ],
)
def test_what_is_no_address_is_refused_with_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected (127\.0\.0\.1:8080|an absolute path)"):
        parse_listen(text)


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080", "[2001:db8::1]:8080"])
def test_an_address_for_others_needs_a_token(listen: str) -> None:
    with pytest.raises(ValidationError, match="needs token_file"):
        HttpSettings(listen=listen)
    assert HttpSettings(listen=listen, token_file="/etc/fer-edge/token").listen == listen  # noqa: S106 - a path


@pytest.mark.parametrize("listen", ["off", "127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", "unix:/run/x"])
def test_an_address_of_this_machine_needs_none(listen: str) -> None:
    assert HttpSettings(listen=listen).token_file is None


def test_it_is_off_and_shows_no_pictures_unless_told() -> None:
    assert (HttpSettings().listen, HttpSettings().pictures) == ("off", False)


@pytest.mark.parametrize("name", ["", "Pi.local", "pi.local:80", "http://pi", "a b", "-a", "a..b", "pi.local.", "*"])
def test_a_name_that_no_browser_sends_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is no host name"):
        HttpSettings(names=(name,))


def test_a_list_of_names_is_read_as_toml_has_it() -> None:
    assert HttpSettings.model_validate({"names": ["pi.local", "192.168.1.5"]}).names == ("pi.local", "192.168.1.5")


def test_a_token_is_read_and_does_not_show_itself(tmp_path: Path) -> None:
    token = read_token(token_file(tmp_path))
    assert token.reveal() == TOKEN
    assert TOKEN not in f"{token} {token!r}"


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 15, "x" * 257, "with a space in the middle", "ümläute-are-no-ascii"]
)
def test_a_token_that_is_none_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_token(token_file(tmp_path, text))
    assert refused.value.exit_code == ExitCode.REFUSED
    assert not text or text not in str(refused.value)


def test_a_token_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"), serving(token_file=str(tmp_path / "none")):
        pass


def test_off_starts_nothing() -> None:
    before = threading.active_count()
    with serving(listen="off") as served:
        assert served.server.urls == []
        assert threading.active_count() == before


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with serving() as first:
        listen = f"127.0.0.1:{first.port}"
        with (
            pytest.raises(OutputError, match=rf"cannot listen at {listen}: Address already in use"),
            serving(listen=listen),
        ):
            pass


def test_an_address_that_is_not_ours_is_told_in_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot listen at 192\.0\.2\.1:8080: "),
        serving(listen="192.0.2.1:8080", token_file=token_file(tmp_path)),
    ):
        pass


def test_localhost_listens_at_both_loopback_addresses() -> None:
    with serving(listen="localhost:0") as served:
        assert served.ask("/healthz").status == 200
        if not socket.has_ipv6 or len(served.server.urls) == 1:
            pytest.skip("this machine has no IPv6")
        with socket.create_connection(("::1", served.port), 5.0) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_unix_socket_is_for_owner_and_group_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with serving(listen=f"unix:{path}") as served:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert served.ask("/healthz").status == 200
    assert not path.exists()


def test_a_socket_left_by_a_crash_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(listen=f"unix:{path}") as served:
        assert served.ask("/healthz").status == 200


def test_a_socket_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with serving(listen=f"unix:{path}") as first:
        with pytest.raises(OutputError, match="another process listens there"), serving(listen=f"unix:{path}"):
            pass
        assert first.ask("/healthz").status == 200


def test_a_file_in_the_place_of_the_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("kept", encoding="utf-8")
    with pytest.raises(OutputError, match="something is there that is not a socket"), serving(listen=f"unix:{path}"):
        pass
    assert path.read_text(encoding="utf-8") == "kept"


def test_a_folder_that_is_missing_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"), serving(listen=f"unix:{tmp_path}/none/x.sock"):
        pass


def test_what_a_dead_client_can_hold_is_bounded_by_the_kernel() -> None:
    (made,) = listening(Listen(("127.0.0.1",), 0))
    with made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 128 * 1024
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


def test_an_accepted_connection_inherits_those_bounds() -> None:
    (made,) = listening(Listen(("127.0.0.1",), 0))
    with made, socket.create_connection(made.getsockname()), made.accept()[0] as accepted:
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 128 * 1024
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


def test_no_descriptor_is_left_open_by_starts_and_ends(tmp_path: Path) -> None:
    def once() -> None:
        with serving(pictures=True) as served:
            assert served.ask("/healthz").status == 200

    once()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a number, not paths
    for _ in range(3):
        once()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
