"""A row of the latency room: one artifact in one runtime in one scenario, made of what its rounds answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from fer_bench import stats
from fer_bench.latency.scenarios import MULTI, NS_PER_S, OFFLINE, SINGLE
from fer_bench.machine import stability
from fer_bench.machine.environment import Conditions
from fer_bench.processes.children import Json
from fer_bench.results.rows import LatencyRow, count
from fer_bench.variants import Variant


@dataclass(frozen=True, kw_only=True)
class ScenarioRow(LatencyRow):
    """A latency row with what tells it apart from its like, and what was noted beside its samples.

    model, model_sha256: the bundle or single file. label: what sentences call the artifact, "" for its format and
    precision. streams, batch: see `scenarios`. In offline there are no percentiles, for nobody waits for an answer.
    needed: percentiles for whose interval the samples are too few, and how many would do. per_second: inferences, all
    streams together. harness_overhead_ns: what a sample of doing nothing reads, one value per round. held_back: one per
    round, why the board was slower than it can be, or None; conditions: before and after each. fed: what the model
    got. profile: see `profiling`.
    """

    model: str = ""
    model_sha256: str = ""
    label: str = ""
    scenario: str = SINGLE
    streams: int = 1
    batch: int = 1
    p90_ci95_ms: tuple[float, float] | None = None
    p95_ci95_ms: tuple[float, float] | None = None
    p99_ci95_ms: tuple[float, float] | None = None
    needed: Mapping[str, int] = field(default_factory=dict)
    per_second: float | None = None
    per_second_ci95: tuple[float, float] | None = None
    harness_overhead_ns: tuple[int, ...] = ()
    held_back: tuple[str | None, ...] = ()
    conditions: tuple[Mapping[str, Any], ...] = ()
    fed: str = ""
    profile: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """As sentences speak of it."""
        what = self.label or f"{self.format}/{self.precision}"
        return f"{what} with {self.runtime} on {count(self.threads, 'thread')}{self.manner}"

    @property
    def manner(self) -> str:
        """The scenario as the end of a sentence; nothing for single-stream, which goes without saying."""
        if self.scenario == SINGLE:
            return ""
        batches = f", batches of {self.batch}" if self.batch > 1 else ""
        return f", {self.scenario} ({count(self.streams, 'stream')}{batches})"

    @property
    def valid(self) -> bool:
        """Whether there are figures, of a board that was never held back."""
        return self.n > 0 and not any(self.held_back)


@dataclass
class Trial:
    """A variant in a scenario, and what its processes answered so far; `error` ends it.

    reals: what floats to feed a single file. conditions: of the machine before and after each answer. profile: of a
    process of its own.
    """

    variant: Variant
    answers: list[Json] = field(default_factory=list)
    error: str | None = None
    scenario: str = SINGLE
    streams: int = 1
    batch: int = 1
    reals: tuple[float, float] | None = None
    conditions: list[tuple[Conditions, Conditions]] = field(default_factory=list)
    profile: Json | None = None

    def __str__(self) -> str:
        """As sentences speak of it."""
        return row_of(replace(self, answers=[], conditions=[], profile=None, batch=1)).name


def row_of(trial: Trial) -> ScenarioRow:
    """All rounds of a trial as one row; the raw samples stay in it."""
    variant, answers = trial.variant, trial.answers
    row = ScenarioRow(
        format=variant.artifact.format,
        precision=variant.artifact.precision,
        runtime=variant.runtime,
        threads=variant.threads,
        size_bytes=variant.artifact.size_bytes,
        error=trial.error,
        model=variant.bundle.manifest.name if variant.bundle else "",
        model_sha256=variant.bundle.sha256 if variant.bundle else "",
        label=variant.label,
        scenario=trial.scenario,
        streams=trial.streams,
        batch=max((answer.get("batch", 1) for answer in answers), default=trial.batch),
        profile=trial.profile,
    )
    return _invalid(_heat(_apart(_steady(row, answers), answers), trial.conditions)) if answers else row


def _steady(row: ScenarioRow, answers: Sequence[Json]) -> ScenarioRow:
    rounds = [np.asarray(answer["samples_ns"]) for answer in answers]
    calls = int(sum(len(samples) for samples in rounds))
    each = row.batch * (row.streams if row.scenario == MULTI else 1)
    elapsed_ns = sum(answer.get("elapsed_ns", sum(answer["samples_ns"])) for answer in answers)
    rate = each * calls * NS_PER_S / elapsed_ns
    low, high = stats.mean_interval(rounds)
    middle = float(np.concatenate(rounds).mean())
    row = replace(
        row,
        n=each * calls if row.scenario == OFFLINE else calls,
        per_second=rate,
        per_second_ci95=(rate * middle / high, rate * middle / low),
    )
    return row if row.scenario == OFFLINE else _percentiles(row, rounds)


def _percentiles(row: ScenarioRow, rounds: Sequence[stats.Samples]) -> ScenarioRow:
    found = stats.summarize(rounds)
    return replace(
        row,
        p50_ms=found.p50,
        p50_ci95_ms=found.p50_ci95,
        p90_ms=found.p90,
        p90_ci95_ms=found.p90_ci95,
        p95_ms=found.p95,
        p95_ci95_ms=found.p95_ci95,
        p99_ms=found.p99,
        p99_ci95_ms=found.p99_ci95,
        needed=found.needed,
    )


def _apart(row: ScenarioRow, answers: Sequence[Json]) -> ScenarioRow:
    """What is not steady: load, first, warm-up, memory; and what was run."""
    peaks = [answer["peak_rss_bytes"] for answer in answers if answer["peak_rss_bytes"] is not None]
    errors = [answer["golden_error"] for answer in answers if answer["golden_error"] is not None]
    return replace(
        row,
        effective_precision=answers[0]["effective_precision"],
        runtime_version=answers[0]["runtime_version"],
        peak_rss_bytes=max(peaks, default=None),
        peak_rss_bytes_rounds=tuple(peaks),
        golden_error=max(errors, default=None),
        load_ms=tuple(answer["load_ms"] for answer in answers),
        first_ms=tuple(answer["first_ms"] for answer in answers),
        warmup_ns=tuple(tuple(answer["warmup_ns"]) for answer in answers),
        samples_ns=tuple(tuple(answer["samples_ns"]) for answer in answers),
        harness_overhead_ns=tuple(
            answer["harness_overhead_ns"] for answer in answers if "harness_overhead_ns" in answer
        ),
        fed=answers[0].get("fed", ""),
    )


def _heat(row: ScenarioRow, conditions: Sequence[tuple[Conditions, Conditions]]) -> ScenarioRow:
    return replace(
        row,
        held_back=tuple(stability.held_back(before, after) for before, after in conditions),
        conditions=tuple({"before": asdict(before), "after": asdict(after)} for before, after in conditions),
    )


def _invalid(row: ScenarioRow) -> ScenarioRow:
    """The figures of a board that was held back are kept, and an error says that they are not its own."""
    bad = [f"round {number} ({why})" for number, why in enumerate(row.held_back, start=1) if why]
    if not bad:
        return row
    told = f"INVALID: the board was held back in {', '.join(bad)} of {count(len(row.held_back), 'round')}"
    return replace(row, error=f"{row.error}; {told}" if row.error else told)
