"""What the pipeline room is asked for, and what it found: a plan, and one row per contender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]

SECONDS = 20.0
"""How long the daemon runs at the source's own pace, unless told otherwise."""


@dataclass(frozen=True)
class Plan:
    """A clip or a camera, a bundle, YuNet's weights (None: found in the model folders), and rounds of fresh processes.

    max_frames: of the clip, played as fast as can be. seconds: at the source's own pace. settings: `key=value` for the
    daemon and for the same stages by hand.
    """

    source: str
    model: str = "default"
    weights: str | None = None
    rounds: int = 3
    max_frames: int | None = None
    timeout_s: float = 600.0
    settings: tuple[str, ...] = ()
    seconds: float = SECONDS


@dataclass(frozen=True, kw_only=True)
class PipelineRow:
    """One contender; lists have one value per round, plain figures are their medians (peak memory: the largest).

    cpu_ms_per_frame: from the first frame to the last, user and system, all threads, start-up left out; of the daemon
    it is what its own `statistics` say. cpu_s: of the whole process, start-up included. ratio_to_bare: of
    cpu_ms_per_frame, to the bare loop of the same round. n: rounds.

    latency_*: from a frame's capture to its last event at a reader, over the frames with a face of all rounds
    (latency_n); ages_ns has them all, one list per round. stages_ms: per stage p50, p95 and p99, medians over the
    rounds. growth_bytes: of resident memory from the first quarter of the round to the last, the largest of the rounds.
    mj_per_frame, watts: energy by the meter that the report names, nothing taken off for a machine that idles.
    covered: of the reference's faces, in the round that covered fewest; unmatched: boxes on no face of the reference.
    """

    name: str
    n: int = 0
    frames: int | None = None
    faces: int | None = None
    cpu_ms_per_frame: float | None = None
    ratio_to_bare: float | None = None
    fps: float | None = None
    peak_rss_bytes: int | None = None
    growth_bytes: int | None = None
    first_face_s: float | None = None
    dropped_frames: int | None = None
    latency_n: int = 0
    latency_p50_ms: float | None = None
    latency_p50_ci95_ms: tuple[float, float] | None = None
    latency_p95_ms: float | None = None
    latency_p99_ms: float | None = None
    mj_per_frame: float | None = None
    watts: float | None = None
    reference_faces: int | None = None
    covered: int | None = None
    unmatched: int | None = None
    stages_ms: dict[str, dict[str, float]] | None = None
    cpu_ms_per_frame_rounds: tuple[float, ...] = ()
    ratio_to_bare_rounds: tuple[float, ...] = ()
    fps_rounds: tuple[float, ...] = ()
    cpu_s_rounds: tuple[float, ...] = ()
    first_face_s_rounds: tuple[float, ...] = ()
    mj_per_frame_rounds: tuple[float, ...] = ()
    ages_ns: tuple[tuple[int, ...], ...] = ()
    error: str | None = None
