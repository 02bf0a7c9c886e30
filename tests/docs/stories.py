"""A page as a story: its commands one after the other in one folder, as a reader would type them."""

from __future__ import annotations

import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from docs.classes import ENDLESS, OF_REAL_DATA, STATUSES
from docs.outputs import missing
from docs.pages import Command
from docs.stand_ins import Sandbox

FIRST_EVENT_S = 60.0
END_S = 20.0
CUT = 3000
"""How much of an output a failure shows, characters."""


@dataclass
class Running:
    """A command that does not end by itself: what it printed, and whether the awaited word came."""

    process: subprocess.Popen[str]
    awaited: str
    lines: list[str] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Until it ends."""
        assert self.process.stdout is not None
        with self.process.stdout as printed:
            for line in printed:
                self.lines.append(line)
                if self.awaited in line:
                    self.came.set()
        self.came.set()


class Story:
    """Runs commands in a sandbox. `told` keeps what each printed, for a failure to show."""

    def __init__(self, sandbox: Sandbox, limit_s: float) -> None:
        self._sandbox, self._limit_s = sandbox, limit_s
        self._where = sandbox.folder
        self._daemon: Running | None = None

    def run(self, command: Command, more: str = "") -> None:
        """Run it; fails with what it printed when it does not do what its page says."""
        text = self._sandbox.local(command.text) + (f" {more}" if more else "")
        self._sandbox.prepare(text)
        place = f"{command.page}:{command.line}: {text}"
        if command.key in ENDLESS:
            self._begin(text, command.key, place)
            return
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"set -e\n{text}\npwd > {self._state}"],
            cwd=self._where,
            env=self._sandbox.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self._limit_s,
            check=False,
        )
        assert done.returncode in STATUSES.get(command.key, {0}), (
            f"{place}\nended with {done.returncode}:\n{done.stdout[-CUT:]}"
        )
        told = self._sandbox.real or command.key not in OF_REAL_DATA
        lacking = missing(command.shown, done.stdout) if told else []
        assert lacking == [], f"{place}\nprinted no such lines, but:\n{done.stdout[-CUT:]}"
        if done.returncode == 0:
            self._where = Path(self._state.read_text(encoding="utf-8").strip())

    def end(self) -> None:
        """The daemon that still runs ends when it is asked to, with status 0."""
        if self._daemon is not None:
            daemon, self._daemon = self._daemon, None
            _stop(daemon, {0})

    def _begin(self, text: str, key: str, place: str) -> None:
        is_daemon = "fer-edge run" in text
        if is_daemon:
            self.end()
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=self._where,
            env=self._sandbox.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = Running(process, ENDLESS[key])
        threading.Thread(target=running.read, daemon=True).start()
        came = running.came.wait(FIRST_EVENT_S) and any(running.awaited in line for line in running.lines)
        if is_daemon and came:
            self._daemon = running
        else:
            _stop(running, {0, -signal.SIGTERM})
        assert came, f"{place}\nnever said {running.awaited}, but:\n{''.join(running.lines)[-CUT:]}"

    @property
    def _state(self) -> Path:
        return self._sandbox.folder / "home" / "where"


def _stop(running: Running, good: set[int]) -> None:
    running.process.terminate()
    try:
        status = running.process.wait(END_S)
    except subprocess.TimeoutExpired:
        running.process.kill()
        raise
    assert status in good, f"ended with {status} when it was asked to:\n{''.join(running.lines)[-CUT:]}"
