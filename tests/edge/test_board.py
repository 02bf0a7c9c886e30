"""What a board tells of itself, laid out as files; what it does not tell is None and never an error."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from fer_edge.system import board as module
from fer_edge.system.board import Board, Readings, Throttling
from support.boards import THROTTLED, jetson, lay, program, raspberry_pi, vcgencmd


def test_a_raspberry_pi_is_known_by_its_device_tree(tmp_path: Path) -> None:
    facts = Board(raspberry_pi(tmp_path)).facts()
    assert (facts.model, facts.kind, facts.cpu) == ("Raspberry Pi 4 Model B Rev 1.5", "raspberry-pi", "Cortex-A72")
    assert (facts.cores, facts.features) == (2, ("asimd",))
    assert (facts.os, facts.kernel) == ("Debian GNU/Linux 12 (bookworm)", "6.6.31+rpt-rpi-v8")
    assert facts.container is None
    assert facts.bits == (64 if sys.maxsize > 2**32 else 32)


def test_a_jetson_is_known_by_its_device_tree(tmp_path: Path) -> None:
    facts = Board(jetson(tmp_path)).facts()
    assert (facts.kind, facts.model) == ("jetson", "NVIDIA Jetson Orin Nano Developer Kit")


def test_a_pc_is_known_by_its_firmware_and_processor(tmp_path: Path) -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: Intel(R) N100\nflags\t\t: fpu sse4_1 avx avx2 fma ht\n"
    lay(tmp_path, {"sys/class/dmi/id/product_name": "NUC\n", "proc/cpuinfo": cpuinfo})
    facts = Board(tmp_path).facts()
    assert (facts.model, facts.kind, facts.cpu) == ("NUC", "other", "Intel(R) N100")
    assert facts.features == ("sse4_1", "avx", "avx2", "fma")


@pytest.mark.parametrize(
    ("mark", "text", "name"),
    [(".dockerenv", "", "docker"), ("run/.containerenv", "", "podman"), ("run/systemd/container", "lxc\n", "lxc")],
)
def test_a_container_is_told_by_its_mark(tmp_path: Path, mark: str, text: str, name: str) -> None:
    assert Board(lay(tmp_path, {mark: text})).facts().container == name


def test_readings_are_in_degrees_megahertz_and_bytes(tmp_path: Path) -> None:
    readings = Board(raspberry_pi(tmp_path, temperature_c=61.3)).readings()
    assert readings.temperature_c == 61.3
    assert (readings.governor, readings.clocks_mhz, readings.max_mhz) == ("ondemand", (600.0, 1800.0), 1800.0)
    assert (readings.memory_bytes, readings.memory_available_bytes) == (3884396 * 1024, 2897548 * 1024)
    assert (readings.swap_bytes, readings.swap_free_bytes) == (102396 * 1024, 102000 * 1024)
    assert (readings.rss_bytes, readings.load_1min) == (120000 * 1024, 0.52)


def test_an_empty_root_gives_none_everywhere_and_no_error(tmp_path: Path) -> None:
    board = Board(tmp_path, statvfs=lambda _: os.statvfs("/nonexistent"))
    assert board.readings() == Readings()
    facts = board.facts()
    assert (facts.model, facts.kind, facts.cpu, facts.cores, facts.os) == (None, "other", None, None, None)


@pytest.mark.parametrize("text", ["", "\n", "hot", "\xff\xfe", "nan", "inf", "99999999"])
def test_rubbish_in_a_thermal_zone_is_no_temperature(tmp_path: Path, text: str) -> None:
    raspberry_pi(tmp_path)
    lay(tmp_path, {"sys/class/thermal/thermal_zone0/temp": text})
    assert Board(tmp_path).readings().temperature_c is None


def test_a_folder_where_a_file_should_be_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "proc/meminfo").mkdir(parents=True)
    (tmp_path / THROTTLED).mkdir(parents=True)
    assert Board(tmp_path).readings().memory_bytes is None


def test_the_cpus_zone_is_chosen_and_not_the_hottest(tmp_path: Path) -> None:
    readings = Board(jetson(tmp_path)).readings()
    assert readings.temperature_c == 51.5
    assert [(zone.name, zone.temperature_c) for zone in readings.zones] == [("cpu-thermal", 51.5), ("tj-thermal", 53.0)]


def test_without_a_cpu_zone_the_hottest_counts(tmp_path: Path) -> None:
    for number, milli in enumerate((41000, 45000)):
        zone = f"sys/class/thermal/thermal_zone{number}"
        lay(tmp_path, {f"{zone}/type": "acpitz", f"{zone}/temp": str(milli)})
    assert Board(tmp_path).readings().temperature_c == 45.0


def test_a_throttled_jetson_names_the_part_and_counts_over_current(tmp_path: Path) -> None:
    jetson(tmp_path, alerts={"cpu-throttle-alert": 1, "gpu-throttle-alert": 0, "hot-surface-alert": 1}, over_current=7)
    assert Board(tmp_path).throttling() == Throttling(("cpu throttled",), ("instantaneous over-current",))


def test_a_cool_jetson_is_not_throttled(tmp_path: Path) -> None:
    assert Board(jetson(tmp_path)).throttling() == Throttling((), ())


@pytest.mark.parametrize(("alarm", "now"), [("1\n", ("under-voltage",)), ("0\n", ())])
def test_the_supplys_alarm_is_read_where_the_firmware_is_silent(
    tmp_path: Path, alarm: str, now: tuple[str, ...]
) -> None:
    lay(tmp_path, {"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": alarm})
    assert Board(tmp_path).throttling() == Throttling(now, ())


def test_a_supply_without_an_alarm_tells_nothing(tmp_path: Path) -> None:
    assert Board(lay(tmp_path, {"sys/class/hwmon/hwmon1/name": "rpi_volt\n"})).throttling() is None


def test_sysfs_is_asked_before_a_program_is_started(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, bits=0x1)
    mark = tmp_path / "started"
    program(tmp_path, "usr/bin/vcgencmd", f"touch {mark}; echo throttled=0x4")
    assert Board(tmp_path).throttling() == Throttling(("under-voltage",), (), 0x1)
    assert not mark.exists()


@pytest.mark.parametrize(
    "script", ["exit 1", "echo VCHI initialization failed; exit 255", "echo throttled=", "echo error=1", "kill -9 $$"]
)
def test_a_failing_vcgencmd_tells_nothing(tmp_path: Path, script: str) -> None:
    program(tmp_path, "usr/bin/vcgencmd", script)
    assert Board(tmp_path).throttling() is None


def test_a_vcgencmd_that_hangs_is_ended_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "ASK_TIMEOUT_S", 0.2)
    starts = tmp_path / "starts"
    program(tmp_path, "usr/bin/vcgencmd", f"echo >> {starts}; exec sleep 60")
    board = Board(tmp_path)
    assert [board.throttling() for _ in range(3)] == [None] * 3
    assert starts.read_text() == "\n"
    assert caplog.messages == ["vcgencmd gave no answer within 0.2 s and is not asked again"]


def test_a_vcgencmd_that_cannot_be_started_tells_nothing(tmp_path: Path) -> None:
    vcgencmd(tmp_path, 0).write_bytes(b"\x7fELF of another CPU")
    assert Board(tmp_path).throttling() is None


def test_the_disk_of_a_path_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    disk = Board(tmp_path).disk(Path("/var/lib/fer-edge"))
    assert disk is not None
    there = os.statvfs(tmp_path)
    assert disk.total_bytes == there.f_blocks * there.f_frsize
    assert not disk.read_only


def test_a_disk_that_turned_read_only_is_told(tmp_path: Path) -> None:
    fields = list(os.statvfs(tmp_path))
    fields[8] |= os.ST_RDONLY
    disk = Board(tmp_path, statvfs=lambda _: os.statvfs_result(fields)).disk(Path("/"))
    assert disk is not None
    assert disk.read_only


def test_a_synchronised_clock_is_known_by_the_mark_of_timesyncd(tmp_path: Path) -> None:
    assert Board(tmp_path).clock_synchronised() is None
    assert Board(lay(tmp_path, {"run/systemd/timesync/synchronized": ""})).clock_synchronised() is True


@pytest.mark.parametrize(("answer", "found"), [("yes", True), ("no", False), ("perhaps", None)])
def test_timedatectl_is_asked_only_on_demand(tmp_path: Path, answer: str, found: bool | None) -> None:
    program(tmp_path, "usr/bin/timedatectl", f"echo {answer}")
    assert Board(tmp_path).clock_synchronised() is None
    assert Board(tmp_path).clock_synchronised(ask=True) is found


def test_this_machine_can_be_read_twice_without_an_error() -> None:
    board = Board()
    first, second = board.readings(), board.readings()
    assert first.memory_bytes == second.memory_bytes is not None
    assert (first.rss_bytes or 0) > 1024 * 1024
    assert board.facts().machine
    assert board.clock_synchronised() in {True, False, None}


def test_a_board_that_says_nothing_of_heat_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    board = Board(tmp_path)
    board.readings()
    board.readings()
    assert caplog.messages == [
        "this board tells neither its temperature nor whether it is throttled; neither is acted on"
    ]
