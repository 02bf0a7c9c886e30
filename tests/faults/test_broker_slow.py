"""Row 11: the broker takes nothing more and the window closes; to emit costs the same, and memory stays."""

from __future__ import annotations

import gc
import socket
import tracemalloc

import pytest

from fer_edge.clock import perf_s
from fer_edge.events import plain
from fer_edge.health import Health, Status
from fer_edge.sinks import mqtt as module
from support.brokers import ScriptedBroker, mqtt, never_reads, running, until, welcome
from support.clocks import WALL

BIG = "x" * 20_000
"""Twenty of these fill the buffers of a loopback connection that nobody reads."""


def at_once(took_s: list[float]) -> bool:
    """Nothing waits for the broker, which would take seconds; on a busy machine, some wait for their turn."""
    took_s.sort()
    return took_s[len(took_s) // 2] < 0.001 and took_s[int(len(took_s) * 0.99)] < 0.05


@pytest.mark.parametrize("qos", [0, 1])
def test_emitting_costs_less_than_a_millisecond_whatever_the_broker_takes(qos: int) -> None:
    health = Health()
    with ScriptedBroker(never_reads) as broker, running(mqtt(broker.port, health, qos=qos)) as sink:
        until(lambda: sink.connections == 1, "it is connected")
        took = []
        for number in range(5000):
            begun_s = perf_s()
            sink.emit(plain("expression", WALL, number=number, text=BIG))
            took.append(perf_s() - begun_s)
        assert at_once(took)
        assert sink.waiting <= 100 + module.WINDOW
        assert sink.lost >= 4000


def test_the_state_costs_no_more() -> None:
    with ScriptedBroker(never_reads) as broker, running(mqtt(broker.port, Health())) as sink:
        until(lambda: sink.connections == 1, "it is connected")
        took = []
        for number in range(3000):
            begun_s = perf_s()
            sink.state(Status("degraded", {"board": BIG[:1000]}), number, "happy")
            took.append(perf_s() - begun_s)
        assert at_once(took)


def test_states_that_are_not_taken_stay_within_the_window() -> None:
    with ScriptedBroker(never_reads) as broker, running(mqtt(broker.port, Health())) as sink:
        until(lambda: sink.connections == 1, "it is connected")
        links = []
        turn = module._Link.turn

        def noted(self: module._Link, seconds: float) -> None:
            links.append(self.under_way)
            turn(self, seconds)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module._Link, "turn", noted)
            for number in range(200):
                sink.state(Status("running", {}), number, None)
                seen = len(links)
                until(lambda seen=seen: len(links) > seen, "it was looked at")  # type: ignore[misc]
        assert max(links) == module.WINDOW
        assert (sink.connections, sink.lost) == (1, 0)


def test_memory_stays_while_nothing_is_taken() -> None:
    with ScriptedBroker(never_reads) as broker, running(mqtt(broker.port, Health())) as sink:
        until(lambda: sink.connections == 1, "it is connected")

        def burst() -> int:
            for number in range(1000):
                sink.emit(plain("expression", WALL, number=number, text=BIG[: number % 1000]))
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            burst()
            first = burst()
            for _ in range(5):
                last = burst()
        finally:
            tracemalloc.stop()
        assert last - first < 256 * 1024


def test_a_broker_that_takes_nothing_for_long_is_left_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.3)
    health = Health()

    def half(sock: socket.socket, broker: ScriptedBroker) -> None:
        """Welcomes and reads, but acknowledges nothing."""
        for head, _ in broker.read(sock):
            if head >> 4 == 1:
                welcome(sock)

    with ScriptedBroker(half) as broker, running(mqtt(broker.port, health)) as sink:
        sink.emit(plain("expression", WALL, number=1))
        until(lambda: broker.connections > 1, "another connection is tried")
        until(lambda: "mqtt" in health.status().reasons, "it is told of")
        assert sink.waiting == 1
    assert sink.lost == 1
