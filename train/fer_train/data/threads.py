"""Work on many pictures by a few threads: files are read and decoded outside of Python's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

MAX_THREADS = 16
BLOCK = 64
"""Pictures that one thread takes at a time."""
AHEAD = 4
"""Blocks per thread that may wait for the one who asked: with colour pictures of 224 px, 10 MB each."""

T = TypeVar("T")


def in_blocks(work: Callable[[range], T], count: int, block: int = BLOCK) -> Iterator[T]:
    """What `work` makes of every block of the numbers 0 to count - 1, in order; its errors are raised here."""
    blocks = iter([range(start, min(start + block, count)) for start in range(0, count, block)])
    waiting: deque[Future[T]] = deque()
    for each in blocks:
        waiting.append(_pool().submit(work, each))
        if len(waiting) >= AHEAD * threads():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def threads() -> int:
    """How many work at once: one per processor that this process may use, or MAX_THREADS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_THREADS, usable)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="pictures")
