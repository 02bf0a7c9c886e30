"""A fresh process per measurement: the parent's side asks, the child's side answers, both in JSON.

A child that dies takes nothing with it but its own row: how it died is the answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_edge.errors import FerEdgeError

Json = dict[str, Any]

_SIGNALS = {
    signal.SIGILL: "an illegal instruction: the library was built for another CPU",
    signal.SIGSEGV: "a crash inside a library",
    signal.SIGBUS: "a crash inside a library",
    signal.SIGABRT: "a library that gave up",
    signal.SIGKILL: "most often the kernel when memory runs out",
}
MAX_REASON_CHARS = 300


class ChildFailed(Exception):  # noqa: N818 - read as a sentence
    """A measurement process gave no result; the message is the reason."""


def ask(command: Sequence[str], job: Mapping[str, Any], timeout_s: float) -> Json:
    """Start `command`, hand it `job`, return its answer.

    The child gets a process group of its own, so that Ctrl-C reaches the parent alone, which then ends the child and
    whatever that has started. Raises ChildFailed with a reason when the child reports an error, dies, says nothing, or
    takes longer than `timeout_s`.
    """
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)  # noqa: S603 - our own module
    try:
        out, err = child.communicate(json.dumps(job).encode(), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"gave no result within {timeout_s:g} s and was stopped") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode != 0:
        raise ChildFailed(death(child.returncode, err))
    try:
        answer: Json = json.loads(out)
    except ValueError:
        raise ChildFailed(f"gave no result{last_line(err)}") from None
    if "error" in answer:
        raise ChildFailed(str(answer["error"]))
    return answer


def death(status: int, stderr: bytes) -> str:
    """What an exit status other than 0 means, with the last that the process said."""
    if status >= 0:
        return f"ended with status {status}{last_line(stderr)}"
    try:
        number = signal.Signals(-status)
    except ValueError:
        return f"was ended by signal {-status}"
    meaning = _SIGNALS.get(number)
    return f"was ended by {number.name}" + (f" ({meaning})" if meaning else "")


def serve(handle: Callable[[Json], Json]) -> int:
    """The child's side: read the job, answer it or tell why not; returns the exit status.

    Libraries print to standard output as they like; what they print goes to standard error, so that the answer stays
    alone on its channel.
    """
    channel = os.dup(1)
    os.dup2(2, 1)
    job = json.loads(sys.stdin.buffer.read())
    try:
        answer = handle(job)
    except FerEdgeError as error:
        answer = {"error": str(error)}
    with os.fdopen(channel, "w", encoding="utf-8") as out:
        json.dump(answer, out)
    return 0


def peak_rss_bytes() -> int | None:
    """The most memory that this process ever held; None where /proc does not tell.

    Not `ru_maxrss`: on Linux that starts with the size of the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def last_line(stderr: bytes) -> str:
    """The last that a process said, as the end of a sentence."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1][:MAX_REASON_CHARS]}" if lines else " and no message"
