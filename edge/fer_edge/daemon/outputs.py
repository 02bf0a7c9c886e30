"""All places that events go to, each kept apart from the others' trouble."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from fer_edge.events import Event
from fer_edge.health import Health
from fer_edge.sinks import Sink

log = logging.getLogger(__name__)

MOST_FAILURES = 20
"""So many in a row, and a sink that raises is asked no more."""


CLOSE_S = 2.5
"""What a sink is given to end; the network's have two seconds of their own."""


class Outputs:
    """Hands every event to every sink, in the order of emission. Thread-safe.

    A sink never raises; one that does has a fault in its code, which is counted, told of and, when it lasts, shut out,
    so that the others go on.
    """

    def __init__(self, sinks: Sequence[Sink], health: Health) -> None:
        """The sinks are open."""
        self._sinks, self._health = list(sinks), health
        self._failures = dict.fromkeys(range(len(self._sinks)), 0)
        self._emitting = threading.Lock()
        self.faults = 0

    @property
    def lost(self) -> int:
        """Events that a sink did not deliver."""
        return self.faults + sum(sink.lost for sink in self._sinks)

    @property
    def reader_gone(self) -> bool:
        """Whether the run has lost its purpose; see `Sink.reader_gone`."""
        return any(sink.reader_gone for sink in self._sinks)

    def emit(self, event: Event) -> None:
        """To every sink that still works."""
        with self._emitting:
            for index, sink in enumerate(self._sinks):
                if self._failures[index] < MOST_FAILURES:
                    self._try(index, sink, event)

    def close(self) -> None:
        """All of them at once, for each may take its time, and whatever one says."""
        closing, alone = [], []
        for sink in self._sinks:
            thread = threading.Thread(target=self._shut, args=(sink,), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no memory is left for a thread
                alone.append(sink)
            else:
                closing.append(thread)
        for sink in alone:
            self._shut(sink)
        for thread in closing:
            thread.join(CLOSE_S)

    @staticmethod
    def _shut(sink: Sink) -> None:
        try:
            sink.close()
        except Exception:
            log.exception("%s does not close", type(sink).__name__)

    def _try(self, index: int, sink: Sink, event: Event) -> None:
        try:
            sink.emit(event)
        except Exception:
            self.faults += 1
            self._failures[index] += 1
            name = type(sink).__name__
            log.exception("%s cannot take an event", name)
            if self._failures[index] == MOST_FAILURES:
                self._health.report(f"sink {name}", f"it failed {MOST_FAILURES} times in a row and is shut out")
        else:
            self._failures[index] = 0
