"""What takes belief away from figures: a board that was held back, tails, interruptions, variants without figures."""

from __future__ import annotations

from fer_bench.latency.rows import ScenarioRow
from fer_bench.machine.stability import MAX_TAIL_RATIO
from fer_bench.verdict.facts import BUSY, INVALID, Facts, Sentence
from fer_bench.verdict.words import listed, ms, reach

MIN_FOR_P99 = 200
"""Samples below which the highest hundredth is one or two."""


def invalid(facts: Facts) -> list[Sentence]:
    """Parts and variants that say so of themselves; no advice is drawn from their times."""
    found = [
        Sentence(note, f"{part}: no advice is drawn from its times", "invalid")
        for part, notes in facts.notes.items()
        for note in notes
        if note.startswith(INVALID)
    ]
    held = [row for row in facts.latency if any(row.held_back)]
    if held and not facts.spoilt("latency"):
        why = listed(list(dict.fromkeys(reason for row in held for reason in row.held_back if reason)))
        said = f"{INVALID}: the board was held back while {len(held)} of {len(facts.latency)} variants ran ({why})"
        found.append(Sentence(said, f"not chosen from: {listed([row.name for row in held])}", "invalid"))
    return found


def interrupted(facts: Facts) -> list[Sentence]:
    """Parts that did not come to their end."""
    if not facts.incomplete:
        return []
    said = f"{listed(list(facts.incomplete))}: interrupted, so what follows is of what was measured"
    return [Sentence(said, tone="warning")]


def busy(facts: Facts) -> list[Sentence]:
    """Others at work: intervals are wide then, and what is left of a difference may be theirs."""
    parts = [part for part in facts.notes if facts.busy(part)]
    told = [note for part in parts for note in facts.notes[part] if note.startswith(BUSY)]
    return [Sentence(f"{listed(parts)}: {told[0]}", tone="warning")] if told else []


def tails(facts: Facts) -> list[Sentence]:
    """Slow samples that the model does not explain."""
    enough = [row for row in facts.timed if row.n >= MIN_FOR_P99 and row.p99_ms]
    long = [row for row in enough if _tail(row) > MAX_TAIL_RATIO]
    if not long:
        return []
    worst = max(long, key=_tail)
    figures = f"{ms(worst.p99_ms)} against {ms(worst.p50_ms)}, {worst.name}, n = {worst.n:,}"
    low, high = _tail(min(long, key=_tail)), _tail(worst)
    where = "" if len(enough) == 1 else f" in {len(long)} of {len(enough)} variants"
    said = f"the p99 is {reach(low, high, 1)} times the p50{where}: something else runs here"
    return [Sentence(said, figures, "warning")]


def failures(facts: Facts) -> list[Sentence]:
    """What gave no figures; the reasons stand with the table."""
    found = []
    for part, rows in (("latency", facts.latency), ("accuracy", facts.accuracy), ("pipeline", facts.pipeline)):
        failed = [row.name for row in rows if row.error and not row.n]
        if failed:
            said = f"{part}: {len(failed)} of {len(rows)} gave no figures"
            found.append(Sentence(said, listed(failed), "warning"))
    return found


def _tail(row: ScenarioRow) -> float:
    return (row.p99_ms or 0.0) / (row.p50_ms or 1.0)
