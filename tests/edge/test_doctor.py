"""The doctor looks at everything, survives whatever it finds, and has a fix for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge import doctor
from fer_edge.doctor import Finding, Options
from fer_edge.doctor.finding import Level
from fer_edge.doctor.installed import extra_findings, permission_findings, service_finding, service_findings
from fer_edge.doctor.machine import (
    board_finding,
    clock_finding,
    disk_finding,
    memory_finding,
    memory_limit_finding,
    python_finding,
    temperature_finding,
    throttling_finding,
)
from fer_edge.errors import ExitCode
from fer_edge.system.board import Board, Disk, Readings, Throttling
from fer_edge.system.service import ServiceStatus, System
from support.boards import lay, program, raspberry_pi
from support.tiny import tiny_bundle

MIB = 1024 * 1024
STATE = Path("/var/lib/fer-edge")
SAMPLE = [
    Finding("board", "ok", "a board"),
    Finding("/dev/video0", "problem", "no permission", "sudo usermod -aG video pi"),
    Finding("clock", "warning", "not synchronised", "sudo timedatectl set-ntp true"),
]


def test_the_text_is_aligned_and_a_fix_stands_below_what_it_mends() -> None:
    assert doctor.text(SAMPLE).splitlines() == [
        "ok       board        a board",
        "problem  /dev/video0  no permission",
        "                      fix: sudo usermod -aG video pi",
        "warning  clock        not synchronised",
        "                      fix: sudo timedatectl set-ntp true",
        "1 problem, 1 warning",
    ]


def test_the_document_has_a_schema_and_survives_json() -> None:
    document = json.loads(json.dumps(doctor.document(SAMPLE)))
    assert (document["schema_version"], document["problems"], document["warnings"]) == (1, 1, 1)
    assert document["rows"][2] == {
        "name": "clock",
        "level": "warning",
        "found": "not synchronised",
        "fix": "sudo timedatectl set-ntp true",
    }


def test_only_a_problem_makes_the_exit_status_69() -> None:
    assert int(doctor.exit_code(SAMPLE)) == 69
    assert doctor.exit_code([SAMPLE[0], SAMPLE[2]]) == ExitCode.OK
    assert doctor.text([SAMPLE[0]]).endswith("no problems, no warnings")


def test_everything_is_looked_at_in_one_go_and_a_good_bundle_runs(tmp_path: Path) -> None:
    root = raspberry_pi(tmp_path / "board", bits=0)
    bundle = tiny_bundle(tmp_path)
    slow = dict.fromkeys(("tensorflow.py", "onnxruntime.py", "openvino.py"), "raise ImportError('not today')")
    environment = {**os.environ, "PYTHONPATH": str(lay(tmp_path / "shadow", slow))}
    options = Options(
        bundle=str(bundle),
        cameras=lambda: [Finding("mine", "ok", "asked")],
        environment=environment,
        system=System(root),
    )
    found = {each.name: each for each in doctor.findings(Board(root), options)}
    assert {"board", "python", "memory", "disk", "clock", "temperature", "throttling"} <= set(found)
    assert {"numpy", "cv2", "litert", "mine", "picamera2", "permissions", "service", "extra mqtt"} <= set(found)
    assert found["litert"].level == "ok"
    assert found["mine"].found == "asked"


def test_a_check_that_fails_itself_is_a_finding_and_the_others_go_on(tmp_path: Path) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("the camera list\nis broken")

    root = lay(tmp_path, {"proc/cpuinfo": ""})
    environment = {**os.environ, "PYTHONPATH": str(lay(tmp_path / "shadow", {"numpy.py": "raise ImportError('no')"}))}
    options = Options(cameras=broken, environment=environment, system=System(root))
    found = {each.name: each for each in doctor.findings(Board(root), options)}
    assert found["cameras"] == Finding("cameras", "problem", "could not be looked at: the camera list")
    assert found["runtimes"].found == "not tried, because the libraries above do not work"
    assert "service" in found


def test_the_doctor_itself_needs_no_library_that_may_be_broken() -> None:
    code = "import sys, fer_edge.doctor; print(sorted({'numpy', 'cv2', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_a_32_bit_system_is_the_end_of_it(tmp_path: Path) -> None:
    facts = Board(raspberry_pi(tmp_path)).facts()
    assert board_finding(replace(facts, machine="armv7l")).level == "problem"
    good = board_finding(replace(facts, machine="aarch64", container="docker"))
    assert good.level == "ok"
    assert good.found == (
        "Raspberry Pi 4 Model B Rev 1.5, 2 x Cortex-A72, Debian GNU/Linux 12 (bookworm), in a container (docker)"
    )
    assert python_finding(replace(facts, bits=32)).level == "problem"
    assert python_finding(replace(facts, bits=64)).level == "ok"


@pytest.mark.parametrize(("free_mib", "level"), [(2000, "ok"), (255, "warning"), (127, "problem")])
def test_little_memory_is_told(free_mib: int, level: Level) -> None:
    finding = memory_finding(Readings(memory_bytes=3793 * MIB, memory_available_bytes=free_mib * MIB))
    assert (finding.level, finding.found) == (level, f"{free_mib} of 3793 MiB free")
    assert bool(finding.fix) == (level != "ok")


def test_a_kernel_that_counts_no_memory_is_told_with_the_line_to_add(tmp_path: Path) -> None:
    facts = Board(raspberry_pi(tmp_path)).facts()
    assert memory_limit_finding(tmp_path, facts) is None
    lay(tmp_path, {"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n"})
    finding = memory_limit_finding(tmp_path, facts)
    assert finding is not None
    assert finding.fix == "append cgroup_enable=memory to /boot/firmware/cmdline.txt and start again"
    lay(tmp_path, {"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"})
    assert memory_limit_finding(tmp_path, facts) is None


@pytest.mark.parametrize(
    ("disk", "level"),
    [
        (None, "note"),
        (Disk(4000 * MIB, 8000 * MIB, read_only=False), "ok"),
        (Disk(400 * MIB, 8000 * MIB, read_only=False), "warning"),
        (Disk(30 * MIB, 8000 * MIB, read_only=False), "problem"),
        (Disk(4000 * MIB, 8000 * MIB, read_only=True), "problem"),
    ],
)
def test_a_full_or_read_only_disk_is_told(disk: Disk | None, level: Level) -> None:
    finding = disk_finding(disk, STATE)
    assert finding.level == level
    assert bool(finding.fix) == (level in {"warning", "problem"})


@pytest.mark.parametrize(("synchronised", "level"), [(True, "ok"), (False, "warning"), (None, "note")])
def test_a_clock_that_nobody_sets_is_told(synchronised: bool | None, level: Level) -> None:
    assert clock_finding(synchronised).level == level


@pytest.mark.parametrize(("heat_c", "level"), [(None, "note"), (48.0, "ok"), (72.0, "note"), (81.0, "warning")])
def test_heat_is_told(heat_c: float | None, level: Level) -> None:
    assert temperature_finding(Readings(temperature_c=heat_c)).level == level


@pytest.mark.parametrize(
    ("throttling", "level", "words", "fix"),
    [
        (None, "note", "the board does not tell", ""),
        (Throttling((), (), 0), "ok", "none since the board started", ""),
        (Throttling(("under-voltage",), ("throttled",), 1), "warning", "now: under-voltage", "power supply"),
        (Throttling(("throttled",), (), 4), "warning", "now: throttled", "heat sink"),
        (Throttling((), ("under-voltage",), 1), "note", "earlier, since the board started", "power supply"),
    ],
)
def test_throttling_names_what_helps(throttling: Throttling | None, level: Level, words: str, fix: str) -> None:
    finding = throttling_finding(throttling)
    assert finding.level == level
    assert words in finding.found
    assert fix in finding.fix


def test_a_device_that_may_not_be_used_names_the_group(tmp_path: Path) -> None:
    lay(tmp_path, {"dev/video0": "", "dev/vcio": "", "dev/null": ""})
    closed: Callable[[Path, int], bool] = lambda path, _: path.name != "vcio"  # noqa: E731 - reads as the rule it is
    (finding,) = permission_findings(tmp_path, closed)
    assert finding.level == "warning"
    assert finding.found.endswith("may not use /dev/vcio")
    assert finding.fix.startswith("sudo usermod -aG video ")
    assert permission_findings(tmp_path, lambda *_: True)[0].level == "ok"
    assert permission_findings(tmp_path / "dev/nothing")[0].level == "ok"


@pytest.mark.parametrize(
    ("status", "level", "fix"),
    [
        (ServiceStatus(installed=False), "note", "service install"),
        (ServiceStatus(installed=True, active="active", enabled=True), "ok", ""),
        (ServiceStatus(installed=True, active="failed", exit_status=78), "problem", "config check"),
        (ServiceStatus(installed=True, active="failed", exit_status=75), "problem", "journalctl"),
        (ServiceStatus(installed=True, active="activating", restarts=9), "problem", "journalctl"),
        (ServiceStatus(installed=True), "warning", "systemctl start"),
    ],
)
def test_the_service_says_what_to_do_next(status: ServiceStatus, level: Level, fix: str) -> None:
    finding = service_finding(status)
    assert finding.level == level
    assert fix in finding.fix


def test_a_systemd_that_does_not_answer_is_a_warning(tmp_path: Path) -> None:
    lay(tmp_path, {"run/systemd/system/.keep": ""})
    systemctl = program(tmp_path, "bin/systemctl", "echo no bus >&2; exit 1")
    (finding,) = service_findings(System(tmp_path, str(systemctl)))
    assert finding.level == "warning"
    assert finding.found.endswith("failed: no bus")


def test_an_extra_that_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_edge.doctor.installed.EXTRAS", {"mqtt": ("json", "no_such.module"), "web": ("json",)})
    missing, there = extra_findings()
    assert (missing.level, missing.fix) == ("note", "pip install 'fer-edge[mqtt]'")
    assert missing.found == "not installed (it needs no_such.module)"
    assert (there.name, there.level) == ("extra web", "ok")
