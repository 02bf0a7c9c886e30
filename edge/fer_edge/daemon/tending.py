"""What the main thread looks after between frames: the board's heat, systemd's watchdog, and the state that is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from fer_edge.clock import Clock
from fer_edge.daemon.capturing import STALL_AFTER_S, STALL_PERIODS, Capturing
from fer_edge.health import Health, Status
from fer_edge.system import journal
from fer_edge.system.board import Board, Readings
from fer_edge.system.governor import Governor, GovernorSettings, Limits
from fer_edge.system.systemd import Notifier, Progress, Watchdog

log = logging.getLogger(__name__)

BOARD = "board"
"""The part of health that speaks of the board."""
STATUS_EVERY_S = 1.0
"""Between two times that the state is told to those who want it again and again."""


class Sparing:
    """Reads the board every few seconds and has less work done while it is hot or badly fed."""

    def __init__(
        self, board: Board, governor: Governor, apply: Callable[[Limits], None], health: Health, clock: Clock
    ) -> None:
        """apply: makes the limits of a new level so."""
        self._board, self._governor, self._apply = board, governor, apply
        self._health, self._clock = health, clock
        self._due_s = clock.monotonic_s()
        self.readings = Readings()

    def configure(self, settings: GovernorSettings) -> None:
        """Other limits, from the next look on; the level stays."""
        self._governor.settings = settings

    def tick(self) -> None:
        """Look, if it is time."""
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._governor.settings.every_s
        self.readings = self._board.readings()
        decision = self._governor.decide(self.readings, now_s)
        self._health.report(BOARD, decision.why or None)
        if decision.changed:
            log.warning("%s", decision.why or "the board is cool again; everything runs at full speed")
            self._apply(decision.limits)


class Thinking(Protocol):
    """What the watchdog wants to know of a daemon."""

    loops: int
    capturing: Capturing

    def thinking_for_s(self) -> float:
        """See `Daemon.thinking_for_s`."""


class Guarding:
    """Answers systemd's watchdog while there is progress, and tells systemd the state in a line."""

    def __init__(self, notifier: Notifier, watchdog: Watchdog, health: Health, limit_s: float) -> None:
        """limit_s: the longest that a frame may be thought about."""
        self._notifier, self._watchdog, self._health, self._limit_s = notifier, watchdog, health, limit_s
        self._daemon: Thinking | None = None
        self._told: Status | None = None

    def watch(self, daemon: Thinking) -> None:
        """The daemon whose progress is proof."""
        self._daemon = daemon

    def tick(self) -> None:
        """Ping and tell, if it is time."""
        status = self._health.status()
        if status != self._told:
            self._told = status
            line = status.state + "".join(f"; {part}: {reason}" for part, reason in status.reasons.items())
            self._notifier.ready(line)
        if self._daemon is not None:
            self._watchdog.tick(self._progress(self._daemon))

    def _progress(self, daemon: Thinking) -> Progress:
        capturing = daemon.capturing
        fps = capturing.camera.fps if capturing.camera is not None else 0.0
        thinking_s = daemon.thinking_for_s()
        return Progress(
            loops=daemon.loops,
            frame_age_s=capturing.frame_age_s(),
            stall_after_s=max(STALL_AFTER_S, STALL_PERIODS / fps if fps > 0 else 0.0),
            reopening=capturing.waiting or capturing.opening,
            inference_s=thinking_s or None,
            inference_limit_s=self._limit_s,
        )


class Logging:
    """Lets the log tell the end of a flood."""

    def tick(self) -> None:
        """See `journal.tick`."""
        journal.tick()


class Telling:
    """Hands the state on about once a second: to MQTT, to the page."""

    def __init__(self, tell: Callable[[], None], clock: Clock) -> None:
        """tell: does it; returns at once."""
        self._tell, self._clock = tell, clock
        self._due_s = clock.monotonic_s()

    def tick(self) -> None:
        """Do it, if it is time."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._due_s:
            self._due_s = now_s + STATUS_EVERY_S
            self._tell()
