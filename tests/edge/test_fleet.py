"""What lies in deploy/fleet does what the how-to says: a real broker, real rules, and metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fer_edge import config
from fer_edge.clock import SystemClock
from fer_edge.health import Health
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.mqtt import open_mqtt
from support.authority import certificates
from support.brokers import Mosquitto, expression, needs_mosquitto
from support.http import face, serving, started

FLEET = Path(__file__).resolve().parents[2] / "deploy" / "fleet"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
OTHERS = frozenset({"fer_edge", "up"})
"""Words that look like a metric of ours, and Prometheus' own."""


def enrol(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(FLEET / "enrol"), *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two devices."""
    done = enrol("127.0.0.1", str(tmp_path / "fleet"), "hall", "door")
    assert done.returncode == 0, done.stderr
    return tmp_path / "fleet"


def broker_of(folder: Path) -> Mosquitto:
    """With the shipped settings, but for the place of their files and the port."""
    lines = []
    for line in (FLEET / "mosquitto.conf").read_text(encoding="utf-8").splitlines():
        key = line.partition(" ")[0]
        if key and not line.startswith("#") and key not in {"listener", "persistence", "persistence_location"}:
            lines.append(line.replace("/etc/mosquitto/fleet/", f"{folder}/"))
    shutil.copy(FLEET / "acl", folder / "acl")
    for source, name in zip(certificates(folder), ("ca.pem", "cert.pem", "key.pem"), strict=True):
        assert source == folder / name
    password = (folder / "collector-password").read_text().strip()
    (folder / "certs").mkdir()
    options = ("--cafile", str(folder / "ca.pem"), "-u", "collector", "-P", password)
    order = sorted(lines, key=lambda line: line.startswith(("cafile", "certfile", "keyfile", "max_connections")))
    return Mosquitto(folder, *order, options=options)


@needs_mosquitto
@needs_openssl
def test_a_device_has_a_password_a_token_and_a_configuration_of_its_own(folder: Path) -> None:
    places = sorted((folder / "devices").iterdir())
    assert [place.name for place in places] == ["door", "hall"]
    passwords = {(place / "mqtt-password").read_text() for place in places}
    assert len(passwords) == 2
    for file in (*places[0].iterdir(), folder / "collector-password", folder / "scrape-token"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    settings = config.load(places[0] / "fer-edge.toml", {}, [])
    assert (settings.mqtt.the_prefix, settings.mqtt.username, settings.mqtt.the_port) == ("fer-edge/door", "door", 8883)
    listed = (folder / "passwords").read_text()
    assert [line.partition(":")[0] for line in listed.splitlines()] == ["collector", "hall", "door"]
    assert not any(password.strip() in listed for password in passwords)
    targets = json.loads((folder / "targets.json").read_text())
    assert targets[0] == {"targets": ["door.local:8080"], "labels": {"device": "door"}}


@needs_mosquitto
@needs_openssl
def test_who_is_enrolled_keeps_what_it_has_and_others_join(folder: Path) -> None:
    before = (folder / "devices" / "hall" / "mqtt-password").read_text()
    done = enrol("127.0.0.1", str(folder), "hall", "yard")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "hall: is enrolled already")
    assert (folder / "devices" / "hall" / "mqtt-password").read_text() == before
    assert [each["labels"]["device"] for each in json.loads((folder / "targets.json").read_text())] == [
        "door",
        "hall",
        "yard",
    ]


@needs_mosquitto
@needs_openssl
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["broker", "F"], "usage: enrol BROKER FOLDER DEVICE..."),
        (["broker; reboot", "F", "hall"], "a broker is a name or an address"),
        (["broker", "F", "../hall"], "an id is letters, digits, - and _"),
        (["broker", "F", "hall", ""], "an id is letters, digits, - and _"),
        (["broker", "F", "hall", "#"], "an id is letters, digits, - and _"),
        (["broker", "F", "x" * 65], "an id has up to 64 characters, found 65"),
        (["broker", "F", "collector"], "collector is the name of who reads"),
    ],
)
def test_a_mistake_is_one_sentence_and_enrols_nobody(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    place = tmp_path / "fleet"
    done = enrol(*[str(place) if word == "F" else word for word in arguments])
    assert done.returncode == 2
    assert done.stderr.startswith("enrol: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not place.exists()


@needs_mosquitto
@needs_openssl
def test_an_enrolled_device_reaches_the_broker_by_its_own_configuration(folder: Path) -> None:
    with broker_of(folder) as broker, broker.listen() as listener:
        place = folder / "devices" / "hall"
        assignments = [
            f"mqtt.port={broker.port}",
            f"mqtt.ca_file='{folder / 'ca.pem'}'",
            f"mqtt.password_file='{place / 'mqtt-password'}'",
        ]
        settings = config.load(place / "fer-edge.toml", {}, assignments)
        sink = open_mqtt(settings.mqtt, About(("happy",), "1.2.3"), health=Health(), clock=SystemClock())
        try:
            sink.emit(expression(1))
            assert listener.wait_for("fer-edge/hall/availability").payload == "online"
            assert json.loads(listener.wait_for("fer-edge/hall/event/expression").payload)["number"] == 1
        finally:
            sink.close()
        assert listener.wait_for("fer-edge/hall/availability", "offline")


@needs_mosquitto
@needs_openssl
def test_a_device_speaks_for_itself_alone_and_hears_nothing(folder: Path) -> None:
    with broker_of(folder) as broker, broker.listen() as listener:
        password = (folder / "devices" / "hall" / "mqtt-password").read_text().strip()
        common = ["-h", "127.0.0.1", "-p", str(broker.port), "--cafile", str(folder / "ca.pem"), "-u", "hall"]

        def publish(topic: str, secret: str = password) -> int:
            command = ["mosquitto_pub", *common, "-P", secret, "-q", "1", "-t", topic, "-m", topic]
            return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode

        publish("fer-edge/door/state")
        publish("homeassistant/device/door/config")
        publish("fer-edge/hall/state")
        publish("homeassistant/device/hall/config")
        assert publish("fer-edge/hall/state", "guessed") != 0
        listener.wait_for("homeassistant/device/hall/config")
        assert [each.topic for each in listener.messages] == ["fer-edge/hall/state", "homeassistant/device/hall/config"]
        heard = subprocess.run(
            ["mosquitto_sub", *common, "-P", password, "-t", "fer-edge/#", "-W", "2"],
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert heard.stdout == b""


def expressions() -> Iterator[str]:
    """Of the dashboard and of the alarms."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from re.findall(r"expr: (.*)", (FLEET / "alerts.yml").read_text(encoding="utf-8"))


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FLEET / "grafana.json").read_text(encoding="utf-8"))
    return found


def test_dashboard_and_alarms_ask_for_metrics_that_there_are() -> None:
    with serving() as served:
        started(served.live)
        served.step(face())
        served.live.board(temperature_c=50.0, throttled=["x"], memory_available_bytes=1)
        served.health.report("mqtt", "away")
        text = served.ask("/metrics").body.decode()
    there = set(re.findall(r"^(\w+)(?:\{| )", text, re.MULTILINE))
    asked = {name for each in expressions() for name in re.findall(r"\b(fer_edge\w*|up)\b", each)} - OTHERS
    assert len(asked) > 15
    assert asked - there == set()


def test_panels_lie_beside_each_other_and_ask_the_chosen_devices() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert all('device=~"$device"' in target["expr"] for target in panel["targets"])


@needs_promtool
@pytest.mark.parametrize("command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]])
def test_alarms_ring_when_they_should_and_not_else(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=FLEET, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@needs_mosquitto
@needs_openssl
def test_prometheus_takes_the_configuration_beside_what_enrol_wrote(folder: Path) -> None:
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(FLEET / name, folder / name)
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
