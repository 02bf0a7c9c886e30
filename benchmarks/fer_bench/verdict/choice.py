"""Which artifact to use on this board, in which runtime and on how many threads, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_bench.latency.rows import ScenarioRow
from fer_bench.results.rows import AccuracyRow
from fer_bench.verdict.facts import Facts, Sentence
from fer_bench.verdict.threads import indistinct, sweeps
from fer_bench.verdict.words import REFERENCE, artifact, listed, measured, ms, points


@dataclass(frozen=True)
class Drop:
    """Percentage points of top-1 lost against float32, which itself loses none; interval: 95 %, None of float32.

    runtime: in which it was measured.
    """

    points: float
    interval: tuple[float, float] | None
    n: int
    runtime: str


@dataclass(frozen=True)
class Choice:
    """chosen: what to use. fastest: what has the smallest p50 of those allowed. faster: what lost too much."""

    chosen: ScenarioRow
    fastest: ScenarioRow
    allowed: Sequence[ScenarioRow]
    faster: Sequence[ScenarioRow]


FILE, MEMORY = "the smaller file", "less memory"
_TIES: tuple[tuple[str, Callable[[ScenarioRow], float]], ...] = (
    ("fewer threads", lambda row: row.threads),
    (FILE, lambda row: row.size_bytes),
    (MEMORY, lambda row: row.peak_rss_bytes or 0),
    ("", lambda row: row.p50_ms or 0.0),
)
"""What decides between variants whose p50 cannot be told apart, first things first."""


def choose(facts: Facts) -> Choice | None:
    """None where there is nothing to choose between, or nothing that is known to be good enough.

    Models are not alike, so nothing is chosen among several.
    """
    if not _comparable(facts):
        return None
    candidates = [sweep.enough for sweep in sweeps(facts.timed)]
    allowed = [row for row in candidates if not facts.accuracy or _within(row, facts)]
    if not allowed:
        return None
    fastest = min(allowed, key=lambda row: row.p50_ms or 0.0)
    ties = [row for row in allowed if indistinct(row, fastest)]
    chosen = min(ties, key=lambda row: [key(row) for _, key in _TIES])
    faster = [row for row in candidates if row not in allowed and (row.p50_ms or 0.0) < (chosen.p50_ms or 0.0)]
    return Choice(chosen, fastest, allowed, faster)


def sentences(facts: Facts) -> list[Sentence]:
    """What to use; what would be faster and loses too much; or that nothing is good enough."""
    choice = choose(facts)
    if choice is not None:
        return [_use(choice, facts), *_lost(choice, facts)]
    if not _comparable(facts) or not facts.accuracy:
        return []
    known = [drop.points for row in facts.timed if (drop := drop_of(row, facts.accuracy)) is not None]
    why = f"the smallest drop is {points(min(known))}" if known else "no drop of theirs was measured"
    limit = points(facts.max_drop_pp)
    said = f"no artifact that was timed is known to lose at most {limit} against {REFERENCE}"
    return [Sentence(said, why, "warning")]


def drop_of(row: ScenarioRow, accuracy: Sequence[AccuracyRow]) -> Drop | None:
    """Of the same artifact, in the same runtime if it was judged there, else the worst of the others."""
    found = [other for other in accuracy if (other.format, other.precision) == (row.format, row.precision) and other.n]
    same = [other for other in found if other.runtime == row.runtime] or found
    drops = [drop for other in same if (drop := _drop(other)) is not None]
    return max(drops, key=lambda drop: drop.points, default=None)


def _comparable(facts: Facts) -> bool:
    return len(facts.timed) > 1 and len({row.model for row in facts.timed}) == 1


def _drop(row: AccuracyRow) -> Drop | None:
    if row.drop_pp is not None:
        return Drop(row.drop_pp, row.drop_pp_ci95, row.n, row.runtime)
    return Drop(0.0, None, row.n, row.runtime) if row.precision == REFERENCE else None


def _within(row: ScenarioRow, facts: Facts) -> bool:
    drop = drop_of(row, facts.accuracy)
    return drop is not None and drop.points <= facts.max_drop_pp


def _use(choice: Choice, facts: Facts) -> Sentence:
    figures = [measured(choice.chosen), _rank(choice, facts), _tie(choice), _loses(choice.chosen, facts)]
    return Sentence(f"use {choice.chosen.name}", "; ".join(part for part in figures if part), "advice")


def _rank(choice: Choice, facts: Facts) -> str:
    n = len(choice.allowed)
    limit = f" that {'loses' if n == 1 else 'lose'} at most {points(facts.max_drop_pp)}" if facts.accuracy else ""
    if n == 1:
        return f"the only artifact and runtime{limit}"
    rank = "the fastest" if choice.chosen is choice.fastest else "as fast as any"
    return f"{rank} of {n} pairs of artifact and runtime{limit}"


def _tie(choice: Choice) -> str:
    """Who else would do, and what decided against them."""
    chosen = choice.chosen
    others = [row for row in choice.allowed if row is not chosen and indistinct(row, choice.fastest)]
    if not others:
        return ""
    reasons = [next(why for why, key in _TIES if key(row) != key(chosen) or not why) for row in others]
    told = list(dict.fromkeys(why for why in reasons if why))
    decides = f": {listed(told)} {'decides' if told in ([FILE], [MEMORY]) else 'decide'}" if told else ""
    names = listed([f"{row.name} with {ms(row.p50_ms)}" for row in others])
    verb = "is" if len(others) == 1 else "are"
    return f"{names} {verb} not significantly different{decides}"


def _loses(row: ScenarioRow, facts: Facts) -> str:
    drop = drop_of(row, facts.accuracy)
    if drop is None:
        return "speed alone decides, for no accuracy was measured"
    if drop.interval is None:
        return f"{REFERENCE} is what drops are measured against"
    low, high = drop.interval
    verb = "loses" if drop.points >= 0 else "gains"
    where = "" if drop.runtime == row.runtime else f" with {drop.runtime}"
    return f"it {verb} {points(drop.points)}{where}, drop {low:.2f} to {high:.2f}, n = {drop.n:,}"


def _lost(choice: Choice, facts: Facts) -> list[Sentence]:
    found = []
    for row in choice.faster:
        drop = drop_of(row, facts.accuracy)
        lost = f"loses {points(drop.points)}, more than {points(facts.max_drop_pp)}" if drop else "has no known drop"
        found.append(Sentence(f"{artifact(row)} with {row.runtime} is faster but {lost}", measured(row)))
    return found
