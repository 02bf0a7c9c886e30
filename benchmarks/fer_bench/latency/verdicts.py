"""What follows from the rows, in sentences: whether a precision pays, and which figures stand on too few samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fer_bench import stats
from fer_bench.latency.rows import ScenarioRow
from fer_bench.results.rows import count
from fer_bench.variants import UNSTATED
from fer_bench.verdict.words import pays

REFERENCE = "float32"
MS_PER_S = 1e3

Key = tuple[object, ...]


def judged(rows: Sequence[ScenarioRow]) -> list[ScenarioRow]:
    """The same rows with their ratio to float32, if it was measured in the same way, and a verdict in words.

    The same is model, format, runtime, threads and scenario. Rows of unlike scenarios are never compared, nor are those
    of a board that was held back.
    """
    references = {_key(row): row for row in rows if row.precision == REFERENCE and row.valid}
    return [_judge(row, references.get(_key(row))) for row in rows]


def of_samples(row: ScenarioRow) -> list[str]:
    """What the samples are too few for, and how many would do."""
    if not row.needed:
        return []
    spans = ", ".join(f"{most} for {name}" for name, most in row.needed.items())
    note = f"{row.name} has {count(row.n, 'sample')}, too few for an interval (that takes {spans})"
    least = {f"p{q}": stats.needed_for_percentile(q) for q in stats.PERCENTILES}
    maxima = ", ".join(f"{most} for {name}" for name, most in least.items() if row.n < most)
    return [f"{note} or to tell a percentile from the largest ({maxima})" if maxima else note]


def of_feeding(row: ScenarioRow) -> list[str]:
    """That nothing proves a single file's answers."""
    if row.precision != UNSTATED or not row.fed:
        return []
    return [f"{row.label} is a single file: it was fed {row.fed}, and nothing proves that its answers are right"]


def of_batch(row: ScenarioRow, asked: int) -> list[str]:
    """That a batch was asked for and the model takes another."""
    if not row.n or row.batch == asked:
        return []
    return [f"{row.name}: the model takes {count(row.batch, 'picture')} at a time, so there were no batches of {asked}"]


def _key(row: ScenarioRow) -> Key:
    """What must be the same in two rows for a ratio to mean anything."""
    same_model = (row.model, row.model_sha256, row.format, row.runtime, row.threads)
    return (*same_model, row.scenario, row.streams, row.batch)


def _judge(row: ScenarioRow, reference: ScenarioRow | None) -> ScenarioRow:
    if row.precision in (REFERENCE, UNSTATED) or not row.valid:
        return row
    if reference is None:
        return replace(row, verdict=f"{row.name}: no {REFERENCE} was measured to compare it with")
    (own, span), (other, other_span) = _time(row), _time(reference)
    ratio = own / other
    significant = not stats.overlap(span, other_span)
    return replace(row, ratio_to_float32=ratio, significant=significant, verdict=_words(row, ratio, significant))


def _time(row: ScenarioRow) -> tuple[float, stats.Interval]:
    """What one inference takes, milliseconds: p50, or the share of the throughput where there are no percentiles."""
    if row.p50_ms is not None and row.p50_ci95_ms is not None:
        return row.p50_ms, row.p50_ci95_ms
    low, high = row.per_second_ci95 or (0.0, 0.0)
    return MS_PER_S / (row.per_second or 0.0), (MS_PER_S / high, MS_PER_S / low)


def _words(row: ScenarioRow, ratio: float, significant: bool) -> str:
    what = "p50" if row.p50_ms is not None else "throughputs"
    where = f"with {row.runtime} on {count(row.threads, 'thread')}{row.manner}"
    where += f" ({row.model})" if row.label else ""
    return pays(row.precision, [ratio], where, significant=significant, what=what)
