"""What `all` is asked for, and what came of each part."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from fer_bench.variants import Choice
from fer_bench.verdict.run import MAX_DROP_PP

Say = Callable[[str], None]

THREADS = (1, 2, 4)
LATENCY, ACCURACY, PIPELINE = "latency", "accuracy", "pipeline"


def usual_threads() -> tuple[int, ...]:
    """1, 2 and 4, as far as this process has CPUs."""
    cpus = len(os.sched_getaffinity(0))
    return tuple(number for number in THREADS if number <= max(cpus, 1))


@dataclass(frozen=True)
class Plan:
    """One bundle, and what the parts need: data for accuracy, a clip or camera for the pipeline.

    threads: of latency; accuracy does not depend on them. max_drop_pp: what may be lost against float32 in the verdict,
    percentage points. The rest is as in the parts' own plans.
    """

    bundle: str
    choice: Choice = field(default_factory=Choice)
    threads: tuple[int, ...] = (1,)
    data: str | None = None
    split: str | None = "test"
    limit: int | None = None
    corruptions: tuple[str, ...] = ()
    source: str | None = None
    weights: str | None = None
    settings: tuple[str, ...] = ()
    max_frames: int | None = None
    min_seconds: float = 2.0
    min_runs: int = 200
    rounds: int = 3
    timeout_s: float = 600.0
    max_drop_pp: float = MAX_DROP_PP


@dataclass(frozen=True, kw_only=True)
class PartRow:
    """What came of a part. n: rows of it with figures. why: there are none; error: the same, where it was asked for.

    status: the exit status that the part alone would have had.
    """

    part: str
    n: int = 0
    status: int = 0
    why: str | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """As sentences speak of it."""
        return self.part
