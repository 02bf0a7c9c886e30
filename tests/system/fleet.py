"""Many devices at one broker: how long until all are there, what a message takes, and who comes back after a restart.

    python tests/system/fleet.py [--devices 200] [--seconds 30] [--rate 2]

Each device is the daemon's own MQTT client with a name and a password of its own, made by `deploy/fleet/enrol`; the
broker is mosquitto with `deploy/fleet/mosquitto.conf`, TLS and all, on this machine. In turn: all come; all send for a
while; the broker is stopped for five seconds and started again while they go on; some devices are killed. Exit status 1
when a device does not come back, an event that had a place to wait in is lost, or a killed device stays online.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_edge import config
from fer_edge.clock import SystemClock
from fer_edge.events import plain
from fer_edge.health import Health
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.mqtt import open_mqtt
from support.authority import certificates
from support.brokers import Mosquitto

FLEET = Path(__file__).resolve().parents[2] / "deploy" / "fleet"
PER_PROCESS = 25
AWAY_S = 5.0
SETTLE_S = 10.0
PATIENCE_S = 90.0
CLOCK = SystemClock()


def main() -> int:
    """Run it and tell; 1 when something is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each phase in which all send")
    parser.add_argument("--rate", type=float, default=2.0, help="events per second and device")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        return run(Path(name), arguments.devices, arguments.seconds, arguments.rate)


def run(folder: Path, count: int, seconds: float, rate: float) -> int:
    """All phases."""
    names = [f"device-{k:03}" for k in range(count)]
    subprocess.run([str(FLEET / "enrol"), "127.0.0.1", str(folder), *names], check=True, capture_output=True)
    broker = prepared(folder)
    problems: list[str] = []
    with broker, Collector(folder, broker.port) as collector:
        began_s = CLOCK.monotonic_s()
        groups = [Group(folder, broker.port, names[k : k + PER_PROCESS], rate) for k in range(0, count, PER_PROCESS)]
        try:
            problems += collector.expect(count, "online", "come at first")
            say(f"{count} devices online after {CLOCK.monotonic_s() - began_s:.1f} s")
            problems += steady(collector, broker, seconds, count * rate)
            problems += restarted(collector, broker, count)
            CLOCK.sleep(seconds)
            problems += killed(collector, groups.pop())
        finally:
            told = [group.end() for group in groups]
        problems += counted(collector, told)
    for problem in problems:
        say(f"PROBLEM: {problem}")
    return int(bool(problems))


def prepared(folder: Path) -> Mosquitto:
    """The broker with the shipped settings, at a port of its own."""
    shutil.copy(FLEET / "acl", folder / "acl")
    certificates(folder)
    own = ("listener", "persistence_location", "#")
    text = (FLEET / "mosquitto.conf").read_text(encoding="utf-8")
    lines = [line.replace("/etc/mosquitto/fleet/", f"{folder}/") for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(own)]
    first = [line for line in kept if line.startswith(("cafile", "certfile", "keyfile", "max_connections"))]
    rest = [line for line in kept if line not in first]
    return Mosquitto(folder, *rest, f"persistence_location {folder}/", *first, verbose=False)


def steady(collector: Collector, broker: Mosquitto, seconds: float, wanted: float) -> list[str]:
    """All send; nobody comes or goes. What waited while the last ones came has time to arrive before."""
    CLOCK.sleep(SETTLE_S)
    collector.take()
    cpu_s, began_s = cpu_of(broker.pid), CLOCK.monotonic_s()
    CLOCK.sleep(seconds)
    took_s = CLOCK.monotonic_s() - began_s
    delays = sorted(collector.take())
    used = (cpu_of(broker.pid) - cpu_s) / took_s
    say(
        f"steady for {took_s:.0f} s: {len(delays) / took_s:.0f} events/s of {wanted:.0f}, "
        f"from emit to collector p50 {at(delays, 0.5):.1f}, p95 {at(delays, 0.95):.1f}, p99 {at(delays, 0.99):.1f} ms; "
        f"broker {used:.1%} of a core, {rss_mib(broker.pid):.0f} MiB"
    )
    return [] if len(delays) > 0.95 * wanted * took_s else [f"only {len(delays)} of {wanted * took_s:.0f} events came"]


def restarted(collector: Collector, broker: Mosquitto, count: int) -> list[str]:
    """The broker goes and comes."""
    broker.stop()
    collector.forget()
    CLOCK.sleep(AWAY_S)
    broker.start()
    began_s = CLOCK.monotonic_s()
    problems = collector.expect(count, "online", f"come back after the broker was away for {AWAY_S:g} s")
    times = sorted(at_s - began_s for at_s in collector.since_s.values())
    say(f"broker away for {AWAY_S:g} s: back after p50 {at(times, 0.5):.1f}, at most {at(times, 1.0):.1f} s")
    return problems


def killed(collector: Collector, group: Group) -> list[str]:
    """Some devices lose their power."""
    group.kill()
    began_s = CLOCK.monotonic_s()
    problems = collector.expect(len(group.names), "offline", "be offline after they were killed")
    say(f"{len(group.names)} devices killed: all offline after {CLOCK.monotonic_s() - began_s:.1f} s")
    return problems


