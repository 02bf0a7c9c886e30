"""What the outputs cost, and how old an event is when it comes: the daemon on a clip at 15 frames per second.

    python tests/system/outputs.py --clip clip.mp4 [--seconds 60] [--rounds 3] [--fps 15] [--out build/outputs]

Spans take turns, so that what the machine does besides falls on all of them: JSON lines alone; every output, each with
a client (MQTT through mosquitto, a webhook, the page's events, its metrics every fifteen seconds); and the same with
someone who watches the pictures. CPU is the daemon's, all threads, per frame. Latency is from a frame's arrival to the
moment that a reader of the JSON lines has the event.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2

from fer_edge.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.brokers import Mosquitto, free_port
from system.soak import Seen, follow, get, receiver, watch

CLOCK = SystemClock()
ALONE, ALL, WATCHED = "JSON lines alone", "all outputs", "all, pictures watched"
MAX_MORE = 0.15
SCRAPE_S = 15.0
WARM_S = 5.0
"""Events of so long after the start are left out: models load, and threads start."""


@dataclass
class Span:
    """One run of the daemon. told: its `statistics` event at the end."""

    kind: str
    latencies_ms: list[float] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    """Print the table; 1 where all outputs cost more than they may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", required=True, type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--out", type=Path, default=Path("build/outputs"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    clip = retimed(arguments.clip, arguments.out / "clip.avi", arguments.fps)
    spans = []
    for _ in range(arguments.rounds):
        for kind in (ALONE, ALL, WATCHED):
            spans.append(run(kind, clip, arguments.seconds, arguments.out))
            sys.stdout.write(f"{kind:24} {row([spans[-1]])}\n")
            sys.stdout.flush()
    return report(spans)


def retimed(clip: Path, out: Path, fps: float) -> Path:
    """The clip with so many of its frames per second as are asked for."""
    reader = cv2.VideoCapture(str(clip))
    step = max(1.0, reader.get(cv2.CAP_PROP_FPS) / fps)
    writer, i, next_i = None, 0, 0.0
    while (found := reader.read())[0]:
        if i >= next_i:
            if writer is None:
                height, width = found[1].shape[:2]
                writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
            writer.write(found[1])
            next_i += step
        i += 1
    if writer is None:
        sys.exit(f"{clip} has no frames")
    writer.release()
    return out


def run(kind: str, clip: Path, seconds: float, out: Path) -> Span:
    """The daemon for a while, with this kind of outputs."""
    span, seen, over, port = Span(kind), Seen(), threading.Event(), free_port()
    flags = ["--source", f"fault:{clip}?loop", "--events", "-"]
    clients: list[Callable[[], None]] = []
    with contextlib.ExitStack() as held:
        if kind != ALONE:
            broker = held.enter_context(Mosquitto(out))
            held.enter_context(broker.listen())
            flags += outputs(port, broker.port, held.enter_context(receiver(seen)))
            clients = [lambda: follow(port, seen, over), lambda: scrape(port, over)]
        if kind == WATCHED:
            clients.append(lambda: watch(port, seen, over))
        with subprocess.Popen([sys.executable, "-m", "fer_edge", "run", *flags], stdout=subprocess.PIPE) as process:
            for client in clients:
                threading.Thread(target=client, daemon=True).start()
            threading.Timer(seconds + WARM_S, process.terminate).start()
            read(process, span)
        over.set()
    assert process.returncode == 0, f"the daemon ended with {process.returncode}"
    return span


def outputs(port: int, broker: int, hook: int) -> list[str]:
    """Flags that switch everything on."""
    chosen = {
        "http.pictures": "true",
        "mqtt.host": '"127.0.0.1"',
        "mqtt.port": str(broker),
        "webhook.url": f'"http://127.0.0.1:{hook}/"',
    }
    return ["--http", f"127.0.0.1:{port}", *(f"--set={key}={value}" for key, value in chosen.items())]


def scrape(port: int, over: threading.Event) -> None:
    """Read the metrics, as Prometheus does."""
    while not over.wait(SCRAPE_S):
        get(port, "/metrics")


def read(process: subprocess.Popen[bytes], span: Span) -> None:
    """Note each event's age as it comes."""
    assert process.stdout is not None
    first_s = None
    for line in process.stdout:
        now, at_s = CLOCK.wall(), CLOCK.monotonic_s()
        event = json.loads(line)
        if event["type"] == "statistics":
            span.told = event
        elif "frame" in event:
            first_s = at_s if first_s is None else first_s
            if at_s - first_s > WARM_S:
                age = now - datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
                span.latencies_ms.append(1000.0 * age.total_seconds())


def report(spans: list[Span]) -> int:
    """All spans of a kind together, and the stages' budget."""
    sys.stdout.write("\n")
    found = {kind: [each for each in spans if each.kind == kind] for kind in (ALONE, ALL, WATCHED)}
    for kind, part in found.items():
        sys.stdout.write(f"{kind:24} {row(part)}\n")
    sys.stdout.write("\nstage            p50     p95     p99  ms, JSON lines alone\n")
    stages = found[ALONE][0].told["stages_ms"]
    for name in stages:
        values = [statistics.median(each.told["stages_ms"][name][p] for each in found[ALONE]) for p in stages[name]]
        sys.stdout.write(f"{name:12}{''.join(f'{value:8.2f}' for value in values)}\n")
    more = cpu(found[ALL]) / cpu(found[ALONE]) - 1.0
    sys.stdout.write(f"\nall outputs cost {more:+.1%} CPU per frame, {MAX_MORE:.0%} more may be\n")
    return int(more > MAX_MORE)


def row(spans: list[Span]) -> str:
    """One line of figures."""
    values = sorted(value for each in spans for value in each.latencies_ms)
    late = (values[min(len(values) - 1, len(values) * share // 100)] for share in (50, 95, 99))
    ages = ", ".join(f"p{share} {value:5.1f}" for share, value in zip((50, 95, 99), late, strict=True))
    fps = statistics.mean(each.told["fps"] for each in spans)
    return f"{fps:5.2f} fps, CPU {cpu(spans):6.2f} ms per frame, latency {ages} ms (n {len(values)})"


def cpu(spans: list[Span]) -> float:
    """Median of the spans' CPU per frame, in milliseconds."""
    return statistics.median(float(each.told["cpu_ms_per_frame"]) for each in spans)


if __name__ == "__main__":
    sys.exit(main())
