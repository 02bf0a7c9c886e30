"""What the allocator is asked for, and how often."""

from __future__ import annotations

import platform
from types import SimpleNamespace

import pytest

from fer_edge.system.memory import ARENAS, M_ARENA_MAX, TRIM_EVERY_S, Trimming, limit_arenas, trimmer
from support.clocks import StillClock

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


@glibc
def test_glibc_takes_the_limit_and_trims() -> None:
    assert limit_arenas()
    trim = trimmer()
    assert trim is not None
    assert trim() in {0, 1}


def test_few_arenas_are_asked_for() -> None:
    asked: list[tuple[int, int]] = []

    def mallopt(what: int, value: int) -> int:
        asked.append((what, value))
        return 1

    assert limit_arenas(SimpleNamespace(mallopt=mallopt))
    assert asked == [(M_ARENA_MAX, ARENAS)]


def test_a_library_without_arenas_is_left_alone() -> None:
    assert not limit_arenas(SimpleNamespace())
    assert trimmer(SimpleNamespace()) is None
    assert not limit_arenas(SimpleNamespace(mallopt=lambda *_: 0))


def test_it_trims_once_a_minute() -> None:
    clock, trimmed = StillClock(), list[int]()
    trimming = Trimming(clock, lambda: trimmed.append(1))
    for _ in range(3 * int(TRIM_EVERY_S)):
        clock.sleep(1.0)
        trimming.tick()
    assert len(trimmed) == 3
