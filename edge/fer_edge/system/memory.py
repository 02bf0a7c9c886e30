"""Gives memory that is free again back to the kernel, so that what a process of months holds is what it uses.

glibc gives every thread that allocates an arena of its own, up to eight per CPU, and keeps what is freed in them: few
arenas, and what is free given back. What a lost camera leaves is the other half; see `daemon.capturing`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from fer_edge.clock import Clock

M_ARENA_MAX = -8
"""glibc's name for the setting, of malloc.h."""
ARENAS = 2
TRIM_EVERY_S = 60.0


def limit_arenas(library: Any = None) -> bool:  # noqa: ANN401 - ctypes is not typed
    """Whether the C library was told to keep few arenas; False where it knows none, as musl does."""
    try:
        return bool((library or ctypes.CDLL(None)).mallopt(M_ARENA_MAX, ARENAS))
    except (OSError, AttributeError):
        return False


def trimmer(library: Any = None) -> Callable[[], object] | None:  # noqa: ANN401 - ctypes is not typed
    """What gives free memory back; None where the C library cannot."""
    try:
        trim = (library or ctypes.CDLL(None)).malloc_trim
    except (OSError, AttributeError):
        return None
    return lambda: trim(0)


class Trimming:
    """Gives free memory back once a minute; 10 to 30 ms were seen, on a heap of hundreds of megabytes."""

    def __init__(self, clock: Clock, trim: Callable[[], object] | None = None) -> None:
        """trim: the C library's own by default."""
        self._clock, self._trim = clock, trim or trimmer()
        self._due_s = clock.monotonic_s() + TRIM_EVERY_S

    def tick(self) -> None:
        """Trim, if it is time."""
        if self._trim is None or self._clock.monotonic_s() < self._due_s:
            return
        self._due_s = self._clock.monotonic_s() + TRIM_EVERY_S
        self._trim()
