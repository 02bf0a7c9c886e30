"""Events by HTTP POST, to receivers that take them and to receivers that do not."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fer_edge.clock import SystemClock
from fer_edge.errors import ConfigError, ExitCode
from fer_edge.events import Event, plain
from fer_edge.health import Health
from fer_edge.sinks import Sink
from fer_edge.sinks.outbox import Backoff
from fer_edge.sinks.settings import WebhookSettings, split_url
from fer_edge.sinks.webhook import Receiver, Webhook, open_webhook
from fer_edge.strict import problems
from fer_edge.system.secrets import Secret
from support.authority import certificates
from support.brokers import PATIENCE_S, ScriptedBroker, expression, refused_port, silent, until


class Hook(ThreadingHTTPServer):
    """A real server; answers what it is told to, then 200, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, *statuses: int, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.bodies: list[list[Event]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def numbers(self) -> list[int]:
        return [event["number"] for body in self.bodies for event in body]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.paths.append(self.path)
        self.server.headers.append(dict(self.headers))
        if status == 200:
            self.server.bodies.append(json.loads(body))
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(*statuses: int, context: ssl.SSLContext | None = None) -> Iterator[Hook]:
    hook = Hook(*statuses, context=context)
    thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.shutdown()
        thread.join(PATIENCE_S)
        hook.server_close()


@contextmanager
def posting(
    url: str, health: Health, *, token: str = "", tls: ssl.SSLContext | None = None, **settings: Any
) -> Iterator[Webhook]:
    receiver = Receiver(split_url(url), Secret(token) if token else None, tls)
    sink = Webhook(
        receiver, WebhookSettings(**settings), health=health, clock=SystemClock(), backoff=Backoff(0.01, 0.05)
    )
    sink.start()
    try:
        yield sink
    finally:
        sink.close()


def at(hook: Hook, path: str = "/hook") -> str:
    return f"http://127.0.0.1:{hook.server_port}{path}"


def test_events_arrive_as_an_array_in_order_and_once() -> None:
    health = Health()
    with serving() as hook:
        with posting(at(hook, "/hook?room=kitchen"), health) as sink:
            for number in range(120):
                sink.emit(expression(number))
        assert hook.numbers() == list(range(120))
        assert hook.bodies[0][0] == expression(0)
        assert set(hook.paths) == {"/hook?room=kitchen"}
        assert hook.headers[0]["Content-Type"] == "application/json"
        assert hook.headers[0]["User-Agent"].startswith("fer-edge/")
        assert "Authorization" not in hook.headers[0]
    assert (sink.lost, health.status().reasons) == (0, {})


def test_a_batch_has_no_more_events_than_was_asked() -> None:
    with serving() as hook:
        with posting(at(hook), Health(), batch=7) as sink:
            for number in range(50):
                sink.emit(expression(number))
        assert hook.numbers() == list(range(50))
        assert max(map(len, hook.bodies)) <= 7


def test_only_the_chosen_types_are_sent() -> None:
    with serving() as hook:
        with posting(at(hook), Health(), events=["face_left"]) as sink:
            sink.emit(expression(1))
            sink.emit(plain("face_left", SystemClock().wall(), track=1))
        assert [event["type"] for body in hook.bodies for event in body] == ["face_left"]
    assert sink.lost == 0


def test_a_token_goes_into_the_header() -> None:
    with serving() as hook:
        with posting(at(hook), Health(), token="hunter2") as sink:  # noqa: S106 - no real one
            sink.emit(expression(1))
        assert hook.headers[0]["Authorization"] == "Bearer hunter2"


def test_https_with_a_certificate_of_the_named_authority(tmp_path: Path) -> None:
    ca, cert, key = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    health = Health()
    with serving(context=context) as hook:
        url = at(hook).replace("http:", "https:")
        sink = open_webhook(WebhookSettings(url=url, ca_file=str(ca)), health=health, clock=SystemClock())
        sink.emit(expression(1))
        sink.close()
        assert hook.numbers() == [1]
        with posting(url, health, tls=ssl.create_default_context()) as sink:
            sink.emit(expression(2))
            until(lambda: "webhook" in health.status().reasons, "it is told of")
            assert "is not trusted" in health.status().reasons["webhook"]
        assert (hook.numbers(), sink.lost) == ([1], 1)


@pytest.mark.parametrize("status", [500, 503, 429, 408, 404, 401])
def test_a_receiver_in_trouble_is_asked_again_until_it_takes_the_events(status: int) -> None:
    health = Health()
    with serving(status, status, status) as hook:
        with posting(at(hook), health) as sink:
            sink.emit(expression(1))
            until(lambda: hook.numbers() == [1], "it arrived after all")
            until(lambda: not health.status().reasons, "the trouble is over")
        assert len(hook.paths) == 4
    assert sink.lost == 0


def test_a_wrong_token_is_a_visible_state() -> None:
    health = Health()
    with serving(*[401] * 1000) as hook, posting(at(hook), health, token="wrong") as sink:  # noqa: S106 - no real one
        sink.emit(expression(1))
        until(lambda: "webhook" in health.status().reasons, "it is told of")
        assert health.status().reasons["webhook"] == f"127.0.0.1:{hook.server_port} answers 401: is the token right?"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_not_wanted_is_lost_and_the_next_one_sent(status: int) -> None:
    health = Health()
    with serving(status) as hook, posting(at(hook), health) as sink:
        sink.emit(expression(1))
        until(lambda: sink.lost == 1, "it is counted")
        assert "does not want the events" in health.status().reasons["webhook"]
        sink.emit(expression(2))
        until(lambda: hook.numbers() == [2], "the next one arrived")
        until(lambda: not health.status().reasons, "the trouble is over")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_and_not_followed(status: int) -> None:
    health = Health()
    with serving(*[status] * 1000) as hook, posting(at(hook), health, token="hunter2") as sink:  # noqa: S106 - no real one
        sink.emit(expression(1))
        until(lambda: len(hook.paths) > 2, "it was tried again")
        assert set(hook.paths) == {"/hook"}
        assert "a redirect, which is not followed" in health.status().reasons["webhook"]
        assert not hook.bodies


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"HTTP/9.9 200\r\n\r\n", b"\x16\x03\x01" * 50, b"HTTP/1.1 " + b"9" * 70_000]
)
def test_rubbish_for_an_answer_is_trouble_and_the_event_is_kept(data: bytes) -> None:
    def script(sock: socket.socket, _: ScriptedBroker) -> None:
        sock.recv(1)
        sock.sendall(data)

    health = Health()
    with ScriptedBroker(script) as server:
        with posting(f"http://127.0.0.1:{server.port}/", health) as sink:
            sink.emit(expression(1))
            until(lambda: "webhook" in health.status().reasons, "it is told of")
            until(lambda: server.connections > 1, "it is tried again")
        assert f"127.0.0.1:{server.port}" in health.status().reasons["webhook"]
    assert sink.lost == 1


