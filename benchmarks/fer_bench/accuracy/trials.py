"""The artifacts that are judged, each with its reference, and what they say of the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fer_bench.results.rows import AccuracyRow, CorruptionRow
from fer_edge.bundle import Artifact, Bundle
from fer_edge.classifier import Classifier, load
from fer_edge.errors import FerEdgeError, InferenceFailed
from fer_edge.runtimes import ENGINES, Engine
from fer_edge.types import Image
from fer_train import data

REFERENCE = "float32"
BLOCK = 256
"""Pictures that are worked on at a time: what is larger than memory comes from disk in such pieces."""

Say = Callable[[str], None]
Probabilities = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass
class Trial:
    """One artifact in one runtime, its probabilities (N, labels) once they are there, and its corrupted pictures."""

    artifact: Artifact
    runtime: str
    row: AccuracyRow
    classifier: Classifier | None = None
    probabilities: Probabilities | None = None
    corruptions: list[CorruptionRow] = field(default_factory=list)


def prepare(chosen: Sequence[tuple[Artifact, str]], bundle: Bundle, threads: int) -> list[Trial]:
    """A trial for each, float32 first: a drop needs its reference, so that is measured even if it was not asked for."""
    found = {(artifact.id, runtime): _trial(artifact, runtime, threads) for artifact, runtime in chosen}
    for artifact, wanted in chosen:
        for other, runtime in _candidates(artifact, wanted, bundle):
            found.setdefault((other.id, runtime), _trial(other, runtime, threads))
    return sorted(found.values(), key=lambda trial: trial.artifact.precision != REFERENCE)


def reference_of(trial: Trial, trials: Sequence[Trial]) -> Trial | None:
    """The float32 result to compare with, same format and runtime before any other; None for the reference itself."""
    found = [other for other in trials if other.artifact.precision == REFERENCE and other.probabilities is not None]
    found.sort(key=lambda other: (other.artifact.format != trial.artifact.format, other.runtime != trial.runtime))
    return None if not found or found[0] is trial else found[0]


def predict(trial: Trial, bundle: Bundle, dataset: data.Dataset, say: Say) -> None:
    """The device's own path: verified artifact, preprocessed crops, calibrated probabilities."""
    try:
        classifier = load(bundle, trial.artifact, runtime=trial.runtime, threads=trial.row.threads)
        said = [probabilities(classifier, trial, dataset.images[i : i + BLOCK]) for i in range(0, len(dataset), BLOCK)]
    except FerEdgeError as error:
        fail(trial, error, say)
        return
    trial.classifier, trial.probabilities = classifier, np.concatenate(said)
    runtime = classifier.runtime
    trial.row = replace(
        trial.row, runtime_version=runtime.version, effective_precision=runtime.effective_precision, n=len(dataset)
    )
    say(f"{trial.row.name}: {int(right(trial.probabilities, dataset).sum())} of {len(dataset)} right")


def probabilities(classifier: Classifier, trial: Trial, images: Image) -> Probabilities:
    """Of a block of crops, (N, labels); InferenceFailed when they are no numbers."""
    found = classifier.probabilities(images)
    if not np.isfinite(found).all():
        raise InferenceFailed(f"{trial.artifact.id} in {trial.runtime} gives no probabilities for a face")
    return found


def right(said: Probabilities, dataset: data.Dataset) -> Bools:
    """Bool (N,): where the first choice is the truth."""
    return np.asarray(said.argmax(axis=1) == dataset.targets, dtype=np.bool_)


def fail(trial: Trial, error: FerEdgeError, say: Say) -> None:
    """An artifact that fails keeps its row, with the reason."""
    trial.row = replace(trial.row, error=str(error))
    say(f"{trial.row.name}: {error}")


def _trial(artifact: Artifact, runtime: str, threads: int) -> Trial:
    row = AccuracyRow(
        format=artifact.format,
        precision=artifact.precision,
        runtime=runtime,
        threads=threads,
        size_bytes=artifact.size_bytes,
    )
    return Trial(artifact, runtime, row)


def _candidates(artifact: Artifact, runtime: str, bundle: Bundle) -> list[tuple[Artifact, str]]:
    """The float32 artifact to compare one with and the runtime for it: of the same format, else of any other."""
    floats = [other for other in bundle.manifest.artifacts if other.precision == REFERENCE]
    for other in floats:
        if other.format == artifact.format:
            return [(other, runtime)]
    return [(other, engine.name) for other in floats for engine in ENGINES if _runs(engine, other)][:1]


def _runs(engine: Engine, artifact: Artifact) -> bool:
    return engine.installed and engine.format == artifact.format
