"""Row 35: a sink with a fault in its code is counted, and shut out after twenty failures; the others go on."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from fer_edge.daemon.outputs import MOST_FAILURES, Outputs
from fer_edge.events import Event
from fer_edge.health import Health
from support.daemons import Kept, ScriptedCamera, daemon


class Raising(Kept):
    """Fails at the events that its script says."""

    def __init__(self, fails: Sequence[int]) -> None:
        super().__init__()
        self.asked = 0
        self._fails = fails

    def emit(self, event: Event) -> None:
        self.asked += 1
        if self.asked - 1 in self._fails:
            raise ZeroDivisionError("a bug")
        super().emit(event)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_others_get_everything_wherever_it_stands(position: int) -> None:
    sinks: list[Kept] = [Kept(), Kept()]
    sinks.insert(position, Raising(range(1000)))
    health = Health()
    outputs = Outputs(sinks, health)
    for i in range(50):
        outputs.emit({"i": i})
    assert [len(sink.events) for sink in sinks if not isinstance(sink, Raising)] == [50, 50]
    assert [sink.asked for sink in sinks if isinstance(sink, Raising)] == [MOST_FAILURES]
    assert health.status().reasons == {"sink Raising": "it failed 20 times in a row and is shut out"}
    assert outputs.lost == MOST_FAILURES
    outputs.close()
    assert [sink.closed for sink in sinks] == [1, 1, 1]


def test_failures_that_are_not_in_a_row_do_not_shut_it_out() -> None:
    sink = Raising([*range(19), *range(20, 39)])
    outputs = Outputs([sink], Health())
    for _ in range(60):
        outputs.emit({})
    assert (sink.asked, len(sink.events), outputs.lost) == (60, 22, 38)


def test_a_sink_that_does_not_close_keeps_none_of_the_others_open() -> None:
    class Stuck(Kept):
        def close(self) -> None:
            raise OSError("stuck")

    last = Kept()
    Outputs([Stuck(), last], Health()).close()
    assert last.closed == 1


def test_the_daemon_runs_on() -> None:
    subject, sink = daemon([ScriptedCamera(range(40))], sinks=[Raising(range(1000))])
    assert subject.run() == 0
    assert sink.kinds().count("expression") == 40
    assert sink.events[-2]["lost_events"] == MOST_FAILURES


def test_sinks_are_closed_where_no_memory_is_left_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sinks = [Kept(), Kept()]
    Outputs(sinks, Health()).close()
    assert [sink.closed for sink in sinks] == [1, 1]
