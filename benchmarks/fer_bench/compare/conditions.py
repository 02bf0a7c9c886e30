"""What `--fail-on` asks: `p50:+5%`, `top1:-0.5`, `size:+0`, and whether a comparison meets it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fer_bench.compare.measures import names_of
from fer_bench.compare.rows import ComparedRow, GateResult
from fer_edge.errors import UsageError

PASSED, FAILED, UNSURE = "passed", "failed", "unsure"
FORM = re.compile(r"(?P<name>[a-z0-9]+):(?P<sign>[+-])(?P<amount>[0-9]{1,15}(\.[0-9]{1,9})?)(?P<percent>%?)")


@dataclass(frozen=True)
class Condition:
    """Fails when the figure `name` goes by more than `amount` in the direction of `sign`, and that is significant.

    amount: in the figure's unit, or of the base's value where `relative` (0.05 is 5 %).
    """

    text: str
    name: str
    sign: int
    amount: float
    relative: bool


def parse(text: str, kinds: Sequence[str]) -> Condition:
    """Read a condition for results of these kinds; raises UsageError with what is wrong about it."""
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"--fail-on {text!r} is no condition: a figure, a colon, + or -, and an amount are needed, as in p50:+5%"
        )
    names = list(dict.fromkeys(name for kind in kinds for name in names_of(kind)))
    name = found["name"]
    if names and name not in names:
        listed = ", ".join(kinds)
        raise UsageError(f"--fail-on {text!r}: {listed} results have no figure {name!r}, they have {', '.join(names)}")
    relative = bool(found["percent"])
    if relative and name == "top1":
        raise UsageError(f"--fail-on {text!r}: top1 is counted in percentage points: leave the % out, as in top1:-0.5")
    amount = float(found["amount"])
    return Condition(text, name, 1 if found["sign"] == "+" else -1, amount / 100 if relative else amount, relative)


def judge(condition: Condition, rows: Sequence[ComparedRow]) -> list[GateResult]:
    """What comes of a condition for every row with its figure."""
    return [_one(condition, row) for row in rows if row.measure == condition.name]


def _one(condition: Condition, row: ComparedRow) -> GateResult:
    def result(outcome: str, reason: str) -> GateResult:
        return GateResult(condition=condition.text, what=row.what, outcome=outcome, reason=reason)

    if row.error is not None:
        return result(FAILED, row.error)
    if row.change is None or row.base is None:
        return result(UNSURE, row.verdict)
    found = condition.sign * _amount(condition, row, row.change)
    asked = f"{condition.amount:.3g}" if not condition.relative else f"{100 * condition.amount:g} %"
    told = f"{condition.sign * found * (100 if condition.relative else 1):+.3g}{' %' if condition.relative else ''}"
    if found > condition.amount and row.significant:
        return result(FAILED, f"{told} is more than {asked} and significant")
    if row.significant is None:
        return result(UNSURE, row.verdict)
    worst = condition.sign * _amount(condition, row, _worst(condition, row))
    if worst > condition.amount and not (row.significant and found <= 0):
        return result(UNSURE, f"{told}, and the interval does not rule out more than {asked}")
    sure = " is not" if row.p is None else ", and the interval rules out"
    return result(PASSED, f"{told}{sure} more than {asked}")


def _amount(condition: Condition, row: ComparedRow, change: float) -> float:
    return change / row.base if condition.relative and row.base else change


def _worst(condition: Condition, row: ComparedRow) -> float:
    """The change at that end of the interval which the condition fears, in the figure's unit."""
    end = 1 if condition.sign > 0 else 0
    if row.change_ci95 is not None:
        return row.change_ci95[end]
    if row.ratio_ci95 is not None and row.base is not None:
        return row.base * (row.ratio_ci95[end] - 1)
    return row.change or 0.0
