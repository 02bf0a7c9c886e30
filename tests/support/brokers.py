"""Brokers for tests: a real mosquitto with a subscriber that is not ours, and one that does what a script says."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fer_edge.clock import Clock, SystemClock
from fer_edge.events import Event, plain
from fer_edge.health import Health
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.mqtt import Access, Mqtt, _tls
from fer_edge.sinks.outbox import Backoff
from fer_edge.sinks.settings import MqttSettings
from fer_edge.system.secrets import Secret
from support.clocks import WALL

PATIENCE_S = 20.0
"""What a test waits for something that has to come."""
PROGRAM = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
needs_mosquitto = pytest.mark.skipif(
    PROGRAM is None or shutil.which("mosquitto_sub") is None,
    reason="mosquitto or mosquitto_sub is not installed: apt install mosquitto mosquitto-clients",
)
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
"""Kinds of packets, as in MQTT 3.1.1, table 2.1."""


def free_port() -> int:
    """A port of loopback that nobody has right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look again and again until it holds; fails, naming it, when it does not come."""
    clock, never = SystemClock(), threading.Event()
    end_s = clock.monotonic_s() + patience_s
    while not condition():
        assert clock.monotonic_s() < end_s, f"in {patience_s:g} s it did not happen that {what}"
        never.wait(0.005)


@dataclass(frozen=True)
class Message:
    """What a subscriber was sent."""

    topic: str
    payload: str
    retained: bool


class Listener:
    """`mosquitto_sub` on everything; `messages` grows as they come."""

    def __init__(self, *options: str) -> None:
        self.messages: list[Message] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._process = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", "-d", "-t", "#", "-F", "> %r %t %p", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Listener:  # noqa: PYI034 - typing.Self came with Python 3.11
        if not self._subscribed.wait(PATIENCE_S):
            self.__exit__()
            pytest.fail("mosquitto_sub did not subscribe")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def of(self, topic: str) -> list[Message]:
        """What came on one topic."""
        with self._changed:
            return [message for message in self.messages if message.topic == topic]

    def wait_for(self, topic: str, payload: str | None = None, count: int = 1) -> Message:
        """The `count`th message of this topic, and with this payload if it is given."""

        def found() -> list[Message]:
            return [m for m in self.messages if m.topic == topic and payload in {None, m.payload}]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, PATIENCE_S), (
                f"{topic}: {len(found())} came, and at the end {self.messages[-3:]}"
            )
            return found()[count - 1]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Subscribed"):
                self._subscribed.set()
            elif line.startswith("> "):
                _, retained, topic, payload = line.rstrip("\n").split(" ", 3)
                with self._changed:
                    self.messages.append(Message(topic, payload, retained == "1"))
                    self._changed.notify_all()


class Mosquitto:
    """A real broker on a port of loopback with a configuration of its own; it can be stopped and started again."""

    def __init__(self, folder: Path, *lines: str, options: tuple[str, ...] = (), verbose: bool = True) -> None:
        self.port = free_port()
        self._options = options
        self._said = ["-v"] if verbose else []
        self._config = folder / "mosquitto.conf"
        user = ["user root"] if os.geteuid() == 0 else []  # else it could not read its files
        usual = {"persistence ": "persistence false", "password_file": "allow_anonymous true"}
        defaults = [line for key, line in usual.items() if not any(each.startswith(key) for each in lines)]
        self._config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "max_queued_messages 0",
                    *user,
                    *defaults,
                    *lines,
                ]
            )
            + "\n",
            encoding="utf-8",
        )
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Mosquitto:  # noqa: PYI034 - typing.Self came with Python 3.11
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when it runs."""
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, *self._said, "-c", str(self._config)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if line.rstrip().endswith("running"):
                break
        else:
            raise AssertionError("".join(said))
        threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """As by SIGTERM; retained messages are forgotten."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def listen(self, *options: str) -> Listener:
        """A subscriber to everything."""
        return Listener("-h", "127.0.0.1", "-p", str(self.port), *self._options, *options)

    @staticmethod
    def _drain(process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as said:
            for _ in said:
                pass


def password_file(folder: Path, user: str, password: str) -> Path:
    """As mosquitto reads it."""
    path = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(path), user, password], check=True, capture_output=True)
    return path


Script = Callable[[socket.socket, "ScriptedBroker"], None]
"""What is done with one connection."""


class ScriptedBroker:
    """Listens on loopback and does with every connection what its script says; keeps the packets it was sent."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self.packets: list[tuple[int, bytes]] = []
        self.connections = 0
        self.over = threading.Event()
        self._script = script
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> ScriptedBroker:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        self._listener.close()
        for sock, thread in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)

    def kinds(self) -> set[int]:
        """Of all packets so far."""
        return {kind for kind, _ in self.packets}

    def published(self) -> list[tuple[str, bytes]]:
        """Topic and payload of what was published so far."""
        return [_publication(body) for kind, body in self.packets if kind == PUBLISH]

    def read(self, sock: socket.socket) -> Iterator[tuple[int, bytes]]:
        """The packets that come, until the connection ends."""
        while True:
            head = _exactly(sock, 1)
            length, shift = 0, 0
            while True:
                byte = _exactly(sock, 1)[0]
                length |= (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
            packet = head[0], _exactly(sock, length)
            self.packets.append((packet[0] >> 4, packet[1]))
            yield packet

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(PATIENCE_S)
            self._open.append((sock, thread := threading.Thread(target=self._play, args=(sock,), daemon=True)))
            thread.start()

    def _play(self, sock: socket.socket) -> None:
        with sock, suppress(OSError, EOFError):
            self._script(sock, self)


def _exactly(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = sock.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _publication(body: bytes) -> tuple[str, bytes]:
    """Of a packet with an id, which is qos 1 or 2."""
    length = int.from_bytes(body[:2], "big")
    return body[2 : 2 + length].decode(), body[2 + length + 2 :]


def welcome(sock: socket.socket, code: int = 0) -> None:
    """CONNACK; 0 is yes, 4 and 5 are no."""
    sock.sendall(bytes([0x20, 2, 0, code]))


def good(sock: socket.socket, broker: ScriptedBroker) -> None:
    """Welcomes, and acknowledges what is published."""
    for head, body in broker.read(sock):
        if head >> 4 == CONNECT:
            welcome(sock)
        elif head >> 4 == DISCONNECT:
            return
        acknowledge(sock, head, body)


def acknowledge(sock: socket.socket, head: int, body: bytes) -> None:
    """PUBACK, where the packet is a message of qos 1."""
    if head >> 4 == PUBLISH and head & 6:
        length = int.from_bytes(body[:2], "big")
        sock.sendall(bytes([0x40, 2]) + body[2 + length : 4 + length])


def resets(sock: socket.socket, broker: ScriptedBroker) -> None:
    """Ends the connection with a reset as soon as it stands."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def refuses(code: int) -> Script:
    """Reads CONNECT and answers with a refusal."""

    def script(sock: socket.socket, broker: ScriptedBroker) -> None:
        next(broker.read(sock))
        welcome(sock, code)

    return script


def silent(sock: socket.socket, broker: ScriptedBroker) -> None:
    """Takes the connection and says nothing."""
    broker.over.wait(PATIENCE_S)


def answers(data: bytes, *, after_welcome: bool = False) -> Script:
    """Says these bytes, whatever it is told, and waits for the other side to go."""

    def script(sock: socket.socket, broker: ScriptedBroker) -> None:
        if after_welcome:
            next(broker.read(sock))
            welcome(sock)
        sock.sendall(data)
        for _ in broker.read(sock):
            pass

    return script


def never_reads(sock: socket.socket, broker: ScriptedBroker) -> None:
    """Welcomes, and then takes nothing: the window closes when the buffers are full."""
    next(broker.read(sock))
    welcome(sock)
    broker.over.wait(PATIENCE_S)


@contextmanager
def refused_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and that refuses connections."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound and not listening
        yield int(sock.getsockname()[1])


def mqtt(port: int, health: Health, *, clock: Clock | None = None, password: str = "", **settings: Any) -> Mqtt:
    """A sink for a broker on this port, not started; it tries again at once instead of after a second."""
    known = MqttSettings(**{"host": "127.0.0.1", "port": port, "device_id": "cam", "prefix": "fer", **settings})
    access = Access(known, Secret(password) if password else None, _tls(known))
    about = About(("happy", "sad"), "1.2.3", "net", temperature=True)
    return Mqtt(access, about, health=health, clock=clock or SystemClock(), backoff=Backoff(0.01, 0.05))


@contextmanager
def running(sink: Mqtt) -> Iterator[Mqtt]:
    """Started, and closed at the end."""
    sink.start()
    try:
        yield sink
    finally:
        sink.close()


def expression(number: int) -> Event:
    """An event like those of the daemon."""
    return plain("expression", WALL, track=1, label="happy", confidence=0.9, number=number)
