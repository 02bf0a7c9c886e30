"""What makes the machine warm: inference without a pause, or the daemon on a clip or camera at its own pace."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fer_bench.pipeline.contenders import command
from fer_bench.pipeline.following import Following, Telling
from fer_bench.pipeline.loops import Job as Watching
from fer_bench.pipeline.run import is_clip
from fer_bench.soak.load import Job
from fer_edge.errors import InputError

INFER = (sys.executable, "-m", "fer_bench.soak.load")


@dataclass(frozen=True)
class Work:
    """One artifact, and where its pictures come from: None is one face over and over, as fast as it goes.

    weights: YuNet's, None for the detector that the daemon takes by itself. settings: `key=value` for the daemon.
    """

    job: Job
    source: str | None = None
    weights: str | None = None
    settings: tuple[str, ...] = ()
    start_s: float = 60.0

    def __str__(self) -> str:
        """What is done, as sentences speak of it."""
        return "inference without a pause" if self.source is None else f"fer-edge run on {self.source}, events"


class Inferring(Telling):
    """`soak.load`."""

    def __init__(self, job: Job) -> None:
        self._samples: list[int] = []
        super().__init__(INFER, json.dumps(asdict(job)).encode())

    def take(self) -> list[int]:
        """Nanoseconds of each inference since the last call."""
        with self._lock:
            found, self._samples = self._samples, []
        return found

    def note(self, event: Mapping[str, Any], now_s: float, wall: datetime) -> None:
        """Samples; before them what runs, or why nothing does."""
        del now_s, wall
        with self._lock:
            self._samples += event.get("samples_ns", ())
        if "samples_ns" not in event:
            self.identity = dict(event)
            self.started.set()


@contextmanager
def opened(work: Work) -> Iterator[Telling]:
    """The load, begun; it ends with the context. Raises InputError when it does not begin, or the clip is missing."""
    with Inferring(work.job) if work.source is None else Following(_command(work, work.source)) as load:
        if not load.started.wait(work.start_s):
            raise InputError(f"{work} did not begin within {work.start_s:g} s")
        yield load


def _command(work: Work, source: str) -> list[str]:
    clip = is_clip(source)
    played = f"fault:{Path(source).resolve()}?loop" if clip else source
    job = work.job
    found = command(Watching("", source, job.bundle, work.weights or "", None, work.settings), played)
    found += ["--events", "-", "--format", job.format, "--precision", job.precision, "--runtime", job.runtime]
    return [*found, "--threads", str(job.threads)]
