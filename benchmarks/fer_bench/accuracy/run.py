"""How right each artifact is on labelled pictures, through the code that runs on the device, against float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fer_bench.machine.environment import conditions, describe
from fer_bench.results.report import Report
from fer_bench.results.rows import AccuracyRow, count
from fer_bench.table import MISSING, figure, percent, render, span
from fer_bench.variants import Choice, pairs
from fer_edge.bundle import Artifact, Bundle
from fer_edge.classifier import load
from fer_edge.clock import SystemClock
from fer_edge.errors import FerEdgeError, UsageError
from fer_edge.runtimes import ENGINES, Engine
from fer_train import data, metrics

REFERENCE = "float32"

Say = Callable[[str], None]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What to measure on what."""

    bundle: str
    data: str
    split: str | None = "test"
    limit: int | None = None
    choice: Choice = field(default_factory=Choice)
    threads: int = 1


@dataclass
class Trial:
    """One artifact in one runtime, and its probabilities (N, labels) once they are there."""

    artifact: Artifact
    runtime: str
    row: AccuracyRow
    probabilities: Probabilities | None = None


def run(plan: Plan, say: Say) -> Report:
    """Measure; Ctrl-C ends it early with what there is. An artifact that fails is a row with its reason.

    Raises the errors of `Bundle.open`, `variants.pairs` and `fer_train.data.load`, and UsageError when the classes of
    the data are not the bundle's labels.
    """
    bundle = Bundle.open(plan.bundle)
    chosen, notes = pairs(bundle, plan.choice, every_runtime=bool(plan.choice.runtimes))
    dataset = read(plan, bundle, notes)
    trials = _with_references([_trial(artifact, name, plan.threads) for artifact, name in chosen], bundle)
    started, before = SystemClock().wall(), conditions()
    complete = True
    try:
        for trial in trials:
            _predict(trial, bundle, dataset, say)
    except KeyboardInterrupt:
        complete = False
    done = [trial for trial in trials if trial.probabilities is not None or trial.row.error]
    rows = [_scored(trial, _reference(trial, done), dataset) for trial in done]
    return Report(
        kind="accuracy",
        options=asdict(plan),
        bundle=bundle,
        environment=describe(),
        started=started,
        before=before,
        after=conditions(),
        rows=rows,
        notes=notes + _notes(bundle),
        complete=complete,
        extra={"data": {"source": plan.data, "split": plan.split, "n": len(dataset), "sha256": dataset.digest()}},
    )


def read(plan: Plan, bundle: Bundle, notes: list[str]) -> data.Dataset:
    """The pictures, cut by the bundle's own preprocessing; what was skipped goes into `notes`."""
    labels = bundle.manifest.labels
    if plan.limit is not None and plan.limit < len(labels):
        raise UsageError(
            f"--limit {plan.limit} leaves classes out: {len(labels)} labels need as many pictures at least"
        )
    dataset = data.load(plan.data, labels, bundle.manifest.preprocess, plan.split, plan.limit)
    if dataset.misfit:
        raise UsageError(
            f"data {plan.data} does not fit bundle {bundle.manifest.name} with the labels {', '.join(labels)}: "
            + dataset.misfit
        )
    if dataset.skipped:
        notes.append(f"{count(len(dataset.skipped), 'picture')} could not be read, the first: {dataset.skipped[0]}")
    if plan.limit is not None:
        notes.append(f"{len(dataset)} pictures with the classes in equal shares: top-1 is not that of the whole set")
    return dataset


def _trial(artifact: Artifact, runtime: str, threads: int) -> Trial:
    row = AccuracyRow(
        format=artifact.format,
        precision=artifact.precision,
        runtime=runtime,
        threads=threads,
        size_bytes=artifact.size_bytes,
    )
    return Trial(artifact, runtime, row)


def _with_references(trials: Sequence[Trial], bundle: Bundle) -> list[Trial]:
    """The trials, float32 first: a drop needs its reference, so it is measured whether it was asked for or not."""
    found = {(trial.artifact.id, trial.runtime): trial for trial in trials}
    for trial in trials:
        for artifact, runtime in _candidates(trial, bundle):
            found.setdefault((artifact.id, runtime), _trial(artifact, runtime, trial.row.threads))
    return sorted(found.values(), key=lambda trial: trial.artifact.precision != REFERENCE)


