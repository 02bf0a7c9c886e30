"""One row per thing that is in both results and per figure that was asked about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One figure of one row, before and after.

    what: the row, as sentences speak of it. measure: a name that `--fail-on` knows. base, new: the figure itself, in
    `unit`. n: rounds of the smaller side, or pictures. change: in `unit`, positive is more. ratio: new to base; its
    interval is a bootstrap over rounds. change_ci95: of accuracy, in points. p: exact; p_holm: corrected for all rows
    of the comparison. significant: p_holm and the interval agree that there is a change; None where it could not be
    judged. smallest: the least change, relative or in points, that would have been called significant four times out
    of five, were it the only row.
    """

    what: str
    measure: str
    unit: str
    n: int = 0
    base: float | None = None
    new: float | None = None
    base_rounds: int = 0
    new_rounds: int = 0
    change: float | None = None
    change_ci95: tuple[float, float] | None = None
    ratio: float | None = None
    ratio_ci95: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    smallest: float | None = None
    verdict: str = ""
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What came of a condition for one row. outcome: passed, failed or unsure."""

    condition: str
    what: str
    outcome: str
    reason: str
