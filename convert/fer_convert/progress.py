"""Slow steps tell how far they are: one line every few seconds, and none from a quick one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from fer_edge.clock import perf_s
from fer_train.progress import Say

__all__ = ["Counted", "Say", "silent"]

EVERY_S = 5.0
Item = TypeVar("Item")


def silent(line: str) -> None:
    """Say nothing."""


class Counted(Generic[Item]):
    """A sequence that, whenever it is gone through, says how much of it is done and how long the rest will take.

    what: was done to the things that are counted, as in "pictures judged". weights: how many of them each item stands
    for.
    """

    def __init__(self, items: Sequence[Item], say: Say, what: str, weights: Sequence[int] | None = None) -> None:
        """Go through `items` as often as asked."""
        self._items, self._say, self._what = items, say, what
        self._weights = weights or [1] * len(items)

    def __len__(self) -> int:
        """How many items."""
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        """From the first."""
        began = said = perf_s()
        done, total = 0, sum(self._weights)
        for item, weight in zip(self._items, self._weights, strict=True):
            yield item
            done, now = done + weight, perf_s()
            if now - said >= EVERY_S and done < total:
                self._say(f"  {done} of {total} {self._what}, {(now - began) / done * (total - done):.0f} s left")
                said = now
