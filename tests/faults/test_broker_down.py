"""Row 10: no broker, a broker that refuses, or a wrong password; events wait, the oldest go, and a state says why."""

from __future__ import annotations

import json
import logging
import re
import socket
from datetime import datetime
from pathlib import Path

import pytest

from fer_edge.clock import SystemClock, perf_s
from fer_edge.health import Health
from fer_edge.sinks import mqtt as module
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.settings import MqttSettings
from support.brokers import (
    Mosquitto,
    Script,
    ScriptedBroker,
    expression,
    free_port,
    good,
    mqtt,
    needs_mosquitto,
    password_file,
    refused_port,
    refuses,
    resets,
    running,
    silent,
    until,
    welcome,
)

SCRIPTS: dict[str, tuple[Script, str]] = {
    "accepts and resets": (resets, "Connection reset|ends the connection before it has answered"),
    "server unavailable": (refuses(3), "says that it is not available"),
    "bad user name or password": (refuses(4), "refuses the user name or the password$"),
    "not authorized": (refuses(5), r"refuses the user name or the password \(not authorized\)"),
    "client id refused": (refuses(2), "refuses the client id"),
    "other protocol": (refuses(1), "ends the connection before it has answered|does not speak MQTT"),
    "never answers": (silent, "takes the connection but does not answer within 0.2 s"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_broker_that_does_not_let_us_in_is_a_state_and_costs_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script, sentence = SCRIPTS[name]
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    health = Health()
    with ScriptedBroker(script) as broker, running(mqtt(broker.port, health)) as sink:
        for number in range(1000):
            sink.emit(expression(number))
            assert sink.waiting <= 100
        until(lambda: broker.connections >= 3, "it was tried again and again")
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        said = health.status().reasons["mqtt"]
        assert said.startswith(("the broker at", "no broker can be reached at", "what answers at", "127.0.0.1:"))
        assert f"127.0.0.1:{broker.port}" in said
        assert sink.lost == 900
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert sink.lost == 1000
    assert re.search(sentence, said), said


def test_a_refused_connection_is_told_by_its_reason() -> None:
    health = Health()
    with refused_port() as port, running(mqtt(port, health)):
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        assert health.status().reasons["mqtt"] == f"no broker can be reached at 127.0.0.1:{port}: Connection refused"


def test_a_host_that_does_not_exist_is_told_by_its_reason() -> None:
    health = Health()
    with running(mqtt(1883, health, host=f"{'x' * 70}.invalid")):  # a label of 70 is refused without asking anybody
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        assert health.status().reasons["mqtt"].startswith("no broker can be reached at xxx")


def test_what_waits_arrives_when_the_broker_comes() -> None:
    health, port = Health(), free_port()
    with running(mqtt(port, health)) as sink:
        for number in range(150):
            sink.emit(expression(number))
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        with ScriptedBroker(good, port) as broker:
            until(lambda: len(events(broker)) == 100, "all that waited arrived")
            assert events(broker) == list(range(50, 150))
            until(lambda: health.status().reasons == {}, "the trouble is over")
    assert sink.lost == 50


def events(broker: ScriptedBroker) -> list[int]:
    return [json.loads(body)["number"] for topic, body in broker.published() if topic == "fer/event/expression"]


def test_what_was_under_way_when_the_connection_broke_is_sent_again() -> None:
    def breaks_off_once(sock: socket.socket, broker: ScriptedBroker) -> None:
        if broker.connections > 1:
            good(sock, broker)
            return
        for count, (head, _) in enumerate(broker.read(sock)):
            if head >> 4 == 1:
                welcome(sock)
            if count == 5:
                return  # nothing was acknowledged

    with ScriptedBroker(breaks_off_once) as broker:
        sink = mqtt(broker.port, Health())
        for number in range(60):
            sink.emit(expression(number))
        with running(sink):
            until(lambda: sink.connections == 2 and sink.waiting == 0, "all of it is delivered")
        first, again = events(broker)[:4], events(broker)[4:]
    assert first == [0, 1, 2, 3]
    assert again == list(range(60))
    assert sink.lost == 0


@needs_mosquitto
def test_a_broker_that_is_restarted_again_and_again_loses_nothing(tmp_path: Path) -> None:
    health = Health()
    arrived: list[int] = []
    with Mosquitto(tmp_path) as broker, running(mqtt(broker.port, health, outbox=1000)) as sink:
        for restart in range(3):
            with broker.listen() as listener:
                until(lambda restart=restart: sink.connections == restart + 1, "it is connected")  # type: ignore[misc]
                for number in range(restart * 100, restart * 100 + 50):
                    sink.emit(expression(number))
                sink.emit({"type": "mark", "number": restart})
                listener.wait_for("fer/event/mark")
                found = listener.of("fer/event/expression")
                arrived += [json.loads(message.payload)["number"] for message in found]
            broker.stop()
            until(lambda: "mqtt" in health.status().reasons, "the loss is noticed")
            for number in range(restart * 100 + 50, restart * 100 + 100):
                sink.emit(expression(number))
            broker.start()
        with broker.listen():
            until(lambda: sink.waiting == 0, "all of it is delivered")
        assert sink.lost == 0
    assert set(arrived) >= {number for restart in range(3) for number in range(restart * 100, restart * 100 + 50)}


@needs_mosquitto
def test_a_restarted_broker_is_told_again_what_it_forgot(tmp_path: Path) -> None:
    topics = ("fer/availability", "homeassistant/device/cam/config", "fer/state")
    with Mosquitto(tmp_path) as broker, running(mqtt(broker.port, Health(), discovery=True)) as sink:
        sink.state(Health().status(), 0, None)
        until(lambda: sink.connections == 1, "it is connected")
        broker.stop()
        broker.start()
        until(lambda: sink.connections == 2, "it is connected again")
        with broker.listen() as listener:
            for topic in topics:
                listener.wait_for(topic)
            assert listener.wait_for("fer/availability").payload == "online"


@needs_mosquitto
def test_a_wrong_password_is_one_line_a_minute_and_a_visible_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = password_file(tmp_path, "cam", "s3cret")
    health, clock = Health(), FastClock()
    with Mosquitto(tmp_path, f"password_file {passwords}") as broker:
        sink = mqtt(broker.port, health, clock=clock, username="cam", password="hunter2-wrong")  # noqa: S106 - no real one
        with running(sink):
            until(lambda: "mqtt" in health.status().reasons, "it is told of")
            until(lambda: clock.monotonic_s() > 200.0, "minutes went by")
        assert health.status().reasons["mqtt"] == (
            f"the broker at 127.0.0.1:{broker.port} refuses the user name or the password (not authorized)"
        )
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(lines) <= 1 + clock.monotonic_s() / 60
    assert "hunter2" not in caplog.text + str(health.status())


class FastClock(SystemClock):
    """A minute goes by in a third of a second, so that the lines of minutes can be counted."""

    def __init__(self) -> None:
        self._begun_s = super().monotonic_s()

    def monotonic_s(self) -> float:
        return (super().monotonic_s() - self._begun_s) * 180.0

    def wall(self) -> datetime:
        return super().wall()


def test_the_pipeline_does_not_feel_it() -> None:
    health = Health()
    with refused_port() as port, running(mqtt(port, health)) as sink:
        took = []
        for number in range(5000):
            begun_s = perf_s()
            sink.emit(expression(number))
            took.append(perf_s() - begun_s)
        assert sorted(took)[int(len(took) * 0.99)] < 0.001
        assert sink.lost + sink.waiting == 5000


def test_the_wait_between_tries_is_between_one_and_sixty_seconds() -> None:
    sink = module.Mqtt(
        module.Access(MqttSettings(host="b"), None, None),
        About((), "1"),
        health=Health(),
        clock=SystemClock(),
    )
    pauses = [sink._backoff.pause_s() for _ in range(12)]
    assert 0.8 <= pauses[0] <= 1.0
    assert 48.0 <= pauses[-1] <= 60.0
    sink.close()


def test_a_daemon_that_ends_while_it_waits_for_the_broker_ends_at_once() -> None:
    clock, health = SystemClock(), Health()
    with refused_port() as port:
        access = module.Access(MqttSettings(host="127.0.0.1", port=port), None, None)
        sink = module.Mqtt(access, About((), "1"), health=health, clock=clock)
        sink.start()
        until(lambda: "mqtt" in health.status().reasons, "the first try failed")
        begun_s = clock.monotonic_s()
        sink.close()
        assert clock.monotonic_s() - begun_s < 0.5
