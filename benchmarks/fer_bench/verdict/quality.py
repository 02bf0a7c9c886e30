"""What a lower precision costs in accuracy, and whether there were pictures enough to tell."""

from __future__ import annotations

import math

from fer_bench.results.rows import AccuracyRow
from fer_bench.verdict.facts import Facts, Sentence
from fer_bench.verdict.words import points

SIGNIFICANT = 0.05
MANY = 10_000_000
"""Data sets end before; a larger need is not told as a number."""


def sentences(facts: Facts) -> list[Sentence]:
    """One per artifact and runtime that was judged against float32."""
    return [_sentence(row, facts.max_drop_pp) for row in facts.accuracy if row.n and row.drop_pp is not None]


def needed(row: AccuracyRow, max_drop_pp: float) -> int | None:
    """How many pictures would rule out a larger drop, if it stays as it is; None where no number would."""
    if row.drop_pp is None or row.drop_pp_ci95 is None or row.drop_pp >= max_drop_pp:
        return None
    above = row.drop_pp_ci95[1] - row.drop_pp
    found = math.ceil(row.n * (above / (max_drop_pp - row.drop_pp)) ** 2)
    return found if found <= MANY else None


def _sentence(row: AccuracyRow, max_drop_pp: float) -> Sentence:
    drop, (_, high) = row.drop_pp or 0.0, row.drop_pp_ci95 or (0.0, 0.0)
    change = f"{'loses' if drop > 0 else 'gains'} {points(drop)} against" if drop else "is as often right as"
    significant = row.mcnemar_p is not None and row.mcnemar_p < SIGNIFICANT
    said = f"accuracy: {row.format}/{row.precision} with {row.runtime} {change} float32"
    said += ": significant" if significant else ": not significant"
    if drop > max_drop_pp:
        return Sentence(f"{said}, and more than {points(max_drop_pp)}", _figures(row), "warning")
    if high > max_drop_pp:
        enough = needed(row, max_drop_pp)
        want = f": that would take some {enough:,} pictures" if enough else ""
        return Sentence(f"{said}; more than {points(max_drop_pp)} cannot be ruled out{want}", _figures(row), "warning")
    return Sentence(said, _figures(row))


def _figures(row: AccuracyRow) -> str:
    low, high = row.drop_pp_ci95 or (0.0, 0.0)
    p = "" if row.mcnemar_p is None else f", McNemar p {row.mcnemar_p:.2g}"
    return f"drop {low:.2f} to {high:.2f}{p}, n = {row.n:,}"