def _candidates(trial: Trial, bundle: Bundle) -> list[tuple[Artifact, str]]:
    """The float32 artifact to compare a trial with and the runtime for it: of the same format, else of any other."""
    floats = [artifact for artifact in bundle.manifest.artifacts if artifact.precision == REFERENCE]
    for artifact in floats:
        if artifact.format == trial.artifact.format:
            return [(artifact, trial.runtime)]
    return [(artifact, engine.name) for artifact in floats for engine in ENGINES if _runs(engine, artifact)][:1]


def _runs(engine: Engine, artifact: Artifact) -> bool:
    return engine.installed and engine.format == artifact.format


def _reference(trial: Trial, trials: Sequence[Trial]) -> Trial | None:
    """The float32 result to compare with: same format and runtime before any other."""
    found = [other for other in trials if other.artifact.precision == REFERENCE and other.probabilities is not None]
    found.sort(key=lambda other: (other.artifact.format != trial.artifact.format, other.runtime != trial.runtime))
    return found[0] if found else None


def _predict(trial: Trial, bundle: Bundle, dataset: data.Dataset, say: Say) -> None:
    """The device's own path: verified artifact, preprocessed crops, calibrated probabilities."""
    try:
        classifier = load(bundle, trial.artifact, runtime=trial.runtime, threads=trial.row.threads)
        trial.probabilities = classifier.probabilities(dataset.images)
    except FerEdgeError as error:
        trial.row = replace(trial.row, error=str(error))
        say(f"{trial.row.name}: {error}")
        return
    runtime = classifier.runtime
    trial.row = replace(
        trial.row, runtime_version=runtime.version, effective_precision=runtime.effective_precision, n=len(dataset)
    )
    correct = trial.probabilities.argmax(axis=1) == dataset.targets
    say(f"{trial.row.name}: {int(correct.sum())} of {len(dataset)} right")


def _scored(trial: Trial, reference: Trial | None, dataset: data.Dataset) -> AccuracyRow:
    if trial.probabilities is None:
        return trial.row
    scores = metrics.score(trial.probabilities, dataset.targets, dataset.labels)
    row = replace(
        trial.row,
        top1=scores.top1,
        top1_ci95=scores.top1_ci95,
        recall=scores.recall,
        support=scores.support,
        macro_recall=scores.macro_recall,
        macro_f1=scores.macro_f1,
        ece=scores.ece,
    )
    if reference is None or reference.probabilities is None or reference is trial:
        return row
    right = trial.probabilities.argmax(axis=1) == dataset.targets
    reference_right = reference.probabilities.argmax(axis=1) == dataset.targets
    drop, interval = metrics.paired_drop(reference_right, right)
    return replace(
        row,
        reference=reference.row.name,
        drop_pp=drop,
        drop_pp_ci95=interval,
        mcnemar_p=metrics.mcnemar(reference_right, right),
        agreement=metrics.agreement(reference.probabilities, trial.probabilities),
    )


def _notes(bundle: Bundle) -> list[str]:
    if any(artifact.precision == REFERENCE for artifact in bundle.manifest.artifacts):
        return []
    return [f"bundle {bundle.manifest.name} has no {REFERENCE} artifact to compare with: no drop and no agreement"]


HEAD = ("artifact", "computes", "runtime", "n", "top-1 %", "95 % interval", "macro recall %", "ECE", "KiB")
HEAD_DROP = ("drop points", "95 % interval", "McNemar p", "agreement %")


def text(report: Report) -> str:
    """The table, the recall of each class, and every reason why something failed."""
    rows = [row for row in report.rows if isinstance(row, AccuracyRow)]
    measured = [row for row in rows if row.n]
    parts = []
    if measured:
        parts.append(render((*HEAD, *HEAD_DROP), [_cells(row) for row in measured]))
        parts.append(_recalls(measured))
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n\n".join(parts)


def _cells(row: AccuracyRow) -> tuple[str, ...]:
    return (
        f"{row.format}/{row.precision}",
        row.effective_precision or MISSING,
        f"{row.runtime} {row.runtime_version}",
        str(row.n),
        percent(row.top1),
        span(row.top1_ci95, 1, 100.0),
        percent(row.macro_recall),
        figure(row.ece, 4),
        figure(row.size_bytes / 1024, 0),
        MISSING if row.drop_pp is None else f"{row.drop_pp:+.2f}",
        span(row.drop_pp_ci95),
        figure(row.mcnemar_p, 4),
        percent(row.agreement),
    )


def _recalls(rows: Sequence[AccuracyRow]) -> str:
    head = ["recall %", "n", *[f"{row.format}/{row.precision}" for row in rows]]
    lines = [[label, str(n), *[percent(row.recall[label], 1) for row in rows]] for label, n in rows[0].support.items()]
    return render(head, lines)
