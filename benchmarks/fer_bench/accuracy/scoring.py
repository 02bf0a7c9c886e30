"""From what an artifact said of every picture to its row."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np

from fer_bench.accuracy.corruptions import Corruption
from fer_bench.accuracy.trials import Bools, Probabilities, Trial, right
from fer_bench.results.rows import AccuracyRow, CorruptionRow
from fer_train import data, metrics

CONFIDENCE_DIGITS = 4


def scored(trial: Trial, reference: Trial | None, dataset: data.Dataset) -> AccuracyRow:
    """The row with everything that the probabilities tell, alone and against the reference."""
    if trial.probabilities is None:
        return trial.row
    row = _alone(trial.row, trial.probabilities, dataset)
    row = replace(row, corruptions=tuple(trial.corruptions))
    if reference is None or reference.probabilities is None:
        return row
    mine, theirs = right(trial.probabilities, dataset), right(reference.probabilities, dataset)
    drop, interval = metrics.paired_drop(theirs, mine)
    return replace(
        row,
        reference=reference.row.name,
        drop_pp=drop,
        drop_pp_ci95=interval,
        mcnemar_p=metrics.mcnemar(theirs, mine),
        agreement=metrics.agreement(reference.probabilities, trial.probabilities),
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


def _alone(row: AccuracyRow, probabilities: Probabilities, dataset: data.Dataset) -> AccuracyRow:
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