def test_a_receiver_that_hangs_is_given_up_after_its_time() -> None:
    health = Health()
    with ScriptedBroker(silent) as server, posting(f"http://127.0.0.1:{server.port}/", health, timeout_s=0.1) as sink:
        sink.emit(expression(1))
        until(lambda: "webhook" in health.status().reasons, "it is told of")
        assert "does not answer within 0.1 s" in health.status().reasons["webhook"]


def test_a_receiver_that_answers_a_byte_at_a_time_is_given_up_all_the_same() -> None:
    def drip(sock: Any, broker: ScriptedBroker) -> None:
        for byte in b"HTTP/1.1 200 " + b"O" * 60_000:
            sock.sendall(bytes([byte]))
            if broker.over.wait(0.02):
                return

    health, clock = Health(), SystemClock()
    with ScriptedBroker(drip) as server, posting(f"http://127.0.0.1:{server.port}/", health, timeout_s=0.5) as sink:
        begun_s = clock.monotonic_s()
        sink.emit(expression(1))
        until(lambda: "webhook" in health.status().reasons, "it is told of")
        assert clock.monotonic_s() - begun_s < 5.0
        assert "does not answer within 0.5 s" in health.status().reasons["webhook"]


def test_a_hanging_receiver_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_edge.sinks.outbox.CLOSE_DEADLINE_S", 0.2)
    clock = SystemClock()
    with (
        ScriptedBroker(silent) as server,
        posting(f"http://127.0.0.1:{server.port}/", Health(), timeout_s=30.0) as sink,
    ):
        sink.emit(expression(1))
        until(lambda: server.connections == 1, "it is connected")
        begun_s = clock.monotonic_s()
        sink.close()
        assert clock.monotonic_s() - begun_s < 2.0
    assert sink.lost == 1
    assert not sink._thread.is_alive()


