"""Row 18: SIGTERM in the middle of everything ends it within five seconds, with status 0, whole lines and `offline`.

Clients hang on to the page and to the pictures, and the camera's driver hangs too. FER_EDGE_STOPS says how often.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from fer_edge.clock import SystemClock
from support.brokers import PATIENCE_S, Listener, Mosquitto, until
from support.processes import running

pytest.importorskip("aiohttp", reason="the extra web is not installed")
pytest.importorskip("paho.mqtt.client", reason="the extra mqtt is not installed")
pytestmark = pytest.mark.skipif(shutil.which("mosquitto") is None, reason="mosquitto is not installed")

STOPS = int(os.environ.get("FER_EDGE_STOPS", "2"))
DEADLINE_S = 5.0


def hanging_client(port: int, path: str) -> socket.socket:
    """A client that asks and never reads on."""
    client = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


def ended(process: subprocess.Popen[str], events: Path) -> tuple[float, str]:
    """Seconds that it took to end, and the type of its last event; all its lines are whole."""
    clock = SystemClock()
    began_s = clock.monotonic_s()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0, process.stderr and process.stderr.read()
    took_s = clock.monotonic_s() - began_s
    text = events.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return took_s, [json.loads(line)["type"] for line in text.splitlines()][-1]


@pytest.mark.timeout(60 * (STOPS + 1))
@pytest.mark.parametrize("attempt", range(STOPS))
def test_with_clients_that_hang(tmp_path: Path, attempt: int) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener, running(tmp_path, "demo", broker) as parts:
        process, port, events = parts
        listener.wait_for("edge/availability", "online")
        clients = [hanging_client(port, path) for path in ("/api/events", "/stream.mjpeg", "/api/events")]
        took_s, last = ended(process, events)
        assert (took_s < DEADLINE_S, last) == (True, "stopped"), took_s
        offline(listener)
        for client in clients:
            client.close()


def offline(listener: Listener) -> None:
    listener.wait_for("edge/availability", "offline")


def test_while_the_cameras_driver_hangs(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        broker.listen() as listener,
        running(tmp_path, "fault:demo?hang@4s+60s", broker) as (process, _, events),
    ):
        until(lambda: b"camera_lost" in events.read_bytes(), "the camera is lost", 2 * PATIENCE_S)
        took_s, last = ended(process, events)
        assert (took_s < DEADLINE_S, last) == (True, "stopped"), took_s
        offline(listener)


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, running(tmp_path, "demo", broker) as (process, _, _):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) in {0, -signal.SIGTERM}
