"""What is published, and how; judged by a real broker and a subscriber that is not ours."""

from __future__ import annotations

import builtins
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fer_edge.clock import SystemClock
from fer_edge.errors import ConfigError, ExitCode, RuntimeUnavailable
from fer_edge.events import plain
from fer_edge.health import Health, Status
from fer_edge.sinks import Sink
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.mqtt import open_mqtt
from fer_edge.sinks.settings import MqttSettings
from fer_edge.strict import problems
from support.authority import certificates
from support.brokers import (
    SUBSCRIBE,
    Mosquitto,
    ScriptedBroker,
    expression,
    good,
    mqtt,
    needs_mosquitto,
    password_file,
    running,
    until,
)
from support.clocks import WALL

ABOUT = About(("happy", "sad"), "1.2.3")
paho_forgets_a_socket = pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
"""Where the handshake fails, paho leaves the socket to the garbage collector, which closes it at once."""


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@needs_mosquitto
def test_events_arrive_each_type_on_its_topic(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener, running(mqtt(broker.port, Health())) as sink:
        sink.emit(expression(1))
        sink.emit(plain("face_left", WALL, track=1, label="happy"))
        first = listener.wait_for("fer/event/expression")
        second = listener.wait_for("fer/event/face_left")
    assert json.loads(first.payload) == expression(1)
    assert json.loads(second.payload) == plain("face_left", WALL, track=1, label="happy")
    assert not first.retained
    assert sink.lost == 0


@needs_mosquitto
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_event_arrives_once_and_in_order(tmp_path: Path, qos: int) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener:
        sink = mqtt(broker.port, Health(), qos=qos, outbox=1000)
        with running(sink):
            for number in range(500):
                sink.emit(expression(number))
            listener.wait_for("fer/event/expression", count=500)
        listener.wait_for("fer/availability", "offline")
    assert [json.loads(m.payload)["number"] for m in listener.of("fer/event/expression")] == list(range(500))
    assert sink.lost == 0


@needs_mosquitto
def test_the_device_is_online_while_it_runs_and_offline_after_a_clean_end(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        with broker.listen() as listener, running(mqtt(broker.port, Health())):
            listener.wait_for("fer/availability", "online")
        with broker.listen() as late:
            assert late.wait_for("fer/availability").payload == "offline"
            assert late.wait_for("fer/availability").retained


@needs_mosquitto
def test_closing_delivers_what_still_waits_and_only_then_says_offline(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener:
        with running(mqtt(broker.port, Health())) as sink:
            listener.wait_for("fer/availability", "online")
            for number in range(60):
                sink.emit(expression(number))
            sink.emit(plain("stopped", WALL, reason="done"))
        listener.wait_for("fer/availability", "offline")
    topics = [message.topic for message in listener.messages]
    assert topics == ["fer/availability", *["fer/event/expression"] * 60, "fer/event/stopped", "fer/availability"]
    assert sink.lost == 0


@needs_mosquitto
def test_the_newest_state_is_retained(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        with broker.listen() as listener, running(mqtt(broker.port, Health())) as sink:
            sink.state(Status("starting", {}), 0, None)
            sink.state(Status("degraded", {"board": "it is hot"}), 2, "happy", fps=14.96, temperature_c=81.04)
            until(lambda: any('"faces":2' in m.payload for m in listener.of("fer/state")), "the state arrived")
        with broker.listen() as late:
            kept = late.wait_for("fer/state")
    assert kept.retained
    assert json.loads(kept.payload) == {
        "schema_version": 1,
        "time": json.loads(kept.payload)["time"],
        "state": "degraded",
        "reasons": {"board": "it is hot"},
        "faces": 2,
        "expression": "happy",
        "fps": 15.0,
        "temperature_c": 81.0,
    }


def test_a_state_is_sent_only_when_it_changed() -> None:
    with ScriptedBroker(good) as broker, running(mqtt(broker.port, Health())) as sink:
        for faces in (0, 0, 0, 1, 1):
            sink.state(Status("running", {}), faces, None, fps=float("nan"))
            until(lambda: not sink._state_waits, "it was taken up")
        sink.emit(expression(1))
        until(lambda: "fer/event/expression" in dict(broker.published()), "the event arrived")
        states = [json.loads(payload) for topic, payload in broker.published() if topic == "fer/state"]
    assert [state["faces"] for state in states] == [0, 1]
    assert states[0]["fps"] is None


def test_states_that_come_while_the_broker_is_away_leave_only_the_newest() -> None:
    with ScriptedBroker(good) as broker:
        sink = mqtt(broker.port, Health())
        for faces in range(1000):
            sink.state(Status("running", {}), faces, None)
        with running(sink):
            until(lambda: "fer/state" in dict(broker.published()), "a state arrived")
        states = [json.loads(payload)["faces"] for topic, payload in broker.published() if topic == "fer/state"]
    assert states == [999]
    assert sink.lost == 0


@needs_mosquitto
def test_the_statistics_of_a_run_stay_with_the_broker(tmp_path: Path) -> None:
    told = plain("statistics", WALL, frames=1, fps=15.0)
    with Mosquitto(tmp_path) as broker:
        with broker.listen() as listener, running(mqtt(broker.port, Health())) as sink:
            sink.emit(told)
            listener.wait_for("fer/event/statistics")
        with broker.listen() as late:
            kept = late.wait_for("fer/statistics")
    assert kept.retained
    assert json.loads(kept.payload) == told


@needs_mosquitto
def test_a_broker_with_passwords_lets_the_right_one_in(tmp_path: Path) -> None:
    passwords = password_file(tmp_path, "cam", "s3cret")
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", encoding="utf-8")
    secret.chmod(0o600)
    health, options = Health(), ("-u", "cam", "-P", "s3cret")
    with Mosquitto(tmp_path, f"password_file {passwords}", options=options) as broker, broker.listen() as listener:
        settings = MqttSettings(
            host="127.0.0.1", port=broker.port, username="cam", password_file=str(secret), prefix="fer"
        )
        sink = open_mqtt(settings, ABOUT, health=health, clock=SystemClock())
        listener.wait_for("fer/availability", "online")
        sink.close()
    assert health.status().reasons == {}


@needs_mosquitto
def test_tls_with_a_certificate_of_the_named_authority(tmp_path: Path) -> None:
    ca, cert, key = certificates(tmp_path)
    lines = (f"cafile {ca}", f"certfile {cert}", f"keyfile {key}")
    health = Health()
    with (
        Mosquitto(tmp_path, *lines, options=("--cafile", str(ca))) as broker,
        broker.listen() as listener,
        running(mqtt(broker.port, health, tls=True, ca_file=str(ca), outbox=1000)) as sink,
    ):
        for number in range(300):
            sink.emit(expression(number))
        listener.wait_for("fer/event/expression", count=300)
    assert (sink.lost, health.status().reasons) == (0, {})


@needs_mosquitto
@paho_forgets_a_socket
def test_tls_with_a_certificate_of_a_stranger_is_refused_unless_anybody_will_do(tmp_path: Path) -> None:
    ca, cert, key = certificates(tmp_path)
    (tmp_path / "other").mkdir()
    other, *_ = certificates(tmp_path / "other")
    lines = (f"cafile {ca}", f"certfile {cert}", f"keyfile {key}")
    health = Health()
    with Mosquitto(tmp_path, *lines, options=("--cafile", str(ca))) as broker:
        with running(mqtt(broker.port, health, tls=True, ca_file=str(other))) as sink:
            until(lambda: "mqtt" in health.status().reasons, "it is told of")
            said = health.status().reasons["mqtt"]
        assert said.startswith(f"the certificate of 127.0.0.1:{broker.port} is not trusted: ")
        assert sink.connections == 0
        with running(mqtt(broker.port, Health(), tls=True, tls_insecure=True)) as sink:
            until(lambda: sink.connections == 1, "it is connected")


@needs_mosquitto
@paho_forgets_a_socket
def test_tls_to_a_broker_without_it_is_told(tmp_path: Path) -> None:
    health = Health()
    with Mosquitto(tmp_path) as broker, running(mqtt(broker.port, health, tls=True, tls_insecure=True)):
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
    assert f"127.0.0.1:{broker.port}" in health.status().reasons["mqtt"]


@needs_mosquitto
def test_an_event_that_is_no_json_is_lost_alone(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener, running(mqtt(broker.port, Health())) as sink:
        sink.emit(plain("expression", WALL, confidence=float("nan")))
        sink.emit(expression(2))
        assert json.loads(listener.wait_for("fer/event/expression").payload)["number"] == 2
        assert sink.lost == 1


def test_nothing_is_ever_subscribed_to() -> None:
    with ScriptedBroker(good) as broker, running(mqtt(broker.port, Health(), discovery=True)) as sink:
        sink.emit(expression(1))
        sink.state(Status("running", {}), 1, "happy")
        until(lambda: {"fer/event/expression", "fer/state"} <= set(dict(broker.published())), "all arrived")
    assert SUBSCRIBE not in broker.kinds()


def test_the_outbox_stands_behind_the_protocol_of_sinks() -> None:
    sink: Sink = mqtt(1, Health())
    sink.emit(expression(1))
    sink.close()
    assert sink.lost == 1


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("paho"):
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'fer-edge\[mqtt\]'"):
        open_mqtt(MqttSettings(host="broker"), ABOUT, health=Health(), clock=SystemClock())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "MQTT needs mqtt.host"),
        ({"host": "b", "tls": True, "ca_file": "/no/ca.pem"}, "cannot be read from /no/ca.pem: No such file"),
        ({"host": "b", "tls": True, "ca_file": __file__}, "it holds no certificate"),
        ({"host": "b", "username": "u", "password_file": "/no/secret"}, "the password for MQTT cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_starts(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refused:
        open_mqtt(MqttSettings(**settings), ABOUT, health=Health(), clock=SystemClock())
    assert refused.value.exit_code == ExitCode.REFUSED
    assert "mqtt" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"host": "mqtt://broker"}, "a host is a name or an address alone"),
        ({"host": "user:pass@broker"}, "a host is a name or an address alone"),
        ({"password_file": "/x"}, "password_file needs a username"),
        ({"ca_file": "/x"}, "need tls = true"),
        ({"tls_insecure": True}, "need tls = true"),
        ({"tls": True, "ca_file": "/x", "tls_insecure": True}, "set one of them"),
        ({"prefix": "a/+/b"}, "a topic prefix is words"),
        ({"prefix": "/a"}, "a topic prefix is words"),
        ({"prefix": "$SYS"}, "a topic prefix is words"),
        ({"prefix": "a//b"}, "a topic prefix is words"),
        ({"discovery_prefix": "home assistant"}, "a topic prefix is words"),
        ({"device_id": "living room"}, "an id is up to 64"),
        ({"qos": 3}, "less than or equal to 2"),
        ({"pasword": "x"}, "is not a known key"),
    ],
)
def test_a_mistake_in_the_settings_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MqttSettings(**settings)
    (line,) = problems(refused.value)
    assert sentence in line


def test_names_are_made_of_the_machines_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "küche.local")
    settings = MqttSettings(host="b")
    assert settings.the_device_id == "k-che-local"
    assert settings.the_prefix == "fer-edge/k-che-local"
    assert settings.the_client_id == "fer-edge-k-che-local"
    assert settings.the_port == 1883
    assert MqttSettings(host="b", tls=True).the_port == 8883
    assert MqttSettings(host="b", device_id="x").the_prefix == "fer-edge/x"


def test_no_descriptor_stays_open() -> None:
    before = open_descriptors()
    for _ in range(3):
        with ScriptedBroker(good) as broker, running(mqtt(broker.port, Health())):
            until(lambda broker=broker: broker.packets, "it is connected")  # type: ignore[misc]
    assert open_descriptors() <= before  # what earlier tests still held may have been closed since
