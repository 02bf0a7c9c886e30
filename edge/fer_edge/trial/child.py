"""The child that may die: imports one library, or runs an artifact in one runtime, and reports how far it came.

    python -m fer_edge.trial.child library NAME
    python -m fer_edge.trial.child runtime NAME BUNDLE [ARTIFACT [THREADS]]

It prints a JSON object per stage that it survived; the last one with an `error` tells why it went no further.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any

from fer_edge.errors import FerEdgeError, UsageError, first_line

RUNS = 5
"""Inferences that are timed; the middle one is reported."""

Tell = Callable[..., None]


def main(arguments: Sequence[str]) -> int:
    """Do it. What libraries print goes to standard error, so that the report stays alone on its channel."""
    channel = os.dup(1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected here and worth no file

    def tell(**stage: Any) -> None:  # noqa: ANN401 - JSON values
        os.write(channel, json.dumps(stage).encode() + b"\n")

    what, *rest = arguments
    try:
        if what == "library":
            library(tell, *rest)
        else:
            runtime(tell, *rest)
    except FerEdgeError as error:
        tell(error=str(error), kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - a broken library may raise anything while it is imported
        tell(error=f"{type(error).__name__}: {first_line(error)}")
    return 0


def library(tell: Tell, name: str) -> None:
    """Import it."""
    tell(version=_version(name))


def runtime(tell: Tell, name: str, bundle_name: str, artifact_id: str = "", threads: str = "1") -> None:
    """Import a runtime, then have it run an artifact: its golden pictures first, then a few on the clock.

    artifact_id: format/precision; else the one that is best for this runtime.
    """
    from fer_edge.runtimes import ENGINES  # noqa: PLC0415 - numpy, which may be what dies

    engine = next(engine for engine in ENGINES if engine.name == name)
    tell(version=_version(engine.module))
    from fer_edge.bundle import Bundle  # noqa: PLC0415
    from fer_edge.classifier import load  # noqa: PLC0415
    from fer_edge.clock import perf_s  # noqa: PLC0415

    bundle = Bundle.open(bundle_name)
    format_, _, precision = artifact_id.partition("/")
    try:
        artifacts = bundle.choices((format_ or engine.format,), precision or None)
    except UsageError as error:
        tell(nothing_to_run=str(error))
        return
    tell(choices=[artifact.id for artifact in artifacts])
    classifier = load(bundle, artifacts[0], runtime=name, threads=int(threads))
    face = classifier.artifact.golden[0].image(bundle.manifest.preprocess)
    times_ms = []
    for _ in range(RUNS):
        begin_s = perf_s()
        classifier.probabilities([face])
        times_ms.append((perf_s() - begin_s) * 1000.0)
    tell(
        version=classifier.runtime.version,
        artifact=classifier.artifact.id,
        effective_precision=classifier.runtime.effective_precision,
        ms=round(sorted(times_ms)[RUNS // 2], 2),
    )


def _version(module: str) -> str:
    return str(getattr(importlib.import_module(module), "__version__", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