def test_nobody_there_is_trouble_until_somebody_is() -> None:
    health = Health()
    with refused_port() as port, posting(f"http://127.0.0.1:{port}/", health, outbox=5) as sink:
        for number in range(20):
            sink.emit(expression(number))
        until(lambda: "webhook" in health.status().reasons, "it is told of")
        assert health.status().reasons["webhook"] == f"127.0.0.1:{port} cannot be reached: Connection refused"
        assert sink.waiting <= 5
    assert sink.lost == 20


def test_an_event_that_is_no_json_is_counted() -> None:
    with serving() as hook, posting(at(hook), Health()) as sink:
        sink.emit(plain("expression", SystemClock().wall(), confidence=float("inf")))
        until(lambda: sink.lost == 1, "it is counted")
        sink.emit(expression(2))
        until(lambda: hook.numbers() == [2], "the next one arrived")


def test_a_webhook_is_a_sink() -> None:
    with refused_port() as port, posting(f"http://127.0.0.1:{port}/", Health()) as made:
        sink: Sink = made
        assert not sink.reader_gone


def test_an_address_from_a_file_is_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    with refused_port() as port:
        path = tmp_path / "url"
        path.write_text(f"http://127.0.0.1:{port}/api/webhook/S3CRET\n", encoding="ascii")
        path.chmod(0o600)
        sink = open_webhook(WebhookSettings(url_file=str(path)), health=health, clock=SystemClock())
        sink.emit(expression(1))
        until(lambda: "webhook" in health.status().reasons, "it is told of")
        sink.close()
    assert "S3CRET" not in caplog.text + str(health.status()) + repr(sink._receiver)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "the webhook needs webhook.url"),
        ({"url": "https://h/", "ca_file": "/no/ca.pem"}, "cannot be read from /no/ca.pem"),
        ({"url": "https://h/", "ca_file": __file__}, "it holds no certificate"),
        ({"url": "http://h/", "token_file": "/no/token"}, "the token for the webhook cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_starts(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refused:
        open_webhook(WebhookSettings(**settings), health=Health(), clock=SystemClock())
    assert refused.value.exit_code == ExitCode.REFUSED


def test_a_token_that_http_cannot_carry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("schlüssel", encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="characters that HTTP cannot carry") as refused:
        open_webhook(WebhookSettings(url="http://h/", token_file=str(path)), health=Health(), clock=SystemClock())
    assert "schlüssel" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"url": "ftp://h/"}, "an address is http://HOST"),
        ({"url": "http:///x"}, "an address is http://HOST"),
        ({"url": "http://h:99999/"}, "an address is http://HOST"),
        ({"url": "http://[::1/"}, "an address is http://HOST"),
        ({"url": "http://h/a b"}, "without spaces"),
        ({"url": "http://h/\r\nX: y"}, "without spaces"),
        ({"url": "http://u:p@h/"}, "no user and password"),
        ({"url": "http://h/", "url_file": "/x"}, "set one of them"),
        ({"events": ["smile"]}, "there is no event smile"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"timeout_s": 0.0}, "greater than 0"),
    ],
)
def test_a_mistake_in_the_settings_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookSettings(**settings)
    (line,) = problems(refused.value)
    assert sentence in line
