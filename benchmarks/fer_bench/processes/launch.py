"""Starts a command and measures it from outside: `python -m fer_bench.processes.launch`, JSON in, JSON out.

A process of its own, and a small one that imports nothing heavy, because on Linux `ru_maxrss` of a command starts with
the size of whoever started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import IO

from fer_bench.processes.children import Json, death, serve
from fer_edge.clock import perf_s


def launch(job: Json) -> Json:
    """Run `command` to its end.

    watch: a piece of text; first_s is when the first line of standard output with it came. Seconds count from just
    before the start of the process. cpu_s: user and system, start-up included. Returns also the reason when the command
    did not end with status 0.
    """
    watch = str(job.get("watch", "")).encode()
    with tempfile.TemporaryFile() as complaints:
        begin_s = perf_s()
        process = subprocess.Popen(  # noqa: S603 - the project's own command
            job["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
        first_s = _first(process.stdout, watch, begin_s) if process.stdout else None
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_s() - begin_s
        process.returncode = os.waitstatus_to_exitcode(status)
        complaints.seek(0)
        said = complaints.read()
    return {
        "status": process.returncode,
        "reason": death(process.returncode, said) if process.returncode else "",
        "seconds": seconds,
        "first_s": first_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_bytes": usage.ru_maxrss * 1024,
    }


def _first(stream: IO[bytes], watch: bytes, begin_s: float) -> float | None:
    """Read to the end; seconds until the first line with `watch` in it."""
    found = None
    for line in stream:
        if found is None and watch and watch in line:
            found = perf_s() - begin_s
    stream.close()
    return found


if __name__ == "__main__":
    sys.exit(serve(launch))
