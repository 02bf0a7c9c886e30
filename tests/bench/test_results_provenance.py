"""What a result says of where it was measured, on boards laid out in a folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.made_results import BOARD, QUIET
from fer_bench.machine.environment import conditions, describe
from fer_bench.machine.stability import held_back, of_machine, stolen_share
from support.boards import lay

CPU = "sys/devices/system/cpu"


def test_an_arm_board_is_told_by_its_core(tmp_path: Path) -> None:
    lay(tmp_path, {"proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd0b\nModel\t\t: Raspberry Pi 5\n"})
    assert describe(tmp_path).cpu == "Cortex-A76"


def test_what_a_container_leaves_of_the_cpus_is_told(tmp_path: Path) -> None:
    lay(tmp_path, {"sys/fs/cgroup/cpu.max": "150000 100000\n"})
    assert describe(tmp_path).cpus_usable == 1.5
    lay(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000\n"})
    assert describe(tmp_path).cpus_usable is None


def test_affinity_is_what_this_process_has() -> None:
    found = describe().cpus_usable
    assert found is not None
    assert 0 < found <= len(os.sched_getaffinity(0))


def test_the_clocks_that_are_allowed_are_told(tmp_path: Path) -> None:
    limits = {f"{CPU}/cpu{k}/cpufreq/scaling_max_freq": f"{khz}\n" for k, khz in enumerate((1_800_000, 2_400_000) * 2)}
    lay(tmp_path, limits)
    assert describe(tmp_path).clock_limits_mhz == (1800.0, 2400.0)


@pytest.mark.parametrize(
    ("path", "text", "boost"),
    [
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
        ("intel_pstate/no_turbo", "0", True),
        ("intel_pstate/no_turbo", "1", False),
        ("none", "1", None),
    ],
)
def test_boost_is_told(tmp_path: Path, path: str, text: str, *, boost: bool | None) -> None:
    lay(tmp_path, {f"{CPU}/{path}": f"{text}\n"})
    assert describe(tmp_path).boost is boost


def test_a_guest_of_a_hypervisor_is_told(tmp_path: Path) -> None:
    lay(tmp_path, {"proc/cpuinfo": "processor\t: 0\nflags\t: sse4_1 hypervisor avx2\n"})
    assert describe(tmp_path).virtual is True
    lay(tmp_path, {"proc/cpuinfo": "processor\t: 0\nflags\t: sse4_1 avx2\n"})
    assert describe(tmp_path).virtual is False


def test_variables_that_libraries_heed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HOME_OF_SECRETS", "x")
    found = describe().switches
    assert found["OMP_NUM_THREADS"] == "1"
    assert "HOME_OF_SECRETS" not in found


def test_a_jetson_that_is_held_back_is_known(tmp_path: Path) -> None:
    device = "sys/class/thermal/cooling_device0"
    lay(tmp_path, {f"{device}/type": "cpu-throttle-alert\n", f"{device}/cur_state": "0\n"})
    before = conditions(tmp_path)
    assert (before.slowed, before.held_back) == ((), False)
    lay(tmp_path, {f"{device}/cur_state": "1\n"})
    after = conditions(tmp_path)
    assert after.held_back
    assert held_back(before, after) == "cpu throttled"


def test_a_pc_that_slowed_down_for_heat_meanwhile_is_invalid(tmp_path: Path) -> None:
    counter = f"{CPU}/cpu0/thermal_throttle/core_throttle_count"
    lay(tmp_path, {counter: "4\n"})
    before = conditions(tmp_path)
    assert held_back(before, before) is None
    lay(tmp_path, {counter: "9\n"})
    (note,) = [note for note in of_machine(BOARD, before, conditions(tmp_path), 1) if note.startswith("INVALID")]
    assert "slowed down for heat 5 times" in note


def test_time_that_a_hypervisor_took_is_told_of(tmp_path: Path) -> None:
    lay(tmp_path, {"proc/stat": "cpu  100 0 100 800 0 0 0 0 50 0\ncpu0 1\n"})
    before = conditions(tmp_path)
    assert (before.stolen_ticks, before.all_ticks) == (0, 1000)  # 50 of a guest of ours are in the first figure
    lay(tmp_path, {"proc/stat": "cpu  100 0 100 1700 0 0 0 100 50 0\n"})
    after = conditions(tmp_path)
    assert stolen_share(before, after) == pytest.approx(0.1)
    assert any("gave 10 % of this machine's CPU time to others" in note for note in of_machine(BOARD, before, after, 1))


@pytest.mark.parametrize("text", ["", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n"])
def test_a_kernel_that_does_not_tell_is_not_guessed_at(tmp_path: Path, text: str) -> None:
    lay(tmp_path, {"proc/stat": text})
    now = conditions(tmp_path)
    assert (now.stolen_ticks, now.all_ticks) == (None, None)
    assert stolen_share(now, now) is None


def test_more_threads_than_the_process_may_use_are_told_of() -> None:
    notes = of_machine(replace(BOARD, cpus_usable=1.5), QUIET, QUIET, 2)
    assert notes == ["2 threads were asked of a process that may use 1.5 CPUs"]
