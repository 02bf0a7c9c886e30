"""Whether a lower precision pays."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.latency.rows import ScenarioRow
from fer_bench.verdict.facts import Facts, Sentence
from fer_bench.verdict.words import REFERENCE, artifact, listed, number, pays, threads


def sentences(facts: Facts) -> list[Sentence]:
    """One for all numbers of threads on which a precision does alike in a runtime."""
    groups: dict[tuple[str, ...], list[ScenarioRow]] = {}
    for row in facts.timed:
        if row.ratio_to_float32 is not None and row.significant is not None:
            groups.setdefault((row.model, artifact(row), row.runtime, _outcome(row)), []).append(row)
    return [_sentence(group, facts.timed) for group in groups.values()]


def _outcome(row: ScenarioRow) -> str:
    if not row.significant:
        return "not significant"
    return "faster" if (row.ratio_to_float32 or 0.0) < 1.0 else "slower"


def _sentence(rows: Sequence[ScenarioRow], timed: Sequence[ScenarioRow]) -> Sentence:
    first = rows[0]
    where = f"with {first.runtime} on {_threads([row.threads for row in rows])}"
    ratios = [row.ratio_to_float32 or 0.0 for row in rows]
    claim = pays(first.precision, ratios, where, significant=bool(first.significant))
    return Sentence(claim, _figures(rows, timed), "warning" if _outcome(first) == "slower" else "fact")


def _threads(numbers: Sequence[int]) -> str:
    return threads(numbers[0]) if len(numbers) == 1 else f"{listed([str(n) for n in numbers])} threads"


def _figures(rows: Sequence[ScenarioRow], timed: Sequence[ScenarioRow]) -> str:
    """The p50 on both sides, as many as there are numbers of threads."""
    of = (rows[0].model, rows[0].format, rows[0].runtime)
    floats = {
        row.threads: row for row in timed if (row.model, row.format, row.runtime, row.precision) == (*of, REFERENCE)
    }
    mine = ", ".join(number(row.p50_ms or 0.0) for row in rows)
    theirs = ", ".join(number(floats[row.threads].p50_ms or 0.0) for row in rows if row.threads in floats)
    smallest = min([row.n for row in rows] + [floats[row.threads].n for row in rows if row.threads in floats])
    return f"p50 {mine} against {theirs} ms, n = {smallest:,} or more each"
