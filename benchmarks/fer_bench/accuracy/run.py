"""How right each artifact is on labelled pictures, through the code that runs on the device, against float32."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field

import numpy as np

from fer_bench.accuracy import width
from fer_bench.accuracy.corruptions import Corruption
from fer_bench.accuracy.curves import Curves, chosen, originals
from fer_bench.accuracy.scoring import scored
from fer_bench.accuracy.tables import text
from fer_bench.accuracy.trials import REFERENCE, Say, predict, prepare, reference_of
from fer_bench.machine.environment import conditions, describe
from fer_bench.results.report import Report
from fer_bench.results.rows import count
from fer_bench.variants import Choice, pairs
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock
from fer_edge.errors import UsageError
from fer_edge.preprocess import Preprocess
from fer_train import data

__all__ = ["Plan", "run", "text"]


@dataclass(frozen=True)
class Plan:
    """What to measure on what.

    corruptions: names from `corruptions.ALL`, or "all". interval_width_pp: how wide the interval of top-1 may be, in
    percentage points; fewer pictures than that needs are refused before anything is measured.
    """

    bundle: str
    data: str
    split: str | None = "test"
    limit: int | None = None
    choice: Choice = field(default_factory=Choice)
    threads: int = 1
    corruptions: tuple[str, ...] = ()
    interval_width_pp: float | None = None


def run(plan: Plan, say: Say) -> Report:
    """Measure; Ctrl-C ends it early with what there is. An artifact that fails is a row with its reason.

    Raises the errors of `Bundle.open`, `variants.pairs` and `fer_train.data.load`, and UsageError when the classes of
    the data are not the bundle's labels, the pictures are too few, or there is no such corruption.
    """
    asked = chosen(plan.corruptions)
    bundle = Bundle.open(plan.bundle)
    found, notes = pairs(bundle, plan.choice, every_runtime=bool(plan.choice.runtimes))
    dataset = read(plan, bundle, notes)
    curves = _curves(plan, bundle, dataset, asked)
    trials = prepare(found, bundle, plan.threads)
    started, before = SystemClock().wall(), conditions()
    complete = True
    try:
        for trial in trials:
            predict(trial, bundle, dataset, say)
        if curves is not None:
            curves.measure(trials, say)
    except KeyboardInterrupt:
        complete = False
    done = [trial for trial in trials if trial.probabilities is not None or trial.row.error]
    return Report(
        kind="accuracy",
        options=asdict(plan),
        bundle=bundle,
        environment=describe(),
        started=started,
        before=before,
        after=conditions(),
        rows=[scored(trial, reference_of(trial, done), dataset) for trial in done],
        notes=notes + _notes(bundle) + ([] if curves is None else curves.remarks()),
        complete=complete,
        extra={"data": _described(plan, dataset), **({} if curves is None else {"corruptions": curves.as_json()})},
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
    if plan.interval_width_pp is not None:
        limited = "" if plan.limit is None else f" with --limit {plan.limit}"
        width.require(plan.interval_width_pp, len(dataset), f"{plan.data}{limited}")
    if dataset.skipped:
        notes.append(f"{count(len(dataset.skipped), 'picture')} could not be read, the first: {dataset.skipped[0]}")
    if plan.limit is not None:
        notes.append(f"{len(dataset)} pictures with the classes in equal shares: top-1 is not that of the whole set")
    return dataset


def _described(plan: Plan, dataset: data.Dataset) -> dict[str, object]:
    """What identifies the pictures and their order.

    sha256: over crops and targets, so it is of one preprocessing. originals_sha256: over the pictures as they lay on
    disk and the targets, the same for bundles that cut them otherwise.
    """
    prints = hashlib.sha256(np.ascontiguousarray(dataset.prints()).data)
    prints.update(np.ascontiguousarray(dataset.targets).data)
    return {
        "source": plan.data,
        "split": plan.split,
        "n": len(dataset),
        "sha256": dataset.digest(),
        "originals_sha256": prints.hexdigest(),
        "labels": list(dataset.labels),
        "targets": dataset.targets.tolist(),
    }


def _curves(plan: Plan, bundle: Bundle, dataset: data.Dataset, asked: tuple[Corruption, ...]) -> Curves | None:
    if not asked:
        return None
    preprocess = Preprocess(bundle.manifest.preprocess)
    return Curves(originals(plan.data, plan.split, dataset, preprocess), dataset, asked)


def _notes(bundle: Bundle) -> list[str]:
    if any(artifact.precision == REFERENCE for artifact in bundle.manifest.artifacts):
        return []
    return [f"bundle {bundle.manifest.name} has no {REFERENCE} artifact to compare with: no drop and no agreement"]
