"""The figures of a comparison: accuracy with its interval, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_train.reporting.compare import Entry
from fer_train.reporting.drawing import FIRST, INK, SECOND, Drawing, dress, figure, legend
from fer_train.reporting.plots import HEIGHT, WIDTH


def accuracies(entries: Sequence[Entry]) -> Drawing:
    """Each run's accuracy with its 95 % interval, and what is reported for its recipe."""
    made = figure(WIDTH, max(2.2, 0.45 * len(entries) + 1.2))
    axes = made.add_subplot()
    rows = [entry.document.row for entry in entries]
    values = np.array([row.top1 for row in rows])
    reach = np.abs(np.array([row.top1_ci95 for row in rows]).T - values)
    places = np.arange(len(entries))
    axes.errorbar(100 * values, places, xerr=100 * reach, fmt="o", color=FIRST, ecolor=INK, capsize=3, label="reached")
    said = [(i, entry.document.reported.accuracy) for i, entry in enumerate(entries) if entry.document.reported]
    if said:
        axes.scatter(
            [100 * share for _, share in said], [i for i, _ in said], marker="D", color=SECOND, label="reported"
        )
        legend(axes, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.0)
    axes.set_yticks(places, [entry.name for entry in entries])
    axes.set_ylim(len(entries) - 0.5, -0.5)
    axes.set_xlabel("accuracy, %")
    dress(axes, grid="x")
    alt = ", ".join(f"{entry.name} {row.top1:.1%}" for entry, row in zip(entries, rows, strict=True))
    return Drawing(made, "Accuracy", alt)


def costs(entries: Sequence[Entry]) -> Drawing:
    """Accuracy over the multiply-accumulates of one picture."""
    made = figure(WIDTH, HEIGHT)
    axes = made.add_subplot()
    for entry in entries:
        place = (max(entry.document.macs, 1) / 1e6, 100 * entry.document.row.top1)
        axes.scatter(*place, color=FIRST)
        axes.annotate(entry.name, place, xytext=(6, 4), textcoords="offset points", color=INK, fontsize="small")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")

    axes.margins(0.2)
    axes.set_xlabel("million multiply-accumulates per picture")
    axes.set_ylabel("accuracy, %")
    dress(axes)
    alt = ", ".join(f"{entry.name} {entry.document.macs / 1e6:.1f} million" for entry in entries)
    return Drawing(made, "Accuracy over cost", alt)
