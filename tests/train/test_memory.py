"""Freed memory stays with the process, unless its owner has set the allocator up."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from fer_train.memory import keep_freed

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library is not glibc")

FAULTS = """
import resource
import numpy as np
from fer_train.memory import keep_freed
{call}
for _ in range(3):
    np.ones(5_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(5_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""40 MB taken and freed twenty times; tells how many pages were asked of the system."""


def page_faults(call: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS.format(call=call)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_second_tensor_of_the_same_size_asks_the_system_for_nothing() -> None:
    assert page_faults("keep_freed()") < page_faults("") / 20


@pytest.mark.parametrize("variable", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_an_allocator_that_somebody_chose_is_left_alone(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "")
    assert not keep_freed()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not keep_freed()
