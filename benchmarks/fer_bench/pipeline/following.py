"""A daemon whose events are read as they come: how old each frame's last event is, and what the process holds.

The age of an event is the time between the capture of its frame and the moment the reader has it. A live source stamps
its frames (`t_s`) with the machine's monotonic clock, which all processes share; of other sources there is only the
time of day in `time`, in milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from fer_bench.processes.children import death
from fer_edge.clock import Clock, SystemClock

STOP_S = 10.0
"""How long a daemon may take to end when it is asked to; it promises five seconds."""
KIB = 1024

T = TypeVar("T", bound="Telling")


class Telling(ABC):
    """A process that tells lines of JSON while it works; it ends at the latest when this is left.

    started: it has begun its work, or ended. over: it has closed its output, of its own accord or because it died.
    """

    def __init__(self, command: Sequence[str], job: bytes = b"", clock: Clock | None = None) -> None:
        """Start it, and give it `job` on its standard input."""
        self._clock = clock or SystemClock()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `__exit__`
        self._lock, self.started, self.over = threading.Lock(), threading.Event(), threading.Event()
        self.identity: dict[str, Any] = {}
        self._begin_s = self._clock.monotonic_s()
        self._process = subprocess.Popen(  # noqa: S603 - the project's own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints
        )
        self._hand_over(job)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self: T) -> T:  # noqa: PYI019 - typing.Self came with Python 3.11
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """No process stays behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        self._complaints.close()

    @abstractmethod
    def take(self) -> list[int]:
        """Nanoseconds, one per sample, that were told of since the last call."""

    @abstractmethod
    def note(self, event: Mapping[str, Any], now_s: float, wall: datetime) -> None:
        """One line of JSON, and when it came on both clocks; in the reader's thread."""

    def memory(self) -> tuple[int | None, int | None]:
        """Bytes that the process holds now, and the most it ever did; None where the kernel does not tell."""
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None, None
        fields = {key: value.split() for key, _, value in (line.partition(":") for line in text.splitlines())}
        now, peak = (int(fields[key][0]) * KIB if key in fields else None for key in ("VmRSS", "VmHWM"))
        return now, peak

    def cpu_s(self) -> float | None:
        """Seconds of all its threads so far, start-up included."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> str:
        """Ask it to end and read what it says last; the reason, where it did not end well, else nothing."""
        self._process.send_signal(signal.SIGTERM)
        self.over.wait(STOP_S)
        return self.ending()

    def ending(self) -> str:
        """Why it ended, if that was not well; for one that has `over` set."""
        if not self.over.is_set():
            return f"did not end within {STOP_S:g} s of being asked to"
        status = self._process.wait()
        self._complaints.seek(0)
        return death(status, self._complaints.read()) if status else ""

    def _hand_over(self, job: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(job)

    def failed(self) -> str | None:
        """Why it ended, in words; None while it works."""
        if not self.over.is_set():
            return None
        return str(self.identity.get("error") or self.ending() or "ended before its time was over")

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            with self._process.stdout as lines:
                for line in lines:
                    # both before the line is taken apart, which takes time itself
                    now_s, wall = self._clock.monotonic_s(), self._clock.wall()
                    with contextlib.suppress(ValueError):  # what a library printed
                        self.note(json.loads(line), now_s, wall)
        finally:
            self.over.set()
            self.started.set()


class Following(Telling):
    """The daemon, with its events on standard output."""

    def __init__(self, command: Sequence[str], clock: Clock | None = None) -> None:
        self.statistics: dict[str, Any] = {}
        self.first_face_s: float | None = None
        self._ages_s: list[float] = []
        self._frame: int | None = None
        super().__init__(command, clock=clock)

    def take(self) -> list[int]:
        """Ages in nanoseconds of the frames that were told of since the last call; the newest is still under way."""
        with self._lock:
            found, self._ages_s = self._ages_s, []
        return [round(1e9 * age_s) for age_s in found]

    def note(self, event: Mapping[str, Any], now_s: float, wall: datetime) -> None:
        """Events of a frame have an age; others say what runs, and how it went."""
        if event["type"] == "statistics":
            self.statistics = dict(event)
        elif event["type"] == "started":
            self.identity = dict(event)
            self.started.set()
        elif "frame" in event and "time" in event:
            self._age(event, now_s, wall)

    def _age(self, event: Mapping[str, Any], now_s: float, wall: datetime) -> None:
        """Of two events of one frame the later one counts."""
        if self.first_face_s is None:
            self.first_face_s = now_s - self._begin_s
        if self.identity.get("live"):
            age_s = now_s - float(event["t_s"])
        else:
            age_s = (wall - datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00"))).total_seconds()
        with self._lock:
            if self._ages_s and event["frame"] == self._frame:
                self._ages_s[-1] = age_s
            else:
                self._ages_s.append(age_s)
            self._frame = event["frame"]
