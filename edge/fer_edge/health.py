"""What is wrong right now: every part says its own trouble here, and one state follows from all of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

State = Literal["starting", "running", "degraded", "camera_lost", "stopping"]
"""starting: no frame was processed yet. degraded: it works, but not as was asked. camera_lost: no frames come."""

CAMERA = "camera"
"""The part whose loss is a state of its own."""


@dataclass(frozen=True)
class Status:
    """The state and what is behind it: per part, in one sentence, what is wrong."""

    state: State
    reasons: dict[str, str]

    @property
    def alive(self) -> bool:
        """Whether the daemon does its work as far as it can; a lost camera is waited for, not died of."""
        return self.state != "stopping"

    @property
    def ready(self) -> bool:
        """Whether expressions can be told of right now."""
        return self.state in {"running", "degraded"}


class Health:
    """Thread-safe; nothing is called back, whoever wants to know of changes asks `status` again."""

    def __init__(self) -> None:
        """Starting, and nothing is wrong."""
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._lost: str | None = None
        self._phase: State = "starting"

    def report(self, part: str, reason: str | None) -> None:
        """What is wrong with a part ("mqtt", "events", "board"), in words; None: nothing any more."""
        with self._lock:
            if reason is None:
                self._reasons.pop(part, None)
            else:
                self._reasons[part] = reason

    def camera_lost(self, reason: str | None) -> None:
        """No frames come, and why; None: they come again."""
        with self._lock:
            self._lost = reason

    def running(self) -> None:
        """The first frame was processed."""
        with self._lock:
            if self._phase == "starting":
                self._phase = "running"

    def stopping(self) -> None:
        """The last state there is."""
        with self._lock:
            self._phase = "stopping"

    def status(self) -> Status:
        """As it is now."""
        with self._lock:
            reasons = dict(self._reasons)
            if self._lost is not None:
                reasons[CAMERA] = self._lost
            return Status(self._state(), reasons)

    def _state(self) -> State:
        if self._phase == "stopping":
            return "stopping"
        if self._lost is not None:
            return "camera_lost"
        if self._phase == "running" and self._reasons:
            return "degraded"
        return self._phase
