"""A comparison in words: the verdict of a row, the table, the conditions."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.compare.comparison import Comparison
from fer_bench.compare.conditions import UNSURE
from fer_bench.compare.measures import MEASURES
from fer_bench.compare.rows import ComparedRow
from fer_bench.compare.significance import ALPHA
from fer_bench.table import MISSING, figure, render, span

WORDS = {measure.name: measure.words for table in MEASURES.values() for measure in table}


def verdict(row: ComparedRow) -> str:
    """What to think of a row whose significance is known."""
    if row.change is None or row.significant is None:
        return row.verdict
    if not row.significant:
        if row.p is None:
            return "the same"
        shown = _shown(row)
        return f"not significant; {shown} would have shown" if shown else "not significant"
    return WORDS[row.measure][row.change > 0]


def _shown(row: ComparedRow) -> str:
    if row.smallest is None:
        return ""
    return f"{row.smallest:.2f} points" if row.change_ci95 is not None else f"{_short(100 * row.smallest)} %"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


HEAD = ("row", "figure", "base", "new", "change", "95 % interval", "p (Holm)", "n", "verdict")


def told(comparisons: Sequence[Comparison]) -> str:
    """Each in turn, with its notes; a headline where there are several."""
    parts = []
    for each in comparisons:
        head = [f"== {each.kind}"] if len(comparisons) > 1 else []
        parts.append("\n".join([*head, text(each), *[f"note: {note}" for note in each.notes]]))
    return "\n\n".join(parts)


def text(comparison: Comparison) -> str:
    """The table, how it was judged, what came of the conditions."""
    parts = [
        "\n".join(
            f"{side}: {result.name} ({result.bundle.name})"
            for side, result in (("base", comparison.base), ("new ", comparison.new))
        ),
        render(HEAD, [_cells(row) for row in comparison.rows]),
        _how(comparison),
    ]
    gates = [f"{gate.outcome}: {gate.condition}: {gate.what}: {gate.reason}" for gate in comparison.gates]
    if gates:
        parts.append("\n".join(gates))
    if any(gate.outcome == UNSURE for gate in comparison.gates) and not comparison.plan.fail_on_unsure:
        parts.append("what is unsure does not fail without --fail-on-unsure; more rounds or pictures decide it")
    return "\n\n".join(part for part in parts if part)


def _how(comparison: Comparison) -> str:
    tests = sum(row.p is not None for row in comparison.rows)
    if not tests:
        return ""
    rule = f"significant: p at most {ALPHA:g} after Holm's correction for {tests} comparison{'s' * (tests > 1)}, "
    if comparison.kind == "accuracy":
        return rule + "and an interval without 0; p is McNemar's, exact, of pictures that one model alone has right"
    unit = "pairs of rounds that were measured by turns" if comparison.interleaved else "rounds, each a process"
    return rule + f"and an interval without 1; ratio, interval (bootstrap) and p (ranks, exact) are of {unit}"


def _cells(row: ComparedRow) -> Sequence[str]:
    points = row.change_ci95 is not None
    change = MISSING
    if row.change is not None:
        change = (
            f"{row.change:+.2f}" if points else f"x{row.ratio:.3f}" if row.ratio is not None else f"{row.change:+g}"
        )
    interval = span(row.change_ci95) if points else span(row.ratio_ci95, 3)
    return (
        row.what,
        f"{row.measure} {row.unit}",
        _value(row.base),
        _value(row.new),
        change,
        interval,
        "<0.0001" if row.p_holm is not None and row.p_holm < 1e-4 else figure(row.p_holm, 4),
        str(row.n),
        row.verdict if row.error is None else f"failed: {row.error}",
    )


def _value(value: float | None) -> str:
    if value is None:
        return MISSING
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
