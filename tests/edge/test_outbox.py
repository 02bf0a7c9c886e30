"""Events wait in a bounded outbox, and trouble is told in measure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.clock import SystemClock
from fer_edge.events import Event
from fer_edge.health import Health
from fer_edge.sinks import Sink
from fer_edge.sinks.outbox import Backoff, OutboxSink, Trouble, Undelivered, as_json
from support.brokers import PATIENCE_S, until
from support.clocks import StillClock


class Post(OutboxSink):
    """Delivers into a list, as long as the road is open."""

    def __init__(self, limit: int = 3, health: Health | None = None) -> None:
        super().__init__("post", limit, health or Health(), SystemClock(), Backoff(0.001, 0.01))
        self.arrived: list[Event] = []
        self.open = threading.Event()
        self.failing: Exception | None = None
        self.hang: Callable[[], None] = lambda: None

    def _session(self) -> None:
        if self.failing:
            events = self._take(2)
            self._give_back(events)
            raise self.failing
        while self._time_left_s() > 0 and not self.failing:
            self.hang()
            if self.open.is_set() and (events := self._take(2)):
                self.arrived += events
                self._delivered(len(events))
            elif self._closing.is_set():
                return
            else:
                self._rest(0.01)


def numbers(events: list[Event]) -> list[int]:
    return [event["n"] for event in events]


def test_an_outbox_is_a_sink() -> None:
    sink: Sink = Post()
    assert not sink.reader_gone
    sink.close()


def test_what_is_laid_down_arrives_in_order() -> None:
    sink = Post(limit=100)
    sink.open.set()
    sink.start()
    for n in range(50):
        sink.emit({"n": n})
    until(lambda: len(sink.arrived) == 50, "all arrived")
    sink.close()
    assert numbers(sink.arrived) == list(range(50))
    assert sink.lost == 0


def test_the_oldest_makes_room_and_is_counted() -> None:
    sink = Post(limit=3)
    for n in range(10):
        sink.emit({"n": n})
    assert sink.waiting == 3
    assert sink.lost == 7
    sink.open.set()
    sink.start()
    until(lambda: len(sink.arrived) == 3, "the rest arrived")
    sink.close()
    assert numbers(sink.arrived) == [7, 8, 9]
    assert sink.lost == 7


def test_closing_delivers_what_still_waits() -> None:
    sink = Post(limit=10)
    sink.start()
    for n in range(5):
        sink.emit({"n": n})
    sink.open.set()
    sink.close()
    assert numbers(sink.arrived) == [0, 1, 2, 3, 4]
    assert sink.lost == 0


def test_what_cannot_be_delivered_by_the_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Post(limit=10)
    sink.start()
    for n in range(5):
        sink.emit({"n": n})
    sink.close()
    assert sink.lost == 5
    sink.emit({"n": 6})
    assert sink.lost == 6
    sink.close()
    assert sink.lost == 6


def test_a_thread_that_hangs_is_left_behind_and_its_events_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_edge.sinks.outbox.CLOSE_DEADLINE_S", 0.05)
    monkeypatch.setattr("fer_edge.sinks.outbox.GIVE_UP_S", 0.05)
    sink, inside, over = Post(limit=10), threading.Event(), threading.Event()

    def hang() -> None:
        sink._take(2)
        inside.set()
        over.wait(PATIENCE_S)

    sink.hang = hang
    for n in range(3):
        sink.emit({"n": n})
    sink.start()
    assert inside.wait(PATIENCE_S)
    sink.close()
    assert sink.lost == 3
    sink.hang = lambda: None
    over.set()
    sink._thread.join(PATIENCE_S)
    sink._delivered(2)
    sink._give_back([{"n": 0}, {"n": 1}])
    assert (sink.lost, sink.waiting) == (3, 0)


@pytest.mark.parametrize("error", [Undelivered("nobody is there"), ValueError("token=hunter2"), OSError(5, "odd")])
def test_a_session_that_fails_is_begun_again_and_nothing_is_lost(error: Exception) -> None:
    health = Health()
    sink = Post(limit=10, health=health)
    sink.failing = error
    sink.open.set()
    sink.start()
    sink.emit({"n": 1})
    until(lambda: "post" in health.status().reasons, "it is told of")
    said = health.status().reasons["post"]
    assert said == "nobody is there" or said == f"delivery failed ({type(error).__name__})"
    sink.failing = None
    until(lambda: len(sink.arrived) == 1, "it arrived after all")
    sink.close()
    assert sink.lost == 0


def test_events_that_come_back_go_before_the_others_and_the_oldest_of_them_make_room() -> None:
    sink = Post(limit=4)
    for n in range(4):
        sink.emit({"n": n})
    taken = sink._take(3)
    sink.emit({"n": 4})
    sink.emit({"n": 5})
    sink._give_back(taken)
    assert numbers(sink._take(9)) == [2, 3, 4, 5]
    assert sink.lost == 2


@given(st.lists(st.sampled_from(["emit", "take", "deliver", "return", "lose"]), max_size=60), st.integers(1, 5))
def test_every_event_is_delivered_lost_or_waiting(steps: list[str], limit: int) -> None:
    sink = Post(limit=limit)
    emitted = delivered = 0
    taken: list[Event] = []
    for step in steps:
        if step == "emit":
            sink.emit({"n": emitted})
            emitted += 1
        elif step == "take":
            taken += sink._take(2)
        elif step == "deliver":
            sink._delivered(len(taken))
            delivered += len(taken)
            taken = []
        elif step == "return":
            sink._give_back(taken)
            taken = []
        else:
            sink._lose(len(taken))
            taken = []
        assert emitted == delivered + sink.lost + sink.waiting
        assert len(sink._waiting) <= limit
    sink.close()
    assert emitted == delivered + sink.lost


def test_pauses_double_from_the_first_to_the_longest() -> None:
    backoff = Backoff()
    pauses = [backoff.pause_s() for _ in range(9)]
    for pause, most in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert most * 0.8 <= pause <= most
    backoff.reset()
    assert backoff.pause_s() <= 1.0


def test_pauses_differ_between_devices() -> None:
    assert len({Backoff().pause_s() for _ in range(20)}) > 1


def test_trouble_is_shown_at_once_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health, clock = Health(), StillClock()
    trouble = Trouble("mqtt", health, clock)
    for second in range(150):
        trouble.report(f"failure {second}")
        assert health.status().reasons == {"mqtt": f"failure {second}"}
        clock.sleep(1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "mqtt: failure 0",
        "mqtt: failure 60 (59 more times since the last line)",
        "mqtt: failure 120 (59 more times since the last line)",
    ]


def test_the_end_of_trouble_is_logged_where_its_begin_was(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health, clock = Health(), StillClock()
    trouble = Trouble("mqtt", health, clock)
    trouble.clear()
    for _ in range(30):
        trouble.report("away")
        trouble.clear()
        clock.sleep(1.0)
    assert health.status().reasons == {}
    assert [record.getMessage() for record in caplog.records] == ["mqtt: away", "mqtt: works again"]


def test_json_without_numbers_that_are_none() -> None:
    assert as_json({"a": "ä", "b": [1.5]}) == '{"a":"ä","b":[1.5]}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json({"a": float("nan")})
