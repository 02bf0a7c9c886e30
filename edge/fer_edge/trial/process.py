"""Starts the child, and tells how far it came and what it died of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

TIMEOUT_S = 120.0
"""Importing and running takes a second or two on a board, and much longer while it boots."""
MEANINGS = {
    signal.SIGILL: "an illegal instruction: it was built for another CPU",
    signal.SIGSEGV: "a crash inside it",
    signal.SIGBUS: "a crash inside it",
    signal.SIGABRT: "it gave up",
    signal.SIGKILL: "most often the kernel, when memory runs out",
}
MAX_SAID_CHARS = 200
LATE = "it did not end within"
ENDED = "it was ended by"
KILLED = f"{ENDED} SIGKILL"
"""How these deaths begin, which may have come of what else the board did."""

Stages = list[dict[str, Any]]


def probe(
    arguments: tuple[str, ...], environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> tuple[Stages, str | None]:
    """Start `fer_edge.trial.child`; the stages it survived, and what it died of, None when it did not."""
    command = [sys.executable, "-m", "fer_edge.trial.child", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**(os.environ if environment is None else environment), "ORT_DISABLE_TELEMETRY": "1"},
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return _stages(error.stdout or b""), f"{LATE} {timeout_s:g} s"
    stages = _stages(done.stdout)
    if done.returncode < 0:
        return stages, _death(-done.returncode)
    if done.returncode > 0 or not stages:
        return stages, f"it ended with status {done.returncode}{_said(done.stderr)}"
    return stages, None


def _stages(output: bytes) -> Stages:
    """The lines that are whole; a child that is killed may leave half of one."""
    found = []
    for line in output.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _death(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"{ENDED} signal {number}"
    meaning = MEANINGS.get(signal.Signals(number))
    return f"{ENDED} {name}" + (f" ({meaning})" if meaning else "")


def _said(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1][:MAX_SAID_CHARS]}" if lines else ""
