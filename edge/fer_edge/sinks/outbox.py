"""Delivery that may fail: events wait in a bounded outbox for a thread of their own, and trouble is told in measure.

Whoever emits an event never waits for a network: it is laid down, and the oldest makes room when there is none.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import select
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from fer_edge.clock import Clock
from fer_edge.events import Event
from fer_edge.health import Health

log = logging.getLogger(__name__)

LOG_EVERY_S = 60.0
"""Between two log lines about the same part's trouble; `Health` always knows the newest."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Before another try, doubled from the first to the longest."""
JITTER = 0.2
"""Share of a pause that is left to chance, so that many devices do not all come back in the same moment."""
CLOSE_DEADLINE_S = 1.5
"""How long a closing sink may go on delivering; what is left then is counted as lost."""
GIVE_UP_S = 0.5
"""How long a thread whose connection was cut may take to end, before it is left behind."""


class Undelivered(Exception):  # noqa: N818 - says what happened to the events
    """A delivery failed for a reason that is worded for a person; another try may help."""


class Trouble:
    """One part's trouble: shown in `Health` at once, in the log at most once a minute, and gone when it is over."""

    def __init__(self, part: str, health: Health, clock: Clock) -> None:
        """Nothing is wrong yet."""
        self._part, self._health, self._clock = part, health, clock
        self._told_s: float | None = None
        self._untold = 0
        self._said = False

    def report(self, sentence: str) -> None:
        """What is wrong now."""
        self._health.report(self._part, sentence)
        now_s = self._clock.monotonic_s()
        if self._told_s is not None and now_s - self._told_s < LOG_EVERY_S:
            self._untold += 1
            return
        more = f" ({self._untold} more times since the last line)" if self._untold else ""
        log.warning("%s: %s%s", self._part, sentence, more)
        self._told_s, self._untold, self._said = now_s, 0, True

    def clear(self) -> None:
        """Nothing is wrong any more; the log hears of it if it heard of the trouble."""
        self._health.report(self._part, None)
        if self._said:
            log.info("%s: works again", self._part)
            self._said = False


class Backoff:
    """Pauses that double from the first to the longest, each cut by chance by up to a fifth."""

    def __init__(self, first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> None:
        """Begin with the first."""
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def pause_s(self) -> float:
        """How long to wait before the next try."""
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return pause_s * (1.0 - JITTER * random.random())  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._next_s = self._first_s


class OutboxSink(ABC):
    """A sink whose events wait for a thread of its own. `start` begins; `lost` counts what was not delivered.

    A subclass says in `_session` how events are delivered; it takes them with `_take` and tells of each taken event
    by `_delivered`, `_give_back` or `_lose`.
    """

    def __init__(self, part: str, limit: int, health: Health, clock: Clock, backoff: Backoff | None = None) -> None:
        """Nothing is started. part: as `Health` and the log call it; limit: most events that wait."""
        self.lost = 0
        self._limit, self._clock = limit, clock
        self._trouble = Trouble(part, health, clock)
        self._backoff = backoff or Backoff()
        self._waiting: deque[Event] = deque(maxlen=limit)
        self._taken = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._deadline_s = 0.0
        self._bell = -1
        self._thread = threading.Thread(target=self._work, name=part, daemon=True)

    @property
    def reader_gone(self) -> bool:
        """Never: whoever is away may come back."""
        return False

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        with self._lock:
            return len(self._waiting) + self._taken

    def start(self) -> None:
        """Begin to deliver; once."""
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Lay one event down; see `Sink.emit`."""
        with self._lock:
            if self._closing.is_set():
                self.lost += 1
                return
            self.lost += len(self._waiting) == self._limit
            self._waiting.append(event)
            self._ring()

    def close(self) -> None:
        """Deliver what can be delivered within the deadline, count the rest as lost, and end the thread."""
        with self._lock:
            if self._closing.is_set():
                return
            self._deadline_s = self._clock.monotonic_s() + CLOSE_DEADLINE_S
            self._closing.set()
            self._ring()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_DEADLINE_S)
            if self._thread.is_alive():
                self._cut()
                self._thread.join(GIVE_UP_S)
        with self._lock:
            self.lost += len(self._waiting) + self._taken
            self._waiting.clear()
            self._taken = 0
            if self._bell >= 0 and not self._thread.is_alive():
                os.close(self._bell)
                self._bell = -1

    @abstractmethod
    def _session(self) -> None:
        """Deliver until `_closing` is set and nothing waits, or no `_time_left_s`; raise Undelivered on trouble."""

    def _cut(self) -> None:  # noqa: B027 - most connections never block for long
        """Called from another thread when a session outlives the deadline: make its blocking call return."""

    def _take(self, most: int) -> list[Event]:
        """Up to so many events, the oldest first."""
        with self._lock:
            events = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._taken += len(events)
            return events

    def _delivered(self, count: int) -> None:
        """So many of the taken events have arrived."""
        with self._lock:
            self._taken = max(0, self._taken - count)

    def _lose(self, count: int) -> None:
        """So many of the taken events will never arrive."""
        with self._lock:
            self.lost += min(count, self._taken)
            self._taken = max(0, self._taken - count)

    def _give_back(self, events: Sequence[Event]) -> None:
        """Taken events wait again, before the others; the oldest of them go where there is no room."""
        with self._lock:
            if self._taken < len(events):  # closed meanwhile, and counted
                return
            self._taken -= len(events)
            room = self._limit - len(self._waiting)
            self.lost += max(0, len(events) - room)
            self._waiting.extendleft(list(reversed(events))[:room])

    def _rest(self, seconds: float, *others: tuple[int, int]) -> dict[int, int]:
        """Wait until an event is laid down, closing begins, or another descriptor is ready; a poll's answer."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        for fd, events in others:
            poll.register(fd, events)
        ready = dict(poll.poll(max(0.0, seconds) * 1000.0))
        if ready.pop(self._bell, 0):
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._bell)
        return ready

    def _time_left_s(self) -> float:
        """Until a closing sink has to end; infinite before it closes."""
        return self._deadline_s - self._clock.monotonic_s() if self._closing.is_set() else float("inf")

    def _ring(self) -> None:
        """Wake the thread; the lock is held, so that the descriptor is open."""
        if self._bell >= 0:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_write(self._bell, 1)

    def _work(self) -> None:
        """The thread: session after session, with pauses, until it closes. Nothing that happens there ends it."""
        while not self._closing.is_set():
            try:
                self._session()
            except Undelivered as error:
                self._trouble.report(str(error))
            except Exception as error:  # noqa: BLE001 - a stranger's answer must not silence the sink for ever
                self._trouble.report(f"delivery failed ({type(error).__name__})")  # its words may hold a secret
            else:
                continue
            self._closing.wait(self._backoff.pause_s())


def as_json(value: object) -> bytes:
    """Compact JSON in UTF-8; raises ValueError or TypeError for what is none."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
