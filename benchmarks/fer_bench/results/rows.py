"""One row per thing that was measured, or the reason why it was not."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Row:
    """One artifact in one runtime: what it is, and why it was not measured (`error`), if it was not.

    precision: what the file is called. effective_precision: what the runtime computes in. n: what the figures stand on:
    timed inferences or pictures.
    """

    format: str
    precision: str
    runtime: str
    threads: int
    size_bytes: int
    effective_precision: str | None = None
    runtime_version: str | None = None
    n: int = 0
    error: str | None = None

    @property
    def name(self) -> str:
        """As sentences speak of it."""
        return f"{self.format}/{self.precision} with {self.runtime} on {count(self.threads, 'thread')}"


@dataclass(frozen=True, kw_only=True)
class LatencyRow(Row):
    """Times of one inference, milliseconds unless the name says otherwise.

    Percentiles are over the steady samples of all rounds. load_ms (bytes to a runtime that can run) and first_ms have
    one value per round, warmup_ns and samples_ns one list per round. peak_rss_bytes: of a process that does nothing
    else, the largest of the rounds; peak_rss_bytes_rounds has each. ratio_to_float32: of the p50s, same runtime and
    threads; significant: their intervals do not overlap. golden_error: largest difference of a golden output.
    """

    p50_ms: float | None = None
    p50_ci95_ms: tuple[float, float] | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ratio_to_float32: float | None = None
    significant: bool | None = None
    verdict: str | None = None
    peak_rss_bytes: int | None = None
    golden_error: float | None = None
    load_ms: tuple[float, ...] = ()
    first_ms: tuple[float, ...] = ()
    warmup_ns: tuple[tuple[int, ...], ...] = ()
    samples_ns: tuple[tuple[int, ...], ...] = ()
    peak_rss_bytes_rounds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CorruptionRow:
    """One artifact on the same pictures as its row, after one step of what a camera does to them.

    severity: 1 (mild) to 5 (harsh); level: what that is, in the corruption's unit. drop_from_clean_pp: percentage
    points below the same artifact on the clean pictures. drop_pp, mcnemar_p: against the float32 reference on the same
    corrupted pictures. right: which pictures were right, in their order, as base64 of bits, the first in the highest
    bit of the first byte.
    """

    corruption: str
    severity: int
    level: float
    n: int
    top1: float
    top1_ci95: tuple[float, float]
    drop_from_clean_pp: float
    drop_from_clean_pp_ci95: tuple[float, float]
    drop_pp: float | None = None
    drop_pp_ci95: tuple[float, float] | None = None
    mcnemar_p: float | None = None
    right: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How right something is. Shares are 0 to 1; drops are percentage points below `reference`, positive is worse.

    mcnemar_p: exact two-sided p that both are equally good. agreement: share of pictures with the same top-1 label.
    confusion: counts, rows are the truth, columns what was said, both in the order of `recall`. predictions: index of
    the label that was said, one per picture; confidences: its calibrated probability, 4 digits.
    """

    top1: float | None = None
    top1_ci95: tuple[float, float] | None = None
    recall: dict[str, float] = field(default_factory=dict)
    recall_ci95: dict[str, tuple[float, float]] = field(default_factory=dict)
    support: dict[str, int] = field(default_factory=dict)
    macro_recall: float | None = None
    macro_f1: float | None = None
    ece: float | None = None
    reference: str | None = None
    drop_pp: float | None = None
    drop_pp_ci95: tuple[float, float] | None = None
    mcnemar_p: float | None = None
    agreement: float | None = None
    confusion: tuple[tuple[int, ...], ...] = ()
    predictions: tuple[int, ...] = ()
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccuracyRow(Scores, Row):
    """How right the artifact is, on the pictures as they are and on what a camera makes of them."""

    corruptions: tuple[CorruptionRow, ...] = ()


def count(number: int, noun: str) -> str:
    """`1 thread`, `2 threads`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
