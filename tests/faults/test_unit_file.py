"""Fault 17, the unit's part: who takes too much memory is ended and started again, and is the first to go.

The other promises that the unit makes for the operator are held here too, line by line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import ExitCode
from fer_edge.system.service import UNIT, UNIT_FOLDER, Options, unit_files


def sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            lines = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


def unit() -> dict[str, list[str]]:
    files = unit_files(Options(executable=Path("/opt/fer-edge/bin/fer-edge"), config_text=""))
    return sections(files[UNIT_FOLDER / UNIT])


@pytest.mark.parametrize("line", ["MemoryMax=60%", "OOMPolicy=stop", "OOMScoreAdjust=200", "Restart=always"])
def test_who_takes_too_much_memory_is_ended_and_started_again(line: str) -> None:
    assert line in unit()["Service"]


def test_it_is_started_again_for_ever_with_growing_pauses() -> None:
    found = unit()
    assert "StartLimitIntervalSec=0" in found["Unit"]  # in [Service] it would be ignored
    assert {"RestartSec=2", "RestartSteps=5", "RestartMaxDelaySec=60"} <= set(found["Service"])


def test_a_refused_configuration_or_model_is_not_tried_again() -> None:
    assert f"RestartPreventExitStatus={int(ExitCode.REFUSED)}" in unit()["Service"]


@pytest.mark.parametrize(
    "line", ["Type=notify", "NotifyAccess=main", "WatchdogSec=20", "TimeoutStopSec=10", "KillMode=mixed"]
)
def test_systemd_watches_it_and_ends_it_in_time(line: str) -> None:
    assert line in unit()["Service"]


@pytest.mark.parametrize(
    "line",
    [
        *("DynamicUser=yes", "SupplementaryGroups=video", "NoNewPrivileges=yes", "CapabilityBoundingSet="),
        *("ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "ProtectKernelTunables=yes"),
        *("ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes", "ProtectClock=yes"),
        *("ProtectHostname=yes", "ProtectProc=invisible", "RestrictNamespaces=yes", "RestrictRealtime=yes"),
        *("RestrictSUIDSGID=yes", "LockPersonality=yes", "SystemCallArchitectures=native"),
        *("SystemCallFilter=@system-service", "DevicePolicy=closed", "DeviceAllow=char-video4linux rw"),
        *("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "LimitNOFILE=1024", "TasksMax=64", "UMask=0077"),
    ],
)
def test_whoever_breaks_into_it_finds_little(line: str) -> None:
    assert line in unit()["Service"]


def test_no_picture_leaves_the_machine_and_none_lands_on_its_disk() -> None:
    service = unit()["Service"]
    assert [line for line in service if line.startswith("IPAddress")] == [
        "IPAddressDeny=any",
        "IPAddressAllow=localhost",
    ]
    assert "LimitCORE=0" in service


def test_telemetry_of_dependencies_is_off() -> None:
    assert "Environment=ORT_DISABLE_TELEMETRY=1" in unit()["Service"]
