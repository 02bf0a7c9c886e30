"""The daemon for an hour or longer, with a client on every output and trouble every minute; a table tells how it went.

    python tests/system/soak.py --clip clip.mp4 --minutes 60 [--out build/soak]

The clip plays in a loop at its own speed; every minute its camera is lost once. An MQTT broker (mosquitto, on loopback)
is stopped and started every three minutes; a webhook, two readers of the page's events, one of its pictures and one of
its metrics hang on all the time. What the file of events has is what has to have arrived everywhere.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import math
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.brokers import Listener, Mosquitto, free_port, until

CLOCK = SystemClock()
SAMPLE_S = 5.0
BROKER_EVERY_S, BROKER_AWAY_S = 180.0, 2.0
SETTLED_MINUTE = 5
CPU_MINUTES = 10
HELD_S = 120.0
PREFIX = "soak"
YARD = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
YARD_TURNS = 8
"""Some ten milliseconds of work, as the daemon does it to a picture."""
FAITHFUL = ("-i", "listener", "-c", "-q", "1")
"""A subscriber for whom the broker keeps what comes while it is away."""
OUTSIDE = {"statistics"}
"""Kinds of which MQTT keeps only the newest."""


@dataclass
class Sample:
    """One look. at_s: since the start. yard_ms: what a fixed piece of work took of the processor at that moment."""

    at_s: float
    rss_bytes: int
    cpu_s: float
    frames: int
    yard_ms: float


@dataclass
class Seen:
    """What each client saw, by the event's identity, and what was measured on the way."""

    webhook: set[str] = field(default_factory=set)
    page: set[str] = field(default_factory=set)
    pictures: int = 0
    samples: list[Sample] = field(default_factory=list)
    reconnects_s: list[float] = field(default_factory=list)


def identity(event: dict[str, Any]) -> str:
    """What no two events share."""
    return json.dumps([event["type"], event["time"], event.get("frame"), event.get("track")])


