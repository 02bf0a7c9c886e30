"""The real daemon in a process of its own, with everything switched on that goes out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.brokers import PATIENCE_S, Mosquitto, free_port, until


@contextlib.contextmanager
def running(
    folder: Path, source: str, broker: Mosquitto | None = None, more: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """The process once it has told some events, the port of its page, and the file of its events."""
    port, events = free_port(), folder / "events.jsonl"
    chosen = ["http.pictures=true"]
    if broker is not None:
        chosen += ['mqtt.host="127.0.0.1"', f"mqtt.port={broker.port}", 'mqtt.prefix="edge"']
    flags = ["--source", source, "--http", f"127.0.0.1:{port}", "--events", str(events), "--rate", "all", *more]
    command = [sys.executable, "-m", "fer_edge", "run", *flags, *(f"--set={each}" for each in chosen)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: events.exists() and events.read_bytes().count(b"\n") > 5, "events come", 4 * PATIENCE_S)
            yield process, port, events
        finally:
            process.kill()
