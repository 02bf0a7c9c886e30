"""The verdict on a result: every rule asked in turn, the sentences in the order in which one reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fer_bench.verdict import choice, frames, precision, quality, rooms, threads, trust
from fer_bench.verdict.facts import Facts, Json, Sentence, facts

MAX_DROP_PP = 1.0
"""Percentage points of top-1 that may be lost unless told otherwise; `fer-convert`'s gate has the same."""

RULES: tuple[Callable[[Facts], list[Sentence]], ...] = (
    trust.invalid,
    trust.interrupted,
    trust.busy,
    choice.sentences,
    precision.sentences,
    threads.sentences,
    quality.sentences,
    rooms.corruptions,
    frames.sentences,
    rooms.heat,
    trust.tails,
    trust.failures,
)


def judge(document: Json, max_drop_pp: float | None = None) -> list[Sentence]:
    """All that a result carries; max_drop_pp as in `limit_of`."""
    found = facts(document, limit_of(document, max_drop_pp))
    return [sentence for rule in RULES for sentence in rule(found)]


def limit_of(document: Json, max_drop_pp: float | None = None) -> float:
    """What was asked for now, else what the result was asked for, else MAX_DROP_PP; percentage points."""
    if max_drop_pp is not None:
        return max_drop_pp
    return float(document.get("options", {}).get("max_drop_pp", MAX_DROP_PP))


def text(sentences: Sequence[Sentence]) -> str:
    """For a terminal, a line each."""
    return "\n".join(f"- {sentence.text}" for sentence in sentences)