def main() -> int:
    """Run, and print the table; 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=Path("build/soak"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # the yardstick is one thread's work
    arguments.out.mkdir(parents=True, exist_ok=True)
    for old in arguments.out.glob("events.jsonl*"):
        old.unlink()
    seen, over = Seen(), threading.Event()
    with remembering(arguments.out) as broker, broker.listen(*FAITHFUL) as listener, receiver(seen) as hook:
        port = free_port()
        process = daemon(arguments.clip, arguments.out / "events.jsonl", port, hook, broker.port)
        threads = [
            threading.Thread(target=work, daemon=True)
            for work in (
                lambda: follow(port, seen, over),
                lambda: follow(port, Seen(), over),
                lambda: watch(port, seen, over),
            )
        ]
        for thread in threads:
            thread.start()
        shake(process, broker, listener, port, seen, arguments.minutes * 60.0)
        process.send_signal(signal.SIGTERM)
        status = process.wait(30.0)
        listener.wait_for(f"{PREFIX}/availability", "offline")
        heard = told(listener)
        over.set()
    with (arguments.out / "samples.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Sample)])
        writer.writeheader()
        writer.writerows(asdict(each) for each in seen.samples)
    return report(arguments.out / "events.jsonl", seen, heard, status)


def remembering(folder: Path) -> Mosquitto:
    """A broker that keeps over its restarts who subscribed and what they were not sent yet: what is lost, we lost."""
    (folder / "mosquitto.db").unlink(missing_ok=True)
    return Mosquitto(folder, "persistence true", f"persistence_location {folder.resolve()}/")


def daemon(clip: Path, events: Path, port: int, hook: int, broker: int) -> subprocess.Popen[bytes]:
    """Everything switched on."""
    chosen = {
        "http.pictures": "true",
        "mqtt.host": '"127.0.0.1"',
        "mqtt.port": str(broker),
        "mqtt.prefix": f'"{PREFIX}"',
        "mqtt.outbox": "1000",
        "webhook.url": f'"http://127.0.0.1:{hook}/"',
        "events.rotation.max_bytes": "0",
    }
    flags = ["--source", f"fault:{clip}?loop,lost@1m/1m", "--http", f"127.0.0.1:{port}", "--events", str(events)]
    settings = [f"--set={key}={value}" for key, value in chosen.items()]
    return subprocess.Popen([sys.executable, "-m", "fer_edge", "run", *flags, *settings])


def shake(
    process: subprocess.Popen[bytes], broker: Mosquitto, listener: Listener, port: int, seen: Seen, seconds: float
) -> None:
    """Sample, and restart the broker, until time is up."""
    began_s, next_s = CLOCK.monotonic_s(), BROKER_EVERY_S
    never = threading.Event()
    while (at_s := CLOCK.monotonic_s() - began_s) < seconds:
        assert process.poll() is None, "the daemon ended by itself"
        seen.samples.append(sample(process.pid, port, at_s))
        if at_s >= next_s:
            next_s += BROKER_EVERY_S
            seen.reconnects_s.append(restarted(broker, listener))
        never.wait(SAMPLE_S)


def restarted(broker: Mosquitto, listener: Listener) -> float:
    """Seconds from the broker's return to the daemon's greeting."""
    broker.stop()
    threading.Event().wait(BROKER_AWAY_S)
    known = greetings(listener)
    broker.start()
    up_s = CLOCK.monotonic_s()
    until(lambda: greetings(listener) > known, "the daemon is online again")
    return CLOCK.monotonic_s() - up_s


def greetings(listener: Listener) -> int:
    """How often the daemon said that it is there; what the broker only kept is not counted."""
    said = listener.of(f"{PREFIX}/availability")
    return sum(message.payload == "online" and not message.retained for message in said)


def told(listener: Listener) -> set[str]:
    """Identities of the events that a subscriber was sent."""
    found = [message.payload for message in list(listener.messages) if f"{PREFIX}/event/" in message.topic]
    return {identity(json.loads(payload)) for payload in found}


def sample(pid: int, port: int, at_s: float) -> Sample:
    """Memory and CPU as the kernel has them, frames as the page has them."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    rss = next(
        int(line.split()[1]) * 1024
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmRSS")
    )
    ticks = int(words[11]) + int(words[12])
    frames = 0
    if (answer := get(port, "/api/state")) is not None:
        frames = int(json.loads(answer)["counts"]["frames"])
        get(port, "/metrics")
    return Sample(at_s, rss, ticks / 100.0, frames, yard_ms())


def yard_ms() -> float:
    """Processor time of a fixed piece of work: others on the same cores make it longer, as they make everything."""
    began_s = time.thread_time()
    for _ in range(YARD_TURNS):
        cv2.GaussianBlur(YARD, (9, 9), 0)
    return 1000.0 * (time.thread_time() - began_s)


def get(port: int, path: str) -> bytes | None:
    """An answer, None while there is none."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return None


def stream(port: int, path: str, over: threading.Event) -> Iterator[bytes]:
    """Lines of an answer without an end, asked for again a second after it broke off or was refused."""
    while not over.is_set():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60.0)
            connection.request("GET", path)
            response = connection.getresponse()
            while line := response.readline(1_000_000):
                yield line
        except (OSError, http.client.HTTPException):
            pass
        over.wait(1.0)


def follow(port: int, seen: Seen, over: threading.Event) -> None:
    """Read along the page's events."""
    for line in stream(port, "/api/events", over):
        if line.startswith(b"data: {"):
            event = json.loads(line[len(b"data: ") :])
            if "type" in event and "time" in event:
                seen.page.add(identity(event))


def watch(port: int, seen: Seen, over: threading.Event) -> None:
    """Look at the pictures."""
    for line in stream(port, "/stream.mjpeg", over):
        seen.pictures += line.startswith((b"Content-Type: image/jpeg", b"content-type: image/jpeg"))


