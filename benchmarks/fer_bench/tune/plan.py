"""What is asked of a tuning, and what it found of each candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fer_bench.results.rows import Row
from fer_bench.variants import Choice

Say = Callable[[str], None]
Room = Literal["latency", "pipeline"]

PERIODS_S = (0.2, 0.4, 0.6, 1.0)
"""Seconds between two searches of the whole picture; 0.4 is the daemon's own."""
MAX_FRAMES = 450
"""Of the clip, in each run of the daemon: 30 s of the demo, 15 s of most clips."""


@dataclass(frozen=True)
class Limits:
    """What no candidate may exceed; None: no bound.

    p95_ms: of one inference. max_drop_pp: top-1 below float32, percentage points. rss_mb: the most memory a process
    ever held, 10^6 bytes. max_lost_pp: faces covered, percentage points below the configuration as it is.
    """

    p95_ms: float | None = None
    max_drop_pp: float = 1.0
    rss_mb: float | None = None
    max_lost_pp: float = 1.0

    def __str__(self) -> str:
        """As sentences speak of it."""
        bounds = [f"drop <= {self.max_drop_pp:g} points", f"faces lost <= {self.max_lost_pp:g} points"]
        if self.rss_mb is not None:
            bounds.insert(0, f"memory <= {self.rss_mb:g} MB")
        if self.p95_ms is not None:
            bounds.insert(0, f"p95 <= {self.p95_ms:g} ms")
        return ", ".join(bounds)


@dataclass(frozen=True)
class Plan:
    """What to try, within which bounds, and where the winner is written.

    threads: empty takes 1, 2 and 4 as far as there are CPUs. data: labelled pictures to measure drops on; None takes
    the manifest's. source: a clip, or "demo". config: the daemon's file; None writes nothing. dry_run: nothing is
    written. rounds: processes per candidate that got beyond the short round. timeout_s: for one process.
    """

    bundle: str
    limits: Limits = field(default_factory=Limits)
    choice: Choice = field(default_factory=Choice)
    threads: tuple[int, ...] = ()
    periods_s: tuple[float, ...] = PERIODS_S
    source: str = "demo"
    max_frames: int = MAX_FRAMES
    data: str | None = None
    split: str | None = "test"
    limit: int | None = None
    config: str | None = None
    dry_run: bool = False
    min_seconds: float = 1.0
    min_runs: int = 200
    rounds: int = 4
    timeout_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class TuneRow(Row):
    """One candidate in one room: an artifact, a runtime and threads, and in the pipeline room a period too.

    n: timed inferences (latency room), rounds of the daemon (pipeline room). drop_*: as `drop_from` has them. core_ms:
    p50 times threads, an upper bound of the CPU that one inference takes. cpu_ms_per_frame: of the daemon, median of
    the rounds, start-up left out. covered, faces: of the faces that are found when every frame is searched. left: where
    the candidate left, "" for the winner. misses: by which share of a bound it is beyond it, per bound.
    """

    room: Room = "latency"
    drop_pp: float | None = None
    drop_pp_ci95: tuple[float, float] | None = None
    drop_n: int = 0
    drop_from: str | None = None
    p50_ms: float | None = None
    p50_ci95_ms: tuple[float, float] | None = None
    p95_ms: float | None = None
    core_ms: float | None = None
    peak_rss_bytes: int | None = None
    period_s: float | None = None
    cpu_ms_per_frame: float | None = None
    cpu_ms_per_frame_rounds: tuple[float, ...] = ()
    faces: int | None = None
    covered: int | None = None
    lost_pp: float | None = None
    left: str = ""
    why: str = ""
    misses: dict[str, float] = field(default_factory=dict)
    winner: bool = False
    samples_ns: tuple[tuple[int, ...], ...] = ()
