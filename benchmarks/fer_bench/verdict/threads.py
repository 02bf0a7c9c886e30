"""How many threads are enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fer_bench.latency.rows import ScenarioRow
from fer_bench.stats import overlap
from fer_bench.verdict.facts import Facts, Sentence
from fer_bench.verdict.words import artifact, listed, number, reach, threads

WORTH = 0.05
"""A smaller gain of time is not worth another thread, which the rest of the daemon has work for."""

Kind = Literal["gain", "unclear", "slower", "pays"]


@dataclass(frozen=True)
class Sweep:
    """One artifact in one runtime on several numbers of threads, fewest first.

    enough: the fewest that are as good as any. more: the fastest of those with more threads; None where there are none.
    """

    rows: Sequence[ScenarioRow]
    enough: ScenarioRow
    more: ScenarioRow | None

    @property
    def gain(self) -> float:
        """The share of time that more threads save, negative when they cost time."""
        return 0.0 if self.more is None else 1.0 - _p50(self.more) / _p50(self.enough)

    @property
    def kind(self) -> Kind:
        """What more threads do."""
        if self.more is None:
            return "pays"
        if indistinct(self.more, self.enough):
            return "unclear"
        return "gain" if self.gain > 0 else "slower"


def sweeps(rows: Iterable[ScenarioRow]) -> list[Sweep]:
    """By artifact and runtime, in the order of the rows; a single number of threads is a sweep of one."""
    groups: dict[tuple[str, ...], list[ScenarioRow]] = {}
    for row in rows:
        groups.setdefault((row.model, artifact(row), row.runtime), []).append(row)
    return [_sweep(sorted(group, key=lambda row: row.threads)) for group in groups.values()]


def indistinct(a: ScenarioRow, b: ScenarioRow) -> bool:
    """Whether the intervals of two p50 overlap: then neither is called faster."""
    return overlap(a.p50_ci95_ms or (0.0, 0.0), b.p50_ci95_ms or (0.0, 0.0))


def sentences(facts: Facts) -> list[Sentence]:
    """One for all artifacts and runtimes that behave alike."""
    groups: dict[tuple[int, int, Kind], list[Sweep]] = {}
    for sweep in sweeps(facts.timed):
        if len(sweep.rows) > 1:
            more = sweep.more.threads if sweep.more else 0
            groups.setdefault((sweep.enough.threads, more, sweep.kind), []).append(sweep)
    return [_words(group) for group in groups.values()]


def _sweep(rows: Sequence[ScenarioRow]) -> Sweep:
    best = min(rows, key=_p50)
    enough = next(row for row in rows if _p50(row) * (1.0 - WORTH) <= _p50(best) or indistinct(row, best))
    beyond = [row for row in rows if row.threads > enough.threads]
    return Sweep(rows, enough, min(beyond, key=_p50) if beyond else None)


def _words(alike: Sequence[Sweep]) -> Sentence:
    first = alike[0]
    names = listed([f"{artifact(sweep.enough)} with {sweep.enough.runtime}" for sweep in alike])
    if first.more is None:
        verb = "gains" if len(alike) == 1 else "gain"
        return Sentence(f"{names} {verb} from every thread up to {first.enough.threads}", _times(alike))
    verb = "is" if first.enough.threads == 1 else "are"
    return Sentence(f"{threads(first.enough.threads)} {verb} enough for {names}: {_more(alike)}", _times(alike))


def _more(alike: Sequence[Sweep]) -> str:
    first = alike[0]
    many = first.more.threads if first.more else 0
    gains = sorted(100.0 * sweep.gain for sweep in alike)
    if first.kind == "gain":
        return f"{many} gain {reach(gains[0], gains[-1])} %"
    if first.kind == "unclear":
        return f"{many} are not significantly faster"
    ratios = sorted(1.0 - sweep.gain for sweep in alike)
    return f"{many} take {reach(ratios[0], ratios[-1], 2)} times as long"


def _times(alike: Sequence[Sweep]) -> str:
    """The p50 of every number of threads, per artifact."""
    shown = [
        f"{', '.join(number(_p50(row)) for row in sweep.rows)} ms on {listed([str(row.threads) for row in sweep.rows])}"
        for sweep in alike
    ]
    return f"p50 {'; '.join(shown)}"


def _p50(row: ScenarioRow) -> float:
    return row.p50_ms or float("inf")