class receiver:  # noqa: N801 - a context manager, read as a word
    """A webhook's receiver; entering gives its port."""

    def __init__(self, seen: Seen) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.webhook.update(identity(event) for event in body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> int:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return int(self._server.server_address[1])

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def report(path: Path, seen: Seen, heard: set[str], status: int) -> int:
    """The table, and whether all held."""
    lines = path.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    wanted = {identity(event) for event in events if event["type"] not in OUTSIDE}
    last = seen.samples[-1]
    settled_b, last_b = held(seen.samples, 60.0 * SETTLED_MINUTE), held(seen.samples, last.at_s - HELD_S)
    growth = last_b / settled_b - 1.0
    rows = [
        ("minutes", f"{last.at_s / 60.0:.1f}", True),
        ("exit status", str(status), status == 0),
        ("RSS from minute 5, at the end", f"{settled_b / 2**20:.1f}, {last_b / 2**20:.1f} MiB", True),
        ("growth", f"{growth:+.2%}", growth <= 0.02),
        ("events in the file", str(len(events)), True),
        ("of them not at the broker", missing(wanted, heard), wanted <= heard),
        ("of them not at the webhook", missing(wanted, seen.webhook), wanted <= seen.webhook),
        ("of them not on the page", missing(wanted, seen.page), True),
        ("camera lost, back", ", ".join(str(count(events, kind)) for kind in ("camera_lost", "camera_back")), True),
        ("broker restarts", str(len(seen.reconnects_s)), True),
        ("reconnect p50, max", spread(seen.reconnects_s), True),
        ("pictures watched", str(seen.pictures), seen.pictures > 0),
        ("CPU ms per frame, first, last", cpu(seen.samples), True),
        ("the same in yardsticks", yards(seen.samples), True),
    ]
    for name, value, good in rows:
        sys.stdout.write(f"{name:32} {value}{'' if good else '   <- does not hold'}\n")
    return int(not all(good for *_, good in rows))


def held(samples: list[Sample], from_s: float) -> float:
    """The most memory within a while, as it goes up and down with the camera that is lost once a minute."""
    part = [each.rss_bytes for each in samples if from_s <= each.at_s < from_s + HELD_S]
    return max(part, default=samples[-1].rss_bytes)


def missing(wanted: set[str], found: set[str]) -> str:
    """How many, and the kinds of the first."""
    left = sorted(wanted - found)
    return str(len(left)) + (f", the first {left[:3]}" if left else "")


def count(events: list[dict[str, Any]], kind: str) -> int:
    """Events of a kind."""
    return sum(event["type"] == kind for event in events)


def spread(values: list[float]) -> str:
    """Median and largest."""
    return f"{statistics.median(values):.2f}, {max(values):.2f} s" if values else "none"


def cpu(samples: list[Sample]) -> str:
    """Of the first and the last ten minutes, or of as much as there is."""
    return ", ".join(f"{per_frame_ms(part):.2f}" for part in ends(samples))


def yards(samples: list[Sample]) -> str:
    """What a frame took, by what a fixed piece of work took in the same minutes: a busy machine lengthens both."""
    found = [per_frame_ms(part) / statistics.median(each.yard_ms for each in part) for part in ends(samples)]
    return f"{found[0]:.3f}, {found[1]:.3f} ({found[1] / found[0] - 1.0:+.1%})"


def ends(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """The first and the last ten minutes, or halves of what there is."""
    span_s = min(60.0 * CPU_MINUTES, samples[-1].at_s / 2.0)
    began = [each for each in samples if each.frames]
    return [s for s in began if s.at_s <= span_s], [s for s in began if s.at_s >= samples[-1].at_s - span_s]


def per_frame_ms(part: list[Sample]) -> float:
    """Processor time from the first to the last sample, per frame; NaN without frames."""
    frames = part[-1].frames - part[0].frames if len(part) > 1 else 0
    return 1000.0 * (part[-1].cpu_s - part[0].cpu_s) / frames if frames else math.nan


if __name__ == "__main__":
    sys.exit(main())
