"""Checks of what computes: numpy, OpenCV and every runtime, each tried in a process that may die of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fer_edge.doctor.finding import Finding
from fer_edge.trial.process import Stages, probe

if TYPE_CHECKING:
    from fer_edge.runtimes import Engine

LIBRARIES = {"numpy": "numpy", "cv2": "opencv-python-headless"}
"""Module, and the package that brings it."""
RUNS = "runs"


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
    """Every runtime that could be used; the daemon takes the first that works, so one of them must."""
    from fer_edge.runtimes import ENGINES  # noqa: PLC0415 - brings numpy, which was proven by now

    installed = [engine for engine in ENGINES if engine.installed]
    found = []
    for engine in ENGINES:
        if engine not in installed:
            found.append(Finding(engine.name, "note", "not installed", engine.extra))
            continue
        others = [other.name for other in installed if other is not engine and other.format == engine.format]
        found.append(engine_finding(engine, bundle, environment, timeout_s, others=others))
    if not installed:
        found.append(Finding("runtimes", "problem", "none is installed, so no model can run", ENGINES[0].extra))
    elif not any(RUNS in finding.found for finding in found):
        found = [replace(each, level="problem") if each.level == "warning" else each for each in found]
    return found


def engine_finding(
    engine: Engine, bundle: str, environment: Mapping[str, str] | None, timeout_s: float, *, others: list[str]
) -> Finding:
    """One runtime with every artifact that it could run; others: runtimes that could stand in for it."""
    trials = list(_trials(engine, bundle, environment, timeout_s))
    version = next((trial.version for trial in trials if trial.version), "")
    failed = [f"{trial.doing} failed: {trial.failure}" for trial in trials if trial.failure]
    told = [trial.words for trial in trials if not trial.failure]
    if told:
        told[0] = f"{version}, {told[0]}".removeprefix(", ")
    if not failed:
        return Finding(engine.name, "ok", "; ".join(told))
    instead = f'set runtime = "{others[0]}", or ' if others else ""
    fix = f"{instead}{sys.executable} -m pip install --force-reinstall another version of {engine.module}"
    return Finding(engine.name, "warning", "; ".join([*told, *failed]), fix)


@dataclass(frozen=True)
class _Trial:
    """What a child told."""

    stages: Stages
    death: str | None
    bundle: str

    @property
    def last(self) -> dict[str, Any]:
        return self.stages[-1] if self.stages else {}

    @property
    def version(self) -> str:
        return next((stage["version"] for stage in self.stages if stage.get("version")), "")

    @property
    def choices(self) -> list[str]:
        """The artifacts that this runtime could run, the one that was tried first."""
        return next((stage["choices"] for stage in self.stages if "choices" in stage), [])

    @property
    def failure(self) -> str | None:
        return self.death or self.last.get("error")

    @property
    def doing(self) -> str:
        """What it was at when it failed."""
        if self.choices:
            return f"running {self.choices[0]} of {self.bundle}"
        return f"opening {self.bundle}" if any("version" in stage for stage in self.stages) else "its import"

    @property
    def words(self) -> str:
        if "nothing_to_run" in self.last:
            return f"can be imported; {self.last['nothing_to_run']}"
        ran = f"{self.last['artifact']} of {self.bundle} in {self.last['effective_precision']}"
        return f"{RUNS} {ran}, {self.last['ms']:g} ms a face"


def _trials(engine: Engine, bundle: str, environment: Mapping[str, str] | None, timeout_s: float) -> Iterator[_Trial]:
    """The artifact that is best for it, whose child tells which others there are; then those."""
    first = _Trial(*probe(("runtime", engine.name, bundle), environment, timeout_s), bundle)
    yield first
    for artifact in first.choices[1:]:
        yield _Trial(*probe(("runtime", engine.name, bundle, artifact), environment, timeout_s), bundle)
