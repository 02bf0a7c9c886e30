"""Checks of what computes: numpy, OpenCV and every runtime, each tried in a process that may die of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fer_edge.doctor.finding import Finding

if TYPE_CHECKING:
    from fer_edge.runtimes import Engine

LIBRARIES = {"numpy": "numpy", "cv2": "opencv-python-headless"}
"""Module, and the package that brings it."""
MEANINGS = {
    signal.SIGILL: "an illegal instruction: it was built for another CPU",
    signal.SIGSEGV: "a crash inside it",
    signal.SIGBUS: "a crash inside it",
    signal.SIGABRT: "it gave up",
    signal.SIGKILL: "most often the kernel, when memory runs out",
}
MAX_SAID_CHARS = 200

Stages = list[dict[str, Any]]


def library_findings(environment: Mapping[str, str] | None, timeout_s: float) -> Iterator[Finding]:
    """Whether the libraries below everything can be imported at all."""
    for module, package in LIBRARIES.items():
        stages, death = probe(("library", module), environment, timeout_s)
        if death is None and "error" not in stages[-1]:
            yield Finding(module, "ok", stages[-1]["version"])
        else:
            why = death or stages[-1]["error"]
            fix = f"{sys.executable} -m pip install --force-reinstall {package}"
            yield Finding(module, "problem", f"cannot be imported: {why}", fix)


def engine_findings(bundle: str, environment: Mapping[str, str] | None, timeout_s: float) -> list[Finding]:
    """Every runtime that could be used; the one that the daemon takes first must work."""
    from fer_edge.runtimes import ENGINES  # noqa: PLC0415 - brings numpy, which was proven by now

    installed = [engine for engine in ENGINES if engine.installed]
    found = []
    for engine in ENGINES:
        if engine not in installed:
            found.append(Finding(engine.name, "note", "not installed", engine.extra))
            continue
        others = [other.name for other in installed if other is not engine and other.format == engine.format]
        found.append(
            engine_finding(engine, bundle, environment, timeout_s, first=engine is installed[0], others=others)
        )
    if not installed:
        found.append(Finding("runtimes", "problem", "none is installed, so no model can run", ENGINES[0].extra))
    return found


def engine_finding(
    engine: Engine,
    bundle: str,
    environment: Mapping[str, str] | None,
    timeout_s: float,
    *,
    first: bool,
    others: list[str],
) -> Finding:
    """One runtime. first: the daemon takes it unless told otherwise; others: that could stand in for it."""
    stages, death = probe(("runtime", engine.name, bundle), environment, timeout_s)
    last = stages[-1] if stages else {}
    version = next((stage["version"] for stage in stages if stage.get("version")), "")
    if death is None and "ms" in last:
        ran = f"runs {last['artifact']} of {bundle} in {last['effective_precision']}, {last['ms']:g} ms a face"
        return Finding(engine.name, "ok", f"{version}, {ran}".removeprefix(", "))
    if death is None and "nothing_to_run" in last:
        return Finding(engine.name, "ok", f"{version}, can be imported; {last['nothing_to_run']}".removeprefix(", "))
    stage = f"running {bundle}" if version or len(stages) > 1 else "its import"
    instead = f'set runtime = "{others[0]}", or ' if others else ""
    fix = f"{instead}{sys.executable} -m pip install --force-reinstall another version of {engine.module}"
    return Finding(engine.name, "problem" if first else "warning", f"{stage} failed: {death or last['error']}", fix)


def probe(
    arguments: tuple[str, ...], environment: Mapping[str, str] | None, timeout_s: float
) -> tuple[Stages, str | None]:
    """Start `fer_edge.doctor.probe`; the stages it survived, and what it died of, None when it did not."""
    command = [sys.executable, "-m", "fer_edge.doctor.probe", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**(os.environ if environment is None else environment), "ORT_DISABLE_TELEMETRY": "1"},
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return _stages(error.stdout or b""), f"it did not end within {timeout_s:g} s"
    stages = _stages(done.stdout)
    if done.returncode < 0:
        return stages, _death(-done.returncode)
    if done.returncode > 0 or not stages:
        return stages, f"it ended with status {done.returncode}{_said(done.stderr)}"
    return stages, None


def _stages(output: bytes) -> Stages:
    """The lines that are whole; a child that is killed may leave half of one."""
    found = []
    for line in output.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _death(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"it was ended by signal {number}"
    meaning = MEANINGS.get(signal.Signals(number))
    return f"it was ended by {name}" + (f" ({meaning})" if meaning else "")


def _said(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1][:MAX_SAID_CHARS]}" if lines else ""
