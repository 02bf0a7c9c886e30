"""Row 33, and a broker that answers rubbish: nothing it says is obeyed, and nothing it says ends the sink."""

from __future__ import annotations

import random
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.health import Health
from fer_edge.sinks import mqtt as module
from support.brokers import (
    CONNECT,
    PUBLISH,
    SUBSCRIBE,
    ScriptedBroker,
    acknowledge,
    answers,
    expression,
    mqtt,
    running,
    until,
    welcome,
)

KNOWN = {CONNECT, PUBLISH, 4, 5, 6, 7, 12, 14}
"""What a client without subscriptions may send: also acknowledgements, pings, and the end."""


def packet(kind: int, body: bytes) -> bytes:
    length, encoded = len(body), b""
    while True:
        length, byte = length >> 7, length & 127
        encoded += bytes([byte | (128 if length else 0)])
        if not length:
            return bytes([kind]) + encoded + body


def command(topic: bytes, payload: bytes, qos: int = 0) -> bytes:
    return packet(0x30 | qos << 1, len(topic).to_bytes(2, "big") + topic + (b"\0\7" if qos else b"") + payload)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("after_welcome", [False, True])
def test_rubbish_is_trouble_and_the_sink_goes_on(
    seed: int, after_welcome: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.5)  # some rubbish looks like the begin of something
    data = random.Random(seed).randbytes(200)  # noqa: S311 - the same rubbish every time
    health = Health()
    with (
        ScriptedBroker(answers(data, after_welcome=after_welcome)) as broker,
        running(mqtt(broker.port, health)) as sink,
    ):
        sink.emit(expression(1))
        until(lambda: broker.connections > 1, "another connection is tried")
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        assert sink._thread.is_alive()
        assert f"127.0.0.1:{broker.port}" in health.status().reasons["mqtt"]
    assert sink.lost == 1
    assert SUBSCRIBE not in broker.kinds()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(command, st.sampled_from([b"fer/command", b"fer/set", b"\xff\xfe"]), st.binary(max_size=60)),
            st.builds(command, st.just(b"fer/command"), st.binary(max_size=60), st.just(1)),
        ),
        max_size=5,
    )
)
def test_no_byte_that_a_broker_sends_is_obeyed(pieces: list[bytes]) -> None:
    def script(sock: socket.socket, broker: ScriptedBroker) -> None:
        for head, body in broker.read(sock):
            if head >> 4 == CONNECT:
                welcome(sock)
                sock.sendall(b"".join(pieces))
            acknowledge(sock, head, body)

    health = Health()
    with ScriptedBroker(script) as broker, running(mqtt(broker.port, health, qos=0)) as sink:
        sink.emit(expression(1))
        until(lambda: any(kind == PUBLISH for kind, _ in broker.packets), "it publishes all the same")
        assert sink._thread.is_alive()
    assert broker.kinds() <= KNOWN


def test_a_command_changes_nothing() -> None:
    commands = b"".join(command(b"fer/command", text) for text in (b"stop", b'{"source":"x"}', b"\xff", b"A" * 60_000))
    health = Health()
    with ScriptedBroker(answers(commands, after_welcome=True)) as broker, running(mqtt(broker.port, health)) as sink:
        sink.emit(expression(1))
        until(lambda: sum(kind == PUBLISH for kind, _ in broker.packets) == 2, "it publishes all the same")
        assert (broker.connections, health.status().reasons) == (1, {})
    assert SUBSCRIBE not in broker.kinds()


def test_a_packet_of_two_hundred_megabytes_is_not_waited_for() -> None:
    huge = b"\x30\xff\xff\xff\x7f" + b"\0" * 100
    health = Health()
    with ScriptedBroker(answers(huge, after_welcome=True)) as broker, running(mqtt(broker.port, health)):
        said = f"more than {module.MAX_INBOUND_BYTES} bytes at once"
        until(lambda: said in health.status().reasons.get("mqtt", ""), "the packet is refused")
        until(lambda: broker.connections > 1, "another connection is tried")
