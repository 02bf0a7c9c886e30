"""What is read of a board, on boards laid out in a folder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import fer_edge
from fer_bench.machine.environment import conditions, describe, git_revision
from fer_bench.machine.stability import of_machine, of_plan, of_rounds

PI_CPUINFO = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp

processor\t: 1
Features\t: fp asimd asimdhp asimddp

Revision\t: c04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


def put(root: Path, path: str, text: str) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A Raspberry Pi 5 as its files show it."""
    put(tmp_path, "proc/cpuinfo", PI_CPUINFO)
    put(tmp_path, "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    put(tmp_path, "proc/meminfo", "MemTotal:        8245216 kB\nMemFree: 1 kB\n")
    put(tmp_path, "proc/sys/kernel/osrelease", "6.12.34+rpt-rpi-2712\n")
    put(tmp_path, "proc/loadavg", "0.10 0.20 0.30 1/200 999\n")
    for cpu in range(2):
        put(tmp_path, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", "ondemand\n")
        put(tmp_path, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", "2400000\n")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "61250\n")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "48000\n")
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    return tmp_path


def test_a_board_is_described_by_its_files(board: Path) -> None:
    found = describe(board)
    assert found.board == found.cpu == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.cpu_count == 2
    assert found.cpu_features == ("asimd", "asimdhp", "asimddp")
    assert found.kernel == "6.12.34+rpt-rpi-2712"
    assert found.governors == ("ondemand",)
    assert found.memory_bytes == 8245216 * 1024


def test_versions_of_everything_that_computes_are_told(board: Path) -> None:
    found = describe(board)
    assert found.fer_edge == fer_edge.__version__
    assert {"numpy", "ai-edge-litert", "pydantic"} <= found.packages.keys()
    assert any(name.startswith("opencv") for name in found.packages)


def test_what_a_machine_does_not_have_is_none(tmp_path: Path) -> None:
    found, now = describe(tmp_path), conditions(tmp_path)
    assert (found.board, found.cpu, found.kernel, found.governors, found.memory_bytes) == (None,) * 5
    assert (now.temperature_c, now.throttled_bits, now.throttled, now.undervoltage) == (None,) * 4
    assert (now.clocks_mhz, now.load_1min) == (None, None)


def test_the_hottest_zone_and_the_clocks_are_told(board: Path) -> None:
    now = conditions(board)
    assert (now.temperature_c, now.clocks_mhz, now.load_1min) == (61.25, (2400.0, 2400.0), 0.1)


def test_throttle_bits_come_out_in_words(board: Path) -> None:
    put(board, "sys/devices/platform/soc/soc:firmware/get_throttled", "50004\n")
    now = conditions(board)
    assert now.throttled == ("throttled", "under-voltage since boot", "throttled since boot")
    assert now.held_back


def test_bits_kept_since_boot_do_not_hold_the_board_back_now(board: Path) -> None:
    put(board, "sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")
    assert not conditions(board).held_back


def test_the_supply_alarm_holds_the_board_back(board: Path) -> None:
    put(board, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert conditions(board).undervoltage is True
    assert conditions(board).held_back


@pytest.mark.parametrize("text", ["nonsense\n", ""])
def test_an_unreadable_value_is_none(board: Path, text: str) -> None:
    put(board, "sys/class/thermal/thermal_zone0/temp", text)
    put(board, "sys/class/thermal/thermal_zone1/temp", text)
    put(board, "sys/devices/platform/soc/soc:firmware/get_throttled", text)
    now = conditions(board)
    assert (now.temperature_c, now.throttled_bits) == (None, None)


def test_a_run_on_a_throttled_board_is_called_invalid(board: Path) -> None:
    before = conditions(board)
    put(board, "sys/devices/platform/soc/soc:firmware/get_throttled", "40000\n")
    notes = of_machine(describe(board), before, conditions(board), 1)
    assert any(note.startswith("INVALID") and "throttled since boot" in note for note in notes)


def test_a_throttling_that_is_over_since_before_the_run_does_not_spoil_it(board: Path) -> None:
    put(board, "sys/devices/platform/soc/soc:firmware/get_throttled", "40000\n")
    now = conditions(board)
    assert not any(note.startswith("INVALID") for note in of_machine(describe(board), now, now, 1))


def test_a_busy_machine_is_told_of(board: Path) -> None:
    put(board, "proc/loadavg", "3.50 1 1 1/1 1\n")
    now = conditions(board)
    assert any("busy" in note and "3.5" in note for note in of_machine(describe(board), now, now, 1))


def test_more_threads_than_cpus_are_told_of(board: Path) -> None:
    now = conditions(board)
    assert "4 threads were asked of 2 CPUs" in of_machine(describe(board), now, now, 4)


def test_a_quiet_board_at_full_clock_gets_no_note(board: Path) -> None:
    for cpu in range(2):
        put(board, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", "performance\n")
    now = conditions(board)
    assert of_machine(describe(board), now, now, 1) == []


def test_rounds_that_differ_are_called_unstable() -> None:
    (note,) = of_rounds("x", [[100] * 50, [130] * 50])
    assert "differ by 30 %" in note


def test_a_long_tail_is_called_unstable() -> None:
    (note,) = of_rounds("x", [[100] * 95 + [500] * 5, [100] * 100])
    assert "p99 is 5.0 times its p50" in note


def test_steady_rounds_get_no_note() -> None:
    assert of_rounds("x", [[100, 101, 102] * 20, [101] * 60]) == []


def test_a_single_round_is_told_of() -> None:
    assert of_plan(2) == []
    assert "spread between processes" in of_plan(1)[0]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git repository with the package where this project keeps it."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    package = tmp_path / "edge" / "fer_edge"
    package.mkdir(parents=True)
    put(package, "__init__.py", "")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *command], check=True)
    return tmp_path


def test_a_checkout_tells_its_revision(checkout: Path) -> None:
    revision = git_revision(checkout / "edge" / "fer_edge")
    assert revision is not None
    assert len(revision) == 40


def test_changed_files_are_marked(checkout: Path) -> None:
    put(checkout, "edge/fer_edge/__init__.py", "# changed\n")
    assert str(git_revision(checkout / "edge" / "fer_edge")).endswith("+changes")


def test_a_copy_installed_in_another_checkout_tells_no_revision(checkout: Path) -> None:
    put(checkout, ".venv/lib/fer_edge/__init__.py", "")
    assert git_revision(checkout / ".venv" / "lib" / "fer_edge") is None


def test_outside_of_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None
