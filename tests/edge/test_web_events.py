"""Events as they happen: in order, from where a reader broke off, and never more than a reader can take."""

from __future__ import annotations

import json
import threading

import pytest

from fer_edge.events import plain
from fer_edge.live import MAX_EVENTS
from fer_edge.privacy import PrivacySettings
from fer_edge.web import limits
from support.http import WALL, Lines, Paced, Served, face, serving


def emit(served: Served, number: int) -> None:
    served.live.emit(plain("state_changed", WALL, number=number))


def numbers(lines: Lines, count: int) -> list[int]:
    return [json.loads(lines.until(lambda event: "id" in event)["data"])["number"] for _ in range(count)]


def test_a_reader_is_told_when_to_come_back_and_then_what_happens_in_order() -> None:
    with serving() as served, served.connect() as client:
        emit(served, 1)
        lines = Lines(client, served)
        assert lines.response.getheader("content-type") == "text/event-stream"
        assert lines.event() == {"retry": str(limits.RETRY_MS)}
        for number in range(2, 30):
            emit(served, number)
        assert numbers(lines, 28) == list(range(2, 30))


def test_a_reader_goes_on_where_it_broke_off() -> None:
    with serving() as served:
        for number in range(5):
            emit(served, number)
        with served.connect() as client:
            lines = Lines(client, served, Last_Event_ID=f"{served.live.run_id}-2")
            assert numbers(lines, 3) == [2, 3, 4]


def test_what_is_forgotten_meanwhile_is_said() -> None:
    with serving() as served, served.connect() as client:
        for number in range(MAX_EVENTS + 7):
            emit(served, number)
        lines = Lines(client, served, Last_Event_ID=f"{served.live.run_id}-0")
        assert lines.until(lambda event: event.get("event") == "gap")["data"] == '{"lost_events":7}'
        assert numbers(lines, 1) == [7]


@pytest.mark.parametrize("last", ["", "0", "deadbeef-0", "x", "%s-x", "%s--1", "%s-99999999", "%s-" + "9" * 30])
def test_an_id_of_another_run_or_of_nobody_begins_now(last: str) -> None:
    with serving() as served:
        for number in range(3):
            emit(served, number)
        with served.connect() as client:
            lines = Lines(client, served, Last_Event_ID=last.replace("%s", served.live.run_id))
            assert lines.event() == {"retry": str(limits.RETRY_MS)}
            emit(served, 77)
            assert numbers(lines, 1) == [77]


def test_ids_of_events_name_the_run() -> None:
    with serving() as served, served.connect() as client:
        lines = Lines(client, served)
        lines.event()
        emit(served, 1)
        assert lines.event()["id"] == f"{served.live.run_id}-1"


def test_states_come_only_to_those_who_ask() -> None:
    with serving() as served, served.connect() as page, served.connect() as other:
        plainly, with_states = Lines(other, served), Lines(page, served, "/api/events?state=1")
        with Paced(lambda: served.step(face())):
            state = with_states.until(lambda event: '"track":1' in event.get("data", ""))
        assert json.loads(state["data"])["faces"][0]["label"] == "happy"
        emit(served, 5)
        assert plainly.event() == {"retry": str(limits.RETRY_MS)}
        assert "id" in plainly.event()


def test_states_go_on_while_nothing_happens_so_that_a_page_knows_that_it_is_connected() -> None:
    with serving() as served, served.connect() as client:
        lines = Lines(client, served, "/api/events?state=1")
        seen = [lines.until(lambda event: event.get("event") == "state") for _ in range(3)]
        times = [json.loads(each["data"])["up_s"] for each in seen]
        assert times == sorted(times)
        assert times[-1] - times[0] >= limits.QUIET_STATE_EVERY_S


def test_a_second_page_is_served_after_the_first_has_gone() -> None:
    with serving() as served:
        for _ in range(3):
            with served.connect() as client:
                lines = Lines(client, served, "/api/events?state=1")
                lines.until(lambda event: event.get("event") == "state")


def test_a_state_holds_one_point_of_the_timeline_and_the_page_asks_for_the_rest_once() -> None:
    with serving() as served, served.connect() as client:
        served.step(face())
        state = Lines(client, served, "/api/events?state=1").until(lambda event: event.get("event") == "state")
        assert len(json.loads(state["data"])["timeline"]["points"]) <= 1


def test_signs_of_life_come_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEARTBEAT_S", 0.05)
    with serving() as served, served.connect() as client:
        lines = Lines(client, served)
        lines.event()
        assert lines.response.readline() == b": still here\n"


def test_in_aggregate_no_reader_is_told_of_a_face() -> None:
    with serving(PrivacySettings(mode="aggregate")) as served, served.connect() as client:
        lines = Lines(client, served)
        served.live.emit(plain("face_entered", WALL, track=1, label="happy"))
        emit(served, 6)
        found = lines.until(lambda event: "id" in event)
        assert json.loads(found["data"])["number"] == 6
        assert found["id"].endswith("-1")


def test_text_with_line_ends_stays_one_event() -> None:
    with serving() as served, served.connect() as client:
        lines = Lines(client, served)
        lines.event()
        served.live.emit(plain("camera_lost", WALL, reason="a\n\nevent: state\ndata: {}\r\n"))
        assert json.loads(lines.event()["data"])["reason"].startswith("a\n\nevent: state")


def test_emitting_is_quick_while_readers_do_not_read() -> None:
    with serving() as served:
        clients = [served.connect() for _ in range(6)]
        for client in clients:
            Lines(client, served)
        before_s = served.clock.monotonic_s()
        for number in range(20_000):
            emit(served, number)
        assert served.clock.monotonic_s() - before_s < 10.0
        for client in clients:
            client.close()


def test_many_threads_emit_and_every_reader_gets_all_in_one_order() -> None:
    with serving() as served, served.connect() as one, served.connect() as two:
        first, second = Lines(one, served), Lines(two, served)
        first.event()
        second.event()

        def work(base: int) -> None:
            for number in range(40):
                emit(served, base + number)

        threads = [threading.Thread(target=work, args=(base,)) for base in (0, 100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20.0)
        got = numbers(first, 120)
        assert got == numbers(second, 120)
        assert sorted(got) == sorted(base + number for base in (0, 100, 200) for number in range(40))
