"""Marks in a program on the emulated board: each says which stage begins, and count.c notes how far it had come."""

from __future__ import annotations

import os

PLACE = 7_000_000_000_000
"""A seek to this offset and a stage's number is a mark; count.c knows it too. Nothing else goes so far."""
OUTSIDE, EMPTY, NET, DETECTOR, CLASSIFIER, REST = range(6)
"""Not counted; nothing at all, to learn what a mark costs; an inference; and what else a frame goes through."""
EMPTIES = 9

_null = os.open(os.devnull, os.O_RDONLY)


def mark(stage: int) -> None:
    """Begin a stage, which ends at the next mark."""
    os.lseek(_null, PLACE + stage, os.SEEK_SET)


def mark_nothing() -> None:
    """Begin the empty stage some times, and leave it."""
    for _ in range(EMPTIES):
        mark(EMPTY)
    mark(OUTSIDE)
