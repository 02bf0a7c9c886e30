"""Two results row by row: what changed, by how much, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.compare import accuracy, significance
from fer_bench.compare.comparison import Comparison, Plan
from fer_bench.compare.conditions import Condition, judge, parse
from fer_bench.compare.likeness import interleaved, require
from fer_bench.compare.measures import Measure, Rounds, measures, names_of
from fer_bench.compare.rows import ComparedRow
from fer_bench.compare.words import verdict
from fer_bench.results.kinds import ALL, by_key
from fer_bench.results.merge import pooled
from fer_bench.results.provenance import Difference
from fer_bench.results.reading import Result, parts, read_all
from fer_edge.clock import SystemClock
from fer_edge.errors import UsageError


def run(plan: Plan) -> list[Comparison]:
    """Read both, match their rows, judge every figure: one comparison for each kind of result that is in both.

    Raises InputError for what cannot be read, UsageError for what is unlike, and for a condition on a figure that
    none of the kinds has.
    """
    base, new = _by_kind(plan.base), _by_kind(plan.new)
    kinds = [kind for kind in base if kind in new]
    if not kinds:
        (a, *_), (b, *_) = base.values(), new.values()
        unlike = f"{a.name} is of kind {', '.join(base)} and {b.name} of {', '.join(new)}"
        raise UsageError(f"{unlike}: compare like with like")
    conditions = [parse(text, kinds) for text in plan.fail_on]
    return [
        _of_kind(plan, base[kind], new[kind], [each for each in conditions if each.name in names_of(kind)])
        for kind in kinds
    ]


def _by_kind(name: str) -> dict[str, Result]:
    """A file's result, or a folder's, pooled; of results of `all` their parts."""
    found = read_all(Path(name))
    if any(result.kind != ALL for result in found):
        whole = pooled(found)
        return {whole.kind: whole}
    split = [parts(result) for result in found]
    kinds = [kind for kind in split[0] if all(kind in each for each in split)]
    if not kinds:
        raise UsageError(f"{found[0].name} has no part that was measured: there is nothing to compare")
    return {kind: pooled([each[kind] for each in split]) for kind in kinds}


def _of_kind(plan: Plan, base: Result, new: Result, conditions: Sequence[Condition]) -> Comparison:
    found = require(base, new, across_machines=plan.across_machines)
    paired = interleaved(base, new)
    rows = _rows(base, new, [condition.name for condition in conditions], paired=paired)
    rows = _judged(rows, paired=paired)
    return Comparison(
        plan=plan,
        kind=base.kind,
        time=SystemClock().wall(),
        base=base,
        new=new,
        differences=found,
        interleaved=paired,
        rows=rows,
        gates=[gate for condition in conditions for gate in judge(condition, rows)],
        notes=_notes(base, new, found, paired=paired),
    )


def _rows(base: Result, new: Result, names: Sequence[str], *, paired: bool) -> list[ComparedRow]:
    others = by_key(new.rows)
    matched = [(row, others[key]) for key, row in by_key(base.rows).items() if key in others]
    if not matched:
        raise UsageError(
            f"{base.name} and {new.name} have no row in common: {_names(base.rows)} against {_names(new.rows)}"
        )
    return [
        _compared(a, b, measure, _targets(base), paired=paired)
        for measure in measures(base.kind, names)
        for a, b in matched
        if measure.of(a)
    ]


def _compared(a: Any, b: Any, measure: Measure, targets: Sequence[int], *, paired: bool) -> ComparedRow:  # noqa: ANN401 - rows of any kind
    row = ComparedRow(what=a.name, measure=measure.name, unit=measure.unit)
    for side, each in (("base", a), ("new", b)):
        if each.error:
            reason = f"{side} was not measured: {each.error}"
            # What base could not do either is no fault of new.
            return replace(row, verdict=f"not compared: {reason}", error=reason if side == "new" else None)
    if measure.pictures:
        return _of_pictures(row, a, b, targets)
    if measure.exact is not None:
        return _of_exact(row, measure.exact(a), measure.exact(b))
    base, new = measure.rounds(a), measure.rounds(b)
    if not base or not new:
        return _of_single(row, getattr(a, measure.single, None), getattr(b, measure.single, None))
    return _of_rounds(row, measure, base, new, paired=paired)


def _of_pictures(row: ComparedRow, a: Any, b: Any, targets: Sequence[int]) -> ComparedRow:  # noqa: ANN401 - AccuracyRow
    try:
        found = accuracy.compare(targets, a.predictions, b.predictions)
    except ValueError as reason:
        return replace(row, verdict=f"not compared: {reason}; measure again")
    return replace(
        row,
        n=found.n,
        base=found.base,
        new=found.new,
        change=found.points,
        change_ci95=found.interval,
        p=found.p,
        smallest=found.smallest,
    )


def _of_exact(row: ComparedRow, base: float | None, new: float | None) -> ComparedRow:
    if base is None or new is None:
        return replace(row, verdict="not compared: it was not measured on both sides")
    ratio = new / base if base else None
    return replace(row, n=1, base=base, new=new, change=new - base, ratio=ratio, significant=new != base)


def _of_single(row: ComparedRow, base: float | None, new: float | None) -> ComparedRow:
    """Without the figures of the rounds there is a change, and no telling whether it is one."""
    if base is None or new is None:
        return replace(row, verdict="not compared: it was not measured on both sides")
    ratio = new / base if base else None
    verdict_ = "not judged: one figure for all rounds, so its spread is not known"
    return replace(row, n=1, base=base, new=new, change=new - base, ratio=ratio, verdict=verdict_)


def _of_rounds(row: ComparedRow, measure: Measure, base: Rounds, new: Rounds, *, paired: bool) -> ComparedRow:
    paired = paired and len(base) == len(new)
    found = significance.compare(base, new, measure.percentile, paired=paired)
    a, b = (float(np.percentile(np.concatenate(r), measure.percentile, method="inverted_cdf")) for r in (base, new))
    return replace(
        row,
        n=min(len(base), len(new)),
        base=a,
        new=b,
        base_rounds=len(base),
        new_rounds=len(new),
        change=a * (found.ratio - 1),
        ratio=found.ratio,
        ratio_ci95=found.interval,
        p=found.p,
        smallest=found.smallest,
    )


def _judged(rows: Sequence[ComparedRow], *, paired: bool) -> list[ComparedRow]:
    """The same rows with p corrected for all of them, and the verdict; too few rounds are no verdict at all."""
    tested = [row for row in rows if row.p is not None]
    corrected = dict(zip(map(id, tested), significance.holm([row.p or 0.0 for row in tested]), strict=True))
    return [_judge(row, corrected.get(id(row)), len(tested), paired=paired) for row in rows]


def _judge(row: ComparedRow, p_holm: float | None, tests: int, *, paired: bool) -> ComparedRow:
    if p_holm is None:
        return row if row.verdict else replace(row, verdict=verdict(row))
    row = replace(row, p_holm=p_holm)
    if row.base_rounds and not significance.rounds_suffice(row.base_rounds, row.new_rounds, tests, paired=paired):
        needed = significance.rounds_needed(tests, paired=paired)
        return replace(
            row,
            smallest=None,
            verdict=f"not significant: {needed} rounds each are needed, found {row.base_rounds} and {row.new_rounds}",
        )
    interval, middle = (row.ratio_ci95, 1.0) if row.ratio_ci95 is not None else (row.change_ci95, 0.0)
    outside = interval is not None and not interval[0] <= middle <= interval[1]
    row = replace(row, significant=outside and p_holm <= significance.ALPHA)
    return replace(row, verdict=verdict(row))


def _targets(base: Result) -> list[int]:
    return list(base.extra.get("data", {}).get("targets", [])) if base.kind == "accuracy" else []


def _notes(base: Result, new: Result, found: Sequence[Difference], *, paired: bool) -> list[str]:
    notes = [f"{each}" for each in found]
    if any(each.blocks for each in found) and base.kind != "accuracy":
        notes.insert(0, "ACROSS MACHINES: the times are of unlike machines, so the ratios compare those as well")
    halves = [result for result in (base, new) if not result.complete]
    notes += [f"{result.name} was interrupted: it has less than was asked for" for result in halves]
    for result, other in ((base, new), (new, base)):
        lone = [row for key, row in by_key(result.rows).items() if key not in by_key(other.rows)]
        if lone:
            notes.append(f"only in {result.name}: {_names(lone)}")
    if base.kind != "accuracy" and not paired:
        notes.append(
            "the two were measured one after the other, so a change of the machine in between looks like a change of "
            "what was measured; intervals are widened by its drift, and rounds that take turns would show smaller "
            "differences"
        )
    return notes


def _names(rows: Sequence[Any]) -> str:
    return ", ".join(row.name for row in rows) or "nothing"
