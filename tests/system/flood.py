"""What clients that mean no good cost the daemon: idle connections by the thousand, pictures that nobody reads.

    python tests/system/flood.py --clip clip.mp4 [--seconds 60] [--connections 5000] [--viewers 40]

The clip plays in a loop at its own speed. Quiet and flooded spans alternate, so that what the machine does besides
falls on both. An event's latency is from the frame's arrival to the event's at a reader of the page's events; frames
are those that had a face, which is told of in every one.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fer_edge.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.brokers import free_port, until

CLOCK = SystemClock()
ROUNDS = 3
STARTING_S = 60.0
MAX_CHANGE = 0.10
PER_ADDRESS = 8
"""What the daemon gives one address; the flood comes from as many as it takes."""


@dataclass
class Span:
    """One span of time. latencies_ms: of the events that arrived in it."""

    flooded: bool
    fps: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    rss_bytes: int = 0
    held: int = 0


class Reader:
    """Reads along the page's events and notes how old each is when it comes."""

    def __init__(self, port: int) -> None:
        self._port, self._lock, self._ages, self._frames = port, threading.Lock(), list[float](), set[int]()
        threading.Thread(target=self._run, daemon=True).start()

    def take(self) -> tuple[list[float], int]:
        """Ages in milliseconds, and how many frames they were of, since the last call."""
        with self._lock:
            found, self._ages = self._ages, []
            frames, self._frames = len(self._frames), set()
            return found, frames

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60.0)
        connection.request("GET", "/api/events")
        response = connection.getresponse()
        while line := response.readline(1_000_000):
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[len(b"data: ") :])
            if "frame" in event and "time" in event:
                age = CLOCK.wall() - datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
                with self._lock:
                    self._ages.append(1000.0 * age.total_seconds())
                    self._frames.add(event["frame"])


def main() -> int:
    """Print a line per span and the verdict; 1 where the change is more than a tenth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", required=True, type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--viewers", type=int, default=40)
    arguments = parser.parse_args()
    with daemon(arguments.clip) as (process, port):
        reader = Reader(port)
        spans = []
        for _ in range(ROUNDS):
            spans.append(span(process.pid, reader, arguments.seconds))
            with flood(port, arguments.connections, arguments.viewers) as held:
                spans.append(span(process.pid, reader, arguments.seconds, held))
    return verdict(spans)


@contextlib.contextmanager
def daemon(clip: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process and its port, once frames come."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--source", f"fault:{clip}?loop", "--http", f"127.0.0.1:{port}", "--rate", "all"]
        flags += ["--events", f"{folder}/events.jsonl", "--set", "http.pictures=true"]
        with subprocess.Popen([sys.executable, "-m", "fer_edge", "run", *flags]) as process:
            until(lambda: frames(port) > 0, "frames come", STARTING_S)
            yield process, port
            process.terminate()


def frames(port: int) -> int:
    """Frames so far, 0 before the first."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
        connection.request("GET", "/api/state")
        return int(json.loads(connection.getresponse().read())["counts"]["frames"])
    except (OSError, http.client.HTTPException):
        return 0


def span(pid: int, reader: Reader, seconds: float, held: list[socket.socket] | None = None) -> Span:
    """Let it run for a while, and see how it went."""
    found = Span(held is not None)
    reader.take()
    began_s = CLOCK.monotonic_s()
    CLOCK.sleep(seconds)
    found.latencies_ms, seen = reader.take()
    found.fps = seen / (CLOCK.monotonic_s() - began_s)
    found.rss_bytes = next(
        int(line.split()[1]) * 1024
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmRSS")
    )
    found.held = len(held or ())
    sys.stdout.write(told("flooded" if found.flooded else "quiet", [found]) + "\n")
    return found


@contextlib.contextmanager
def flood(port: int, connections: int, viewers: int) -> Iterator[list[socket.socket]]:
    """Viewers that never read, from several addresses, and then idle connections for as long as it lasts."""
    held: list[socket.socket] = []
    over = threading.Event()
    for i in range(viewers):
        with contextlib.suppress(OSError):
            held.append(opened(port, f"127.0.1.{1 + i // (PER_ADDRESS - 1)}"))
            held[-1].sendall(f"GET /stream.mjpeg HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())

    def more() -> None:
        for i in range(connections):
            if over.is_set():
                return
            with contextlib.suppress(OSError):
                held.append(opened(port, f"127.0.2.{1 + i % 250}"))
            over.wait(0.005)

    thread = threading.Thread(target=more, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        over.set()
        thread.join()
        for each in held:
            each.close()


def opened(port: int, address: str) -> socket.socket:
    """A connection from one of loopback's addresses."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.bind((address, 0))
    client.settimeout(5.0)
    client.connect(("127.0.0.1", port))
    return client


def verdict(spans: list[Span]) -> int:
    """Flooded against quiet."""
    quiet, flooded = ([each for each in spans if each.flooded is kind] for kind in (False, True))
    for name, part in (("quiet", quiet), ("flooded", flooded)):
        sys.stdout.write(told(f"all {name}", part) + "\n")
    fps = rate(flooded) / rate(quiet) - 1.0
    late = percentile(flooded, 99) / percentile(quiet, 99) - 1.0
    sys.stdout.write(f"change under the flood: frames per second {fps:+.1%}, p99 latency {late:+.1%}\n")
    return int(abs(fps) > MAX_CHANGE or late > MAX_CHANGE)


def told(name: str, spans: list[Span]) -> str:
    """One line."""
    words = [f"{name:12} {rate(spans):6.2f} fps", f"p50 {percentile(spans, 50):6.1f} ms"]
    words += [f"p99 {percentile(spans, 99):6.1f} ms", f"RSS {max(each.rss_bytes for each in spans) / 2**20:6.1f} MiB"]
    return ", ".join([*words, f"{max(each.held for each in spans)} connections tried and held"])


def rate(spans: list[Span]) -> float:
    """Mean frames per second."""
    return sum(each.fps for each in spans) / len(spans)


def percentile(spans: list[Span], share: int) -> float:
    """Of all latencies together, milliseconds."""
    values = sorted(value for each in spans for value in each.latencies_ms)
    return values[min(len(values) - 1, len(values) * share // 100)] if values else float("nan")


if __name__ == "__main__":
    sys.exit(main())
