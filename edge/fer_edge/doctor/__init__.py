"""What this board can do, and what to do about what it cannot: `fer-edge doctor`.

Nothing here imports numpy, OpenCV or a runtime: they may be what is broken, so each is tried in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_edge.doctor.cameras import camera_findings, picamera2_findings
from fer_edge.doctor.engines import engine_findings, library_findings
from fer_edge.doctor.finding import Finding, Level
from fer_edge.doctor.installed import extra_findings, permission_findings, service_findings
from fer_edge.doctor.machine import machine_findings
from fer_edge.doctor.report import document, exit_code, text
from fer_edge.errors import first_line
from fer_edge.system.board import Board
from fer_edge.system.service import System

__all__ = ["Finding", "Level", "Options", "document", "exit_code", "findings", "text"]

STATE = Path("/var/lib/fer-edge")


@dataclass(frozen=True)
class Options:
    """What is looked at, and how.

    bundle: the model that every runtime has to run. state: the folder whose disk matters. cameras: what lists them,
    None for /dev/video* alone. environment: of the child processes, None for ours. timeout_s: of each child. system:
    where the service would be.
    """

    bundle: str = "default"
    state: Path = STATE
    cameras: Callable[[], Sequence[Finding]] | None = None
    environment: Mapping[str, str] | None = None
    timeout_s: float = 120.0
    system: System = field(default_factory=System)


def findings(board: Board | None = None, options: Options | None = None) -> list[Finding]:
    """Look at everything, in the order in which a person would ask; never raises."""
    board, options = board or Board(), options or Options()
    kind = board.facts().kind
    found = _look("board", lambda: machine_findings(board, options.state))
    libraries = _look("libraries", lambda: library_findings(options.environment, options.timeout_s))
    found += libraries
    if any(each.level == "problem" for each in libraries):
        found.append(Finding("runtimes", "note", "not tried, because the libraries above do not work"))
    else:
        found += _look("runtimes", lambda: engine_findings(options.bundle, options.environment, options.timeout_s))
    found += _look("cameras", options.cameras or (lambda: camera_findings(board.root)))
    if kind == "raspberry-pi":
        found += _look("picamera2", lambda: picamera2_findings(board.root, options.environment, options.timeout_s))
    found += _look("permissions", lambda: permission_findings(board.root))
    found += _look("service", lambda: service_findings(options.system))
    return found + _look("extras", extra_findings)


def _look(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """A check that fails itself is a finding too; the others go on."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - whatever is broken here is what the doctor was called for
        return [Finding(name, "problem", f"could not be looked at: {first_line(error)}")]
