"""What of a bundle is to be measured: which artifacts, in which runtimes, on how many threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from fer_bench.results.rows import count
from fer_edge.bundle import Artifact, Bundle, Format, Precision
from fer_edge.errors import RuntimeUnavailable, UsageError
from fer_edge.runtimes import ENGINES, Engine, engines_for

UNSTATED = "unstated"
"""The precision of a single file, which has no manifest to state one; what it computes in is the runtime's to tell."""


@dataclass(frozen=True)
class Choice:
    """What was asked for; empty means everything that there is."""

    formats: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One artifact in one runtime on some threads.

    bundle: which it is of; None where there is only one. label: what sentences call the artifact; "" is its id.
    """

    artifact: Artifact
    runtime: str
    threads: int
    bundle: Bundle | None = None
    label: str = ""

    def __str__(self) -> str:
        """As sentences speak of it."""
        return f"{self.label or self.artifact.id} with {self.runtime} on {count(self.threads, 'thread')}"


def is_lone(artifact: Artifact) -> bool:
    """Whether it is a single file, without golden pictures and without a manifest."""
    return artifact.precision == UNSTATED


def artifacts(bundle: Bundle, choice: Choice) -> tuple[Artifact, ...]:
    """The artifacts that were asked for, in the manifest's order; UsageError for what the bundle does not have."""
    _known(choice.formats, get_args(Format), "format")
    _known(choice.precisions, get_args(Precision), "precision")
    if any(is_lone(artifact) for artifact in bundle.manifest.artifacts):
        choice = replace(choice, precisions=())  # it states none to choose by
    found = tuple(
        artifact
        for artifact in bundle.manifest.artifacts
        if (not choice.formats or artifact.format in choice.formats)
        and (not choice.precisions or artifact.precision in choice.precisions)
    )
    absent = [name for name in choice.precisions if name not in {artifact.precision for artifact in found}]
    if not absent:
        absent = [name for name in choice.formats if name not in {artifact.format for artifact in found}]
    if absent:
        has = ", ".join(artifact.id for artifact in bundle.manifest.artifacts)
        formats = "/".join(choice.formats)
        within = f" {formats}" if formats and absent[0] not in choice.formats else ""
        raise UsageError(f"bundle {bundle.manifest.name} has no {' or '.join(absent)}{within} artifact, only {has}")
    return found


def engines(choice: Choice) -> tuple[Engine, ...]:
    """The runtimes that were asked for, or all installed; errors as `fer_edge.runtimes.engines_for`."""
    if not choice.runtimes:
        return engines_for()
    return tuple(engine for name in choice.runtimes for engine in engines_for(name))


def pairs(bundle: Bundle, choice: Choice, *, every_runtime: bool) -> tuple[list[tuple[Artifact, str]], list[str]]:
    """Artifacts with the runtimes to run them, and a sentence for each artifact that none of them runs.

    every_runtime: all that fit, else the one that the device would take. Raises RuntimeUnavailable when nothing fits.
    """
    found: list[tuple[Artifact, str]] = []
    notes: list[str] = []
    reasons: list[str] = []
    available = engines(choice)
    for artifact in artifacts(bundle, choice):
        names = [engine.name for engine in available if engine.format == artifact.format]
        if not names:
            reasons.append(_why(artifact.format, choice))
            notes.append(f"{artifact.id} was not measured: {reasons[-1]}")
        found += [(artifact, name) for name in (names if every_runtime else names[:1])]
    if not found:
        raise RuntimeUnavailable(f"nothing of {bundle.manifest.name} runs here: {'; '.join(dict.fromkeys(reasons))}")
    return found, notes


def _why(format_: str, choice: Choice) -> str:
    if choice.runtimes:
        return f"{' and '.join(choice.runtimes)} {'does' if len(choice.runtimes) == 1 else 'do'} not run {format_}"
    extra = next(engine.extra for engine in ENGINES if engine.format == format_)
    return f"no runtime for {format_} artifacts is installed: {extra}"


def _known(asked: Sequence[str], names: Sequence[str], noun: str) -> None:
    for name in asked:
        if name not in names:
            raise UsageError(f"there is no {noun} {name!r}; there are {', '.join(names)}")
