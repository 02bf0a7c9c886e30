"""The verdicts that rooms word themselves: what heat did, and what a camera does to the accuracy."""

from __future__ import annotations

from fer_bench.accuracy.verdict import against_reference, endurance
from fer_bench.soak import words as soak
from fer_bench.verdict.facts import INVALID, Facts, Sentence


def heat(facts: Facts) -> list[Sentence]:
    """Of a soak."""
    return [_toned(text, row.name) for row in facts.soak for text in soak.verdict(row)]


def corruptions(facts: Facts) -> list[Sentence]:
    """Of the curves, where some were measured."""
    curved = [row for row in facts.accuracy if row.corruptions]
    found = [Sentence(endurance(row), f"n = {row.n:,} pictures at each step") for row in curved]
    compared = [text for row in curved if (text := against_reference(row)) is not None]
    return found + [Sentence(text) for text in compared]


def _toned(text: str, name: str) -> Sentence:
    if text.startswith(INVALID):
        return Sentence(text, name, "invalid")
    return Sentence(text, name, "warning" if "NOT " in text else "fact")
