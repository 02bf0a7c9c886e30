"""Figures of runs that never ran, for pages and comparisons: worked out from labels and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from fer_train import metrics
from fer_train.provenance import Pictures
from fer_train.reporting.document import Bin, Claim, Document, Row, Seen, Training


def shares(predicted: Sequence[int] | NDArray[np.int64], classes: int, confidence: float = 0.9) -> NDArray[np.float64]:
    """Probabilities (N, classes) that give `confidence` to the predicted class and the rest to the others."""
    rows = np.full((len(predicted), classes), (1 - confidence) / (classes - 1))
    rows[np.arange(len(predicted)), np.asarray(predicted)] = confidence
    return rows


def row_of(probabilities: NDArray[np.float64], targets: NDArray[np.int64], labels: Sequence[str]) -> Row:
    """The figures of an evaluation, without a model."""
    scores = metrics.score(probabilities, targets, labels)
    macro, weighted = metrics.means(scores.precision, scores.support)
    drawn = metrics.bootstrap(scores.confusion)
    return Row(
        format="keras",
        precision="float32",
        effective_precision="float32",
        runtime="keras",
        runtime_version="3.0",
        n=scores.n,
        top1=scores.top1,
        top1_ci95=list(scores.top1_ci95),
        top1_bootstrap95=list(drawn.top1),
        loss=metrics.cross_entropy(probabilities, targets),
        ece=scores.ece,
        macro_precision=macro,
        macro_recall=scores.macro_recall,
        macro_f1=scores.macro_f1,
        macro_f1_bootstrap95=list(drawn.macro_f1),
        weighted_precision=weighted,
        weighted_f1=scores.weighted_f1,
        class_precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
        support=scores.support,
        confusion=scores.confusion.tolist(),
        reliability=[Bin(**asdict(each)) for each in metrics.reliability(probabilities, targets)],
    )


def document_of(
    row: Row, data: Pictures, *, seen: Seen | None = "chosen_on", reported: float | None = None
) -> Document:
    """`metrics.json` of a run of two epochs that took three minutes."""
    return Document(
        schema_version=2,
        recipe="fernet-s",
        labels=list(row.support),
        data=data,
        split="test",
        versions={"keras": "3.0"},
        weights=1234,
        macs=5_600_000,
        training=Training(epochs=2, epoch=2, train_s=180.0, seen=seen),
        reported=Claim(accuracy=reported, macro_f1=None, loss=None, source="a paper") if reported else None,
        rows=[row],
    )
