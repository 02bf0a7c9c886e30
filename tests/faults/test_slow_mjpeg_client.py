"""Fault 26: a client of the moving picture does not read, or reads slowly."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import numpy as np
import pytest

from fer_edge.types import Frame
from fer_edge.web.limits import WRITE_DEADLINE_S
from support.http import WALL, Paced, Served, request, seen, serving

simplejpeg = pytest.importorskip("simplejpeg")

FPS = 10.0
PATIENCE_S = 20.0
SMALL_BYTES = 4096


def noisy(seq: int) -> Frame:
    """A frame that compresses badly, with its number as the brightness of a corner."""
    image = np.random.default_rng(seq % 4).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    image[:64, :64] = 20 + seq % 220
    return Frame(image, seq / FPS, WALL, seq)


@contextmanager
def filmed() -> Iterator[tuple[Served, Paced]]:
    """A server whose camera delivers large pictures."""
    with serving(pictures=True, picture_fps=FPS, picture_quality=90) as served:

        def step() -> None:
            served.health.running()
            observation = seen(served.seq)
            assert served.preview is not None
            served.preview.put(noisy(served.seq), observation)
            served.live.observe(observation)
            served.seq += 1

        step()
        with Paced(step, FPS) as paced:
            yield served, paced


def watch(served: Served, *, buffer_bytes: int | None = None) -> socket.socket:
    """A client that has asked for the moving picture."""
    client = socket.socket()
    if buffer_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    client.settimeout(PATIENCE_S)
    client.connect(("127.0.0.1", served.port))
    client.sendall(request("GET", "/stream.mjpeg", {"Host": "localhost"}))
    return client


def read(served: Served, client: socket.socket) -> HTTPResponse:
    """The stream behind its head."""
    response = HTTPResponse(client)
    served.held.append(response)
    response.begin()
    return response


def picture(response: HTTPResponse) -> Any:
    """The next picture of a stream."""
    length = 0
    while line := response.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        elif not line.strip() and length:
            return simplejpeg.decode_jpeg(response.read(length), colorspace="BGR")
    raise AssertionError("the stream ended")


def test_a_client_that_never_reads_is_cut_off_and_nobody_else_notices() -> None:
    with filmed() as (served, paced), watch(served) as other:
        pictures = read(served, other)
        picture(pictures)
        alone, _ = rate(served, pictures, lambda seconds: seconds > WRITE_DEADLINE_S / 2)
        with watch(served, buffer_bytes=SMALL_BYTES):
            beside, passed_s = rate(served, pictures, lambda _: served.server.doors.cut > 0)
        assert passed_s < WRITE_DEADLINE_S + 1.0
        assert served.server.doors.open == 1
        assert beside > 0.75 * alone
        assert paced.rate() > 0.9 * FPS


def rate(served: Served, pictures: HTTPResponse, enough: Callable[[float], bool]) -> tuple[float, float]:
    """Pictures per second until it is enough, and the seconds that this took."""
    before_s, received, passed_s = served.clock.monotonic_s(), 0, 0.0
    while not enough(passed_s):
        picture(pictures)
        received += 1
        passed_s = served.clock.monotonic_s() - before_s
        assert passed_s < PATIENCE_S
    return received / passed_s, passed_s


def test_a_client_that_stops_for_a_while_goes_on_with_fresh_pictures() -> None:
    with filmed() as (served, _), watch(served, buffer_bytes=SMALL_BYTES) as client:
        pictures = read(served, client)
        first = served.seq
        picture(pictures)
        later = threading.Event()
        while served.seq < first + 2 * FPS:
            later.wait(0.01)
        numbers = [round(float(picture(pictures)[8:56, 8:56].mean())) - 20 for _ in range(8)]
        assert served.server.doors.cut == 0
        assert abs(numbers[-1] - served.seq) <= 4
        assert numbers == sorted(numbers)
        assert numbers[-1] - numbers[0] > len(numbers)  # what came while it stopped was left out


def test_a_client_that_does_not_read_an_ordinary_answer_is_cut_off_too() -> None:
    with filmed() as (served, _), served.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        ask = request("GET", "/snapshot.jpg", {"Host": "localhost"})
        before_s = served.clock.monotonic_s()
        waiting = threading.Event()
        client.settimeout(0.0)
        while served.server.doors.cut == 0:
            try:
                client.send(ask)
            except OSError:
                waiting.wait(0.02)
            assert served.clock.monotonic_s() - before_s < PATIENCE_S
        assert served.ask("/healthz").status == 200
