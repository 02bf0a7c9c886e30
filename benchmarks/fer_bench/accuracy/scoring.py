"""From what an artifact said of every picture to its row."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_bench.accuracy.corruptions import Corruption
from fer_bench.accuracy.trials import Bools, Probabilities, Trial
from fer_bench.results.rows import AccuracyRow, CorruptionRow, Scores
from fer_train import data, metrics

CONFIDENCE_DIGITS = 4
AnyScores = TypeVar("AnyScores", bound=Scores)


def scored(trial: Trial, reference: Trial | None, dataset: data.Dataset) -> AccuracyRow:
    """The row with everything that the probabilities tell, alone and against the reference."""
    if trial.probabilities is None:
        return trial.row
    row = replace(alone(trial.row, trial.probabilities, dataset), corruptions=tuple(trial.corruptions))
    if reference is None or reference.probabilities is None:
        return row
    return beside(row, reference.row.name, reference.probabilities.argmax(axis=1), dataset)


def alone(row: AnyScores, probabilities: Probabilities, dataset: data.Dataset) -> AnyScores:
    """The row with what the probabilities (N, labels) tell by themselves."""
    scores = metrics.score(probabilities, dataset.targets, dataset.labels)
    hits = dict(zip(dataset.labels, np.diag(scores.confusion).tolist(), strict=True))
    return replace(
        row,
        top1=scores.top1,
        top1_ci95=scores.top1_ci95,
        recall=scores.recall,
        recall_ci95={label: metrics.wilson(hits[label], n) for label, n in scores.support.items()},
        support=scores.support,
        macro_recall=scores.macro_recall,
        macro_f1=scores.macro_f1,
        ece=scores.ece,
        confusion=tuple(tuple(line) for line in scores.confusion.tolist()),
        predictions=tuple(probabilities.argmax(axis=1).tolist()),
        confidences=tuple(np.round(probabilities.max(axis=1), CONFIDENCE_DIGITS).tolist()),
    )


def beside(row: AnyScores, reference: str, theirs: NDArray[np.int64], dataset: data.Dataset) -> AnyScores:
    """The row with how it does against a reference of this name, which said `theirs` (N,) of the same pictures."""
    mine = np.asarray(row.predictions)
    drop, interval = metrics.paired_drop(theirs == dataset.targets, mine == dataset.targets)
    return replace(
        row,
        reference=reference,
        drop_pp=drop,
        drop_pp_ci95=interval,
        mcnemar_p=metrics.mcnemar(theirs == dataset.targets, mine == dataset.targets),
        agreement=float((theirs == mine).mean()),
    )


def corrupted(
    step: tuple[Corruption, int], was_right: Bools, is_right: Bools, reference: Bools | None
) -> CorruptionRow:
    """One step of a curve: a corruption and its severity.

    All bool (N,): right on the clean pictures, on the corrupted ones, and the float32 reference on the corrupted ones.
    """
    (corruption, severity), hits, n = step, int(is_right.sum()), len(is_right)
    drop, interval = metrics.paired_drop(was_right, is_right)
    row = CorruptionRow(
        corruption=corruption.name,
        severity=severity,
        level=corruption.levels[severity - 1],
        n=n,
        top1=hits / n,
        top1_ci95=metrics.wilson(hits, n),
        drop_from_clean_pp=drop,
        drop_from_clean_pp_ci95=interval,
        right=base64.b64encode(np.packbits(is_right).tobytes()).decode(),
    )
    if reference is None:
        return row
    drop, interval = metrics.paired_drop(reference, is_right)
    return replace(row, drop_pp=drop, drop_pp_ci95=interval, mcnemar_p=metrics.mcnemar(reference, is_right))
