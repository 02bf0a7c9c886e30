"""Row 25, the part of MQTT and the webhook: no secret that was read appears in what is logged, told or printed."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.clock import SystemClock
from fer_edge.errors import ConfigError
from fer_edge.health import Health
from fer_edge.sinks import mqtt
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.mqtt import open_mqtt
from fer_edge.sinks.outbox import OutboxSink
from fer_edge.sinks.settings import MqttSettings, WebhookSettings
from fer_edge.sinks.webhook import open_webhook
from fer_edge.system.secrets import read_secret
from support.brokers import Script, ScriptedBroker, answers, expression, refuses, resets, until

FAILURES: dict[str, Script] = {
    "refused": refuses(5),
    "reset": resets,
    "rubbish": answers(b"\x90\xff rubbish \r\n\r\n"),
    "unwanted": answers(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"),
    "moved": answers(b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"),
}


def kept(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def everything_said(sink: OutboxSink, health: Health, caplog: pytest.LogCaptureFixture) -> str:
    parts = [repr(value) for value in vars(sink).values()]
    return "\n".join([caplog.text, str(health.status()), repr(sink), *parts, repr(sink._thread)])


@pytest.mark.parametrize("failure", FAILURES)
def test_a_password_for_the_broker_is_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)  # some of it looks like the begin of something
    token, health = secrets.token_urlsafe(16), Health()
    with ScriptedBroker(FAILURES[failure]) as broker:
        asked = MqttSettings(
            host="127.0.0.1", port=broker.port, username="cam", password_file=kept(tmp_path, "p", token)
        )
        sink = open_mqtt(asked, About((), "1"), health=health, clock=SystemClock())
        sink.emit(expression(1))
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        said = everything_said(sink, health, caplog) + asked.model_dump_json() + repr(asked)
        sink.close()
    assert token not in said
    assert "mqtt" in said


@pytest.mark.parametrize("failure", FAILURES)
def test_a_token_and_an_address_of_the_webhook_are_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    caplog.set_level(logging.DEBUG)
    token, path, health = secrets.token_urlsafe(16), secrets.token_urlsafe(16), Health()
    with ScriptedBroker(FAILURES[failure]) as server:
        asked = WebhookSettings(
            url_file=kept(tmp_path, "url", f"http://127.0.0.1:{server.port}/{path}?key={path}"),
            token_file=kept(tmp_path, "token", token),
        )
        sink = open_webhook(asked, health=health, clock=SystemClock())
        sink.emit(expression(1))
        until(lambda: "webhook" in health.status().reasons, "it is told of")
        said = everything_said(sink, health, caplog) + asked.model_dump_json() + repr(asked)
        sink.close()
    assert token not in said
    assert path not in said
    assert "webhook" in said


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text("abcdefghijkl0123", min_size=16, max_size=40),
    spoil=st.sampled_from(["\n\n!", "\0", "\x1b", "ü" * 4096]),
)
def test_a_secret_that_is_refused_is_not_repeated(tmp_path: Path, text: str, spoil: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_secret(kept(tmp_path, "s", text + spoil + text), "the password")
    assert text not in str(refused.value)
