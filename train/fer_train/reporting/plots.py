"""The figures of a report: curves, confusion, classes, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.history import RATE
from fer_train.metrics import wilson
from fer_train.reporting.document import Row
from fer_train.reporting.drawing import FIRST, INK, ON_FIRST, SECOND, THIRD, Drawing, dress, figure, legend
from fer_train.reporting.epochs import Epochs

WIDTH, HEIGHT = 5.4, 3.6
"""Inches of one panel: its text is readable at the width of a phone."""
SOLID = 0.68
"""Share of full colour above which the text of a cell is light."""
CURVES = {"loss": "loss", "accuracy": "accuracy, %", RATE: "learning rate"}
COUNTS, RATIOS = "pictures", "% of the label's pictures"


def curves(history: Epochs, epoch: int, judge: str, names: Sequence[str] = ("loss", "accuracy")) -> Drawing:
    """Over epochs, of training pictures and of those that chose the epoch.

    history: rows of `history.csv`. epoch: the one that was kept. judge: what to call the pictures that chose it.
    names: keys of CURVES, a panel each.
    """
    made = figure(WIDTH * len(names), HEIGHT)
    for place, name in enumerate(names, start=1):
        _curve(made.add_subplot(1, len(names), place), history, epoch, judge, name)
    last, best = history[-1], next(row for row in history if row["epoch"] == epoch)
    said = ", ".join(
        f"{name} {last.get(name, math.nan):.3g} in training after epoch {last['epoch']:.0f}"
        + (f", {best[f'val_{name}']:.3g} on {judge} at epoch {epoch}, which was kept" if f"val_{name}" in best else "")
        for name in names
    )
    return Drawing(made, " and ".join(name.replace("_", " ") for name in names).capitalize() + " over epochs", said)


def _curve(axes: Any, history: Epochs, epoch: int, judge: str, name: str) -> None:  # noqa: ANN401 - matplotlib
    scale = 100.0 if name == "accuracy" else 1.0
    epochs = [row["epoch"] for row in history]
    series = [(name, "training, augmented" if name != RATE else None, SECOND)]
    series += [(f"val_{name}", judge, FIRST)] if name != RATE else []
    for column, label, color in series:
        values = [scale * row[column] for row in history]
        axes.plot(epochs, values, color=color, label=label, linewidth=1.8, marker="." if len(epochs) < 60 else None)
    axes.axvline(epoch, color=INK, linestyle=":", linewidth=1, label=f"kept: epoch {epoch}")
    axes.set_xlabel("epoch")
    axes.set_ylabel(CURVES[name])
    axes.xaxis.get_major_locator().set_params(integer=True)
    if name == RATE and min(row[RATE] for row in history) > 0.0:
        axes.set_yscale("log")
    dress(axes)
    legend(axes)


def confusion(row: Row, labels: Sequence[str], kinds: Sequence[str] = (COUNTS, RATIOS)) -> Drawing:
    """Who is taken for whom, as counts and as percentages of each line; lines are the labels."""
    matrix = np.asarray(row.confusion)
    shares = _shares(matrix)
    texts = {COUNTS: matrix.astype(str), RATIOS: np.char.mod("%.0f", 100.0 * shares)}
    side = max(4.6, 0.62 * len(labels))
    made = figure(max(WIDTH, side) * len(kinds), side)
    for place, kind in enumerate(kinds, start=1):
        axes = made.add_subplot(1, len(kinds), place)
        _cells(axes, shares, texts[kind])
        axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("labelled")
        dress(axes, grid=None)
        if len(kinds) > 1:
            axes.set_title(kind, fontsize="medium", color=INK)
    wrong = shares - np.diag(np.diag(shares))
    true, taken = divmod(int(wrong.argmax()), len(labels))
    said = (
        f"largest confusion: {wrong[true, taken]:.0%} of {labels[true]} are taken for {labels[taken]}"
        if wrong.any()
        else "no label is taken for another"
    )
    return Drawing(made, "Confusion matrix, " + " and ".join(kinds), said)


def heat_map(row: Row, labels: Sequence[str]) -> Drawing:
    """Precision, recall and F1 of each label, and their averages, in percent."""
    values = np.array(
        [[row.class_precision[name], row.recall[name], row.f1[name]] for name in labels]
        + [[row.macro_precision, row.macro_recall, row.macro_f1], [row.weighted_precision, row.top1, row.weighted_f1]]
    )
    made = figure(WIDTH, max(3.6, 0.42 * len(values) + 0.4))
    axes = made.add_subplot()
    _cells(axes, values, np.char.mod("%.1f", 100.0 * values), "auto")
    axes.axhline(len(labels) - 0.5, color=INK, linewidth=1)
    axes.set_xticks(range(3), ["precision", "recall", "F1"])
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(values)), [*labels, "macro average", "weighted average"])
    dress(axes, grid=None)
    best = max(labels, key=lambda name: row.f1[name])
    return Drawing(made, "Precision, recall and F1, %", f"highest F1: {best} with {row.f1[best]:.1%}")


def diagonal(row: Row, labels: Sequence[str]) -> Drawing:
    """Recall of each label, which is the diagonal of the confusion matrix as ratios, with 95 % intervals."""
    made = figure(WIDTH, HEIGHT)
    axes = made.add_subplot()
    values = np.array([row.recall[name] for name in labels])
    hits = [row.confusion[i][i] for i in range(len(labels))]
    ends = np.array([wilson(hit, row.support[name]) for hit, name in zip(hits, labels, strict=True)])
    known = np.array([row.support[name] > 0 for name in labels])
    reach = np.where(known, np.maximum(np.abs(ends.T - values), 0.0), 0.0)
    axes.bar(labels, 100.0 * values, color=FIRST, width=0.65)
    axes.errorbar(
        labels, 100.0 * values, yerr=100.0 * reach, fmt="none", color=INK, ecolor=INK, elinewidth=1.2, capsize=3
    )
    axes.axhline(100.0 * row.top1, color=SECOND, linestyle="--", linewidth=1.2, label=f"accuracy {row.top1:.1%}")
    axes.set_ylim(0.0, 100.0)
    axes.set_ylabel("recognised, %")
    dress(axes, grid="y")
    axes.tick_params(axis="x", rotation=30)
    legend(axes, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    said = ", ".join(f"{name} {row.recall[name]:.1%}" for name in labels)
    return Drawing(made, "Recall of each label", said)


def class_bars(parts: Mapping[str, Mapping[str, int]], labels: Sequence[str]) -> Drawing:
    """Pictures of each label. parts: name of the part, such as "training", to counts by label."""
    made = figure(WIDTH, HEIGHT)
    axes = made.add_subplot()
    width = 0.8 / len(parts)
    for i, ((part, counts), color) in enumerate(zip(parts.items(), (FIRST, SECOND, THIRD), strict=False)):
        places = np.arange(len(labels)) + (i - (len(parts) - 1) / 2) * width
        axes.bar(places, [counts.get(name, 0) for name in labels], width=0.92 * width, color=color, label=part)
    axes.set_xticks(range(len(labels)), labels, rotation=30)
    axes.set_ylabel("pictures")
    dress(axes, grid="y")
    legend(axes, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(parts), borderaxespad=0.0)
    said = "; ".join(
        f"{part}: {', '.join(f'{name} {n}' for name, n in counts.items())}" for part, counts in parts.items()
    )
    return Drawing(made, "Pictures of each label", said)


def reliability(row: Row) -> Drawing:
    """Accuracy over confidence, what a calibrated model would show, and how many pictures stand behind each bar."""
    made = figure(WIDTH, HEIGHT + 0.6)
    upper, lower = made.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    bins = [each for each in row.reliability if each.n]
    middles = [(each.low + each.high) / 2 for each in bins]
    width = 0.92 / len(row.reliability)
    upper.bar(middles, [each.accuracy for each in bins], width=width, color=FIRST, label="accuracy")
    upper.plot([0.0, 1.0], [0.0, 1.0], color=INK, linestyle=":", linewidth=1.2, label="calibrated")
    line = [(each.confidence, each.accuracy) for each in bins]
    upper.plot(
        *zip(*line, strict=True), color=SECOND, marker="o", markersize=3, linewidth=1, label="at mean confidence"
    )
    upper.set_ylim(0.0, 1.0)
    upper.set_ylabel("accuracy")
    lower.bar(middles, [each.n for each in bins], width=width, color=THIRD)
    lower.set_xlim(0.0, 1.0)
    lower.set_xlabel("confidence of the prediction")
    lower.set_ylabel("pictures")
    lower.tick_params(axis="x", pad=6)
    lower.yaxis.get_major_locator().set_params(nbins=2)
    for axes in (upper, lower):
        dress(axes, grid="y")
    legend(upper, loc="upper left")
    return Drawing(made, "Reliability", f"expected calibration error {row.ece:.3f} over {len(row.reliability)} steps")


def _shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    totals = matrix.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0))


def _cells(axes: Any, shares: NDArray[np.float64], texts: NDArray[np.str_], aspect: str = "equal") -> None:  # noqa: ANN401 - matplotlib
    """A field of cells, fuller where the share is larger."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - `figure` has told if it is missing

    height, width = shares.shape
    for (row, column), share in np.ndenumerate(shares):
        place = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(place, 1.0, 1.0, facecolor=FIRST, alpha=float(share), linewidth=0))
        color = ON_FIRST if share > SOLID else INK
        axes.text(column, row, texts[row, column], ha="center", va="center", color=color, fontsize="small")
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_aspect(aspect)
