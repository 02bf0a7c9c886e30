"""What the daemon tells systemd, and the proof of progress without which it does not say that it is well.

Outside of systemd there is no socket, and all of it does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from fer_edge.clock import Clock

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 1.0
"""systemd reads at once; waiting longer would hold up the loop that is being watched."""
MAX_STATUS_CHARS = 200
"""What `systemctl status` shows in one line."""
PINGS_PER_PERIOD = 2.0
"""sd_watchdog_enabled(3) advises to ping at half of the period."""


class Notifier:
    """Sends datagrams to systemd's socket. Every method returns whether it was sent; none raises."""

    def __init__(self, address: str | None = None) -> None:
        """address: $NOTIFY_SOCKET, a path or an abstract name with @ in front; None: nobody listens."""
        self._address = _socket_name(address)
        self._failing = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """As systemd started us."""
        return cls(environment.get("NOTIFY_SOCKET"))

    @property
    def listening(self) -> bool:
        """Whether there is anybody to tell."""
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """The service is up."""
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(*_status(text))

    def reloading(self, clock: Clock) -> bool:
        """The configuration is being read again; `ready` ends it."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={int(clock.monotonic_s() * 1e6)}")

    def stopping(self, status: str = "") -> bool:
        """The end has begun."""
        return self._send("STOPPING=1", *_status(status))

    def ping(self) -> bool:
        """The service is well; only `Watchdog` should say so."""
        return self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> bool:
        if self._address is None or not lines:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(SEND_TIMEOUT_S)
                channel.connect(self._address)
                channel.sendall("\n".join(lines).encode())
        except OSError as error:
            if not self._failing:
                log.warning("systemd cannot be told how the service is: %s", error.strerror or error)
            self._failing = True
            return False
        self._failing = False
        return True


def watchdog_period_s(environment: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Seconds within which systemd wants to hear of us, None when it does not; pid: ours."""
    if environment.get("WATCHDOG_PID", str(pid or os.getpid())) != str(pid or os.getpid()):
        return None  # meant for the process that started us
    period = environment.get("WATCHDOG_USEC", "")
    return int(period) / 1e6 if period.isdecimal() and int(period) > 0 else None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the watchdog is shown.

    loops: turns of the supervisor's loop so far. frame_age_s: since the newest frame came, None before the first;
    stall_after_s: from then on it is stale. reopening: no frames come, this is known (camera_lost, or opening for the
    first time), and the timer that opens the camera is running. inference_s: how long the inference that now runs has
    taken, None when none does; inference_limit_s: the most that is tolerated.
    """

    loops: int
    frame_age_s: float | None
    stall_after_s: float
    reopening: bool
    inference_s: float | None
    inference_limit_s: float

    def trouble(self, loops_before: int) -> str | None:
        """Why this is no proof of progress since there had been `loops_before` turns; None: it is."""
        if self.loops <= loops_before:
            return "the supervisor's loop did not run"
        if self.inference_s is not None and self.inference_s > self.inference_limit_s:
            return f"an inference has been running for {self.inference_s:.1f} s, limit {self.inference_limit_s:g} s"
        if self.reopening:
            return None
        if self.frame_age_s is None:
            return "no frame ever came and nobody is opening the camera"
        if self.frame_age_s > self.stall_after_s:
            return f"the newest frame is {self.frame_age_s:.1f} s old and nobody is reopening the camera"
        return None


class Watchdog:
    """Pings systemd at half of its period, and only with proof in hand. The supervisor's loop owns it: no threads."""

    def __init__(self, notifier: Notifier, period_s: float | None, clock: Clock) -> None:
        """period_s: of `watchdog_period_s`; None: nobody watches. The first ping is due at once."""
        self._notifier, self._clock = notifier, clock
        self._every_s = None if period_s is None else period_s / PINGS_PER_PERIOD
        self._due_s = clock.monotonic_s()
        self._loops = -1
        self.withheld: str | None = None

    @property
    def every_s(self) -> float | None:
        """Seconds between pings; `tick` should come a few times as often."""
        return self._every_s

    def tick(self, progress: Progress) -> bool:
        """Ping if it is time and there is proof; returns whether it did. `withheld` tells why not."""
        now_s = self._clock.monotonic_s()
        if self._every_s is None or now_s < self._due_s:
            return False
        trouble = progress.trouble(self._loops)
        if trouble != self.withheld and trouble is not None:
            log.error("systemd's watchdog is not answered: %s", trouble)
        self.withheld = trouble
        if trouble is not None or not self._notifier.ping():
            return False
        self._loops, self._due_s = progress.loops, now_s + self._every_s
        return True


def _socket_name(address: str | None) -> str | None:
    """As `connect` takes it; a kind of address that is not a Unix socket's is not listened to."""
    if not address or address[0] not in "/@" or len(address) < 2:
        return None
    return "\0" + address[1:] if address[0] == "@" else address


def _status(text: str) -> tuple[str, ...]:
    line = " ".join(text.split())[:MAX_STATUS_CHARS]
    return (f"STATUS={line}",) if line else ()