def counted(collector: Collector, told: list[dict[str, tuple[int, int]]]) -> list[str]:
    """What the devices that ended in peace have sent, against what came."""
    until = CLOCK.monotonic_s() + PATIENCE_S
    sent = {name: (emitted, lost) for part in told for name, (emitted, lost) in part.items()}
    while CLOCK.monotonic_s() < until:
        missing = {name: emitted - lost - len(collector.numbers[name]) for name, (emitted, lost) in sent.items()}
        if not any(missing.values()):
            break
        CLOCK.sleep(0.5)
    emitted, lost = (sum(values[k] for values in sent.values()) for k in (0, 1))
    gone = sum(missing.values())
    say(f"{emitted} events of {len(sent)} devices, {lost} lost for want of a place to wait, {gone} missing")
    problems = [f"{name}: {count} events are missing" for name, count in missing.items() if count]
    return [*problems, f"{lost} events had no place to wait"] if lost else problems


class Group:
    """Some devices in a process of their own."""

    def __init__(self, folder: Path, port: int, names: list[str], rate: float) -> None:
        self.names = names
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=devices, args=(str(folder), port, names, rate, theirs), daemon=True)
        self._process.start()

    def kill(self) -> None:
        """As a power cut, but that the connection is reset."""
        if self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGKILL)

    def end(self) -> dict[str, tuple[int, int]]:
        """Events that each device emitted, and those it lost."""
        self._ours.send("end")
        found: dict[str, tuple[int, int]] = self._ours.recv() if self._ours.poll(PATIENCE_S) else {}
        self._process.join(PATIENCE_S)
        return found


def devices(folder: str, port: int, names: list[str], rate: float, pipe: Any) -> None:
    """The child: open, emit in turn, tell at the end."""
    logging.disable(logging.CRITICAL)  # two hundred clients' word that the broker is gone
    sinks, emitted = {}, dict.fromkeys(names, 0)
    health = Health()
    for name in names:
        place = Path(folder, "devices", name)
        overrides = {"mqtt.port": port, "mqtt.ca_file": f"{folder}/ca.pem"}
        overrides["mqtt.password_file"] = str(place / "mqtt-password")
        settings = config.load(place / "fer-edge.toml", overrides, []).mqtt
        sinks[name] = open_mqtt(settings, About(("happy",), "0"), health=health, clock=CLOCK)
    pause_s = 1.0 / (rate * len(names))
    due_s = CLOCK.monotonic_s()
    while not pipe.poll(max(0.0, due_s - CLOCK.monotonic_s())):
        name = names[sum(emitted.values()) % len(names)]
        event = plain("expression", CLOCK.wall(), device=name, number=emitted[name], sent_s=CLOCK.monotonic_s())
        sinks[name].emit(event)
        emitted[name] += 1
        due_s += pause_s
    for sink in sinks.values():
        sink.close()
    pipe.send({name: (emitted[name], sinks[name].lost) for name in names})


@dataclass
class Collector:
    """Reads everything: who is there, which events came, how late."""

    folder: Path
    port: int
    there: dict[str, str] = field(default_factory=dict)
    since_s: dict[str, float] = field(default_factory=dict)
    numbers: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    delays_ms: list[float] = field(default_factory=list)

    def __enter__(self) -> Collector:  # noqa: PYI034 - typing.Self came with Python 3.11
        self._changed = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="collector", clean_session=False)
        self._client.username_pw_set("collector", (self.folder / "collector-password").read_text().strip())
        self._client.tls_set(str(self.folder / "ca.pem"))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("fer-edge/#", qos=1)
        self._client.on_message = lambda _c, _u, message: self._take(message.topic, bytes(message.payload))
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def expect(self, count: int, word: str, what: str) -> list[str]:
        """Wait until so many devices are in this state."""
        with self._changed:
            self._changed.wait_for(lambda: self._in(word) >= count, PATIENCE_S)
            found = self._in(word)
        return [] if found >= count else [f"{count - found} of {count} devices did not {what} within {PATIENCE_S:g} s"]

    def forget(self) -> None:
        """Who was there."""
        with self._changed:
            self.there.clear()
            self.since_s.clear()

    def take(self) -> list[float]:
        """The delays since the last time, milliseconds."""
        with self._changed:
            found, self.delays_ms = self.delays_ms, []
        return found

    def _in(self, word: str) -> int:
        return sum(state == word for state in self.there.values())

    def _take(self, topic: str, payload: bytes) -> None:
        now_s = CLOCK.monotonic_s()
        _, device, kind, *_ = topic.split("/")
        with self._changed:
            if kind == "availability":
                self.there[device], self.since_s[device] = payload.decode(), now_s
                self._changed.notify_all()
            elif kind == "event":
                event = json.loads(payload)
                self.numbers[device].add(event["number"])
                self.delays_ms.append(1000.0 * (now_s - event["sent_s"]))


def cpu_of(pid: int) -> float:
    """Seconds that a process has used."""
    parts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def at(values: list[float], share: float) -> float:
    """A percentile of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def say(sentence: str) -> None:
    """A line at once."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
