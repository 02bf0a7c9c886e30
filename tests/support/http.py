"""The daemon's web server on loopback with faces that tests make up, and a client that says exactly what it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fer_edge.clock import Clock, SystemClock
from fer_edge.events import plain
from fer_edge.health import Health
from fer_edge.live import Live
from fer_edge.privacy import PrivacySettings
from fer_edge.types import Box, Expression, Frame, Observation, TrackedFace
from fer_edge.web.settings import HttpSettings

if TYPE_CHECKING:
    from fer_edge.web.picture import Preview
    from fer_edge.web.server import WebServer

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
WALL = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc)
TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of the tests
TIME_LIMIT_S = 20.0


def expression(label: str = "happy", share: float = 0.7, labels: Sequence[str] = LABELS) -> Expression:
    """One label with a share, the others alike."""
    rest = (1.0 - share) / (len(labels) - 1)
    return Expression(tuple(share if name == label else rest for name in labels), label)


def face(track: int = 1, label: str = "happy", share: float = 0.7, *, size: float = 60.0) -> TrackedFace:
    """A face whose box grows with its size."""
    return TrackedFace(track, Box(20.0 * track, 30.0, size, size), 0.9, expression(label, share))


def seen(seq: int, *faces: TrackedFace) -> Observation:
    """A frame of 320 x 240 in which these faces were seen."""
    stages = {"detect": 2.0, "track": 0.1, "classify": 1.0, "smooth": 0.1}
    return Observation(seq, seq / 10, WALL, 320, 240, faces, stages_ms=stages)


def frame(seq: int, grey: int = 90) -> Frame:
    """A plain picture of 320 x 240."""
    return Frame(np.full((240, 320, 3), grey, np.uint8), seq / 10, WALL, seq)


@dataclass
class Served:
    """A server that listens, and what it shows."""

    server: WebServer
    live: Live
    health: Health
    preview: Preview | None
    clock: Clock
    path: str = ""
    seq: int = 0
    held: list[HTTPResponse] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.urls[0].rsplit(":", 1)[1].rstrip("/"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def step(self, *faces: TrackedFace) -> None:
        """One more frame."""
        self.health.running()
        observation = seen(self.seq, *faces)
        if self.preview is not None:
            self.preview.put(frame(self.seq, 40 + self.seq % 100), observation)
        self.live.observe(observation)
        self.seq += 1

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection from one of this machine's own addresses."""
        if self.path:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(TIME_LIMIT_S)
            made.connect(self.path)
            return made
        return socket.create_connection(("127.0.0.1", self.port), TIME_LIMIT_S, source_address=(source, 0))

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: Any) -> Answer:
        """One request, one answer. `Host` is right unless told; `_` in names of headers means `-`."""
        given: dict[str, str | Sequence[str]] = {"Host": "localhost"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body:
            given.setdefault("Content-Length", str(len(body)))
        with self.connect() as client:
            client.sendall(request(method, path, given) + body)
            return answer(client, method)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(method: str, target: str, headers: Mapping[str, str | Sequence[str]]) -> bytes:
    """The bytes of a request without body; a header given as a list stands there more than once."""
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        lines += [f"{name}: {each}" for each in ([value] if isinstance(value, str) else value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(client: socket.socket, method: str = "GET") -> Answer:
    """Read one answer to its end."""
    response = HTTPResponse(client, method=method)
    response.begin()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


class Lines:
    """A stream that is read line by line, as server-sent events are."""

    def __init__(self, client: socket.socket, served: Served, target: str = "/api/events", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.sendall(request("GET", target, {"Host": "localhost", **named}))
        self.response = HTTPResponse(client, method="GET")
        self.response.begin()
        served.held.append(self.response)

    def event(self) -> dict[str, str]:
        """The next event's fields; comments are left out. {} at the end."""
        found: dict[str, str] = {}
        while line := self.response.readline():
            text = line.decode().rstrip("\n")
            if not text and found:
                return found
            name, _, value = text.partition(": ")
            if name:
                found[name] = value
        return found

    def until(self, fits: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The next event that fits."""
        while event := self.event():
            if fits(event):
                return event
        raise AssertionError("the stream ended")


@contextmanager
def serving(privacy: PrivacySettings | None = None, clock: Clock | None = None, **settings: Any) -> Iterator[Served]:
    """A server on a free port of 127.0.0.1, closed in the end; skips the test where its libraries are missing."""
    for library in ("aiohttp", "prometheus_client", "simplejpeg"):
        pytest.importorskip(library, reason="needs fer-edge[web]")
    from fer_edge.web.picture import Preview  # noqa: PLC0415 - after the libraries were found
    from fer_edge.web.server import WebServer  # noqa: PLC0415

    clock = clock or SystemClock()
    health = Health()
    live = Live(LABELS, health, clock, privacy)
    preview = Preview(clock) if settings.get("pictures") else None
    made = HttpSettings(**{"listen": "127.0.0.1:0", **settings})
    server = WebServer(made, live, health, clock, preview)
    server.start()
    path = made.listen.removeprefix("unix:") if made.listen.startswith("unix:") else ""
    served = Served(server, live, health, preview, clock, path)
    try:
        yield served
    finally:
        server.close()
        for response in served.held:
            response.close()


def token_file(folder: Path, token: str = TOKEN) -> str:
    """A file with a token."""
    path = folder / "token"
    path.write_text(token + "\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def started(live: Live, **fields: object) -> None:
    """The first event."""
    who = {
        "source": "demo", "live": True, "model": "fernet-s", "model_sha256": "0" * 64, "artifact": "tflite/int8",
        "runtime": "litert 2.3.0", "effective_precision": "int8", "threads": 1, "detector": "yunet",
        "labels": list(LABELS), "fer_edge": "0.4.0",
    }  # fmt: skip
    live.emit(plain("started", WALL, **{**who, **fields}))


class Paced:
    """Frames at a steady rate in a thread, as a pipeline makes them; counts how many were on time."""

    def __init__(self, step: Callable[[], None], fps: float = 30.0) -> None:
        self._step, self._period_s = step, 1.0 / fps
        self._end = threading.Event()
        self._clock = SystemClock()
        self.frames = 0
        self.began_s = self._clock.monotonic_s()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def rate(self) -> float:
        """Frames per second so far."""
        return self.frames / (self._clock.monotonic_s() - self.began_s)

    def __enter__(self) -> Paced:  # noqa: PYI034 - `Self` needs Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join(TIME_LIMIT_S)

    def _run(self) -> None:
        while True:
            due_s = self.began_s + (self.frames + 1) * self._period_s
            if self._end.wait(max(0.0, due_s - self._clock.monotonic_s())):
                return
            self._step()
            self.frames += 1
