"""Curves and confusion matrices as PNG files; drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import OutputError, RuntimeUnavailable

DPI = 110
TRAIN_COLOR, TEST_COLOR = "tab:blue", "tab:orange"
DARK = 0.5
"""Share of the colour scale above which text is white."""


def curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Loss and accuracy over epochs, of training and test pictures.

    history: rows with the columns of `history.csv`. Raises OutputError when the file cannot be written.
    """
    figure = _figure(10.0, 4.0)
    epochs = [row["epoch"] for row in history]
    for place, (name, title) in enumerate((("loss", "loss"), ("accuracy", "accuracy, %")), start=1):
        scale = 100.0 if name == "accuracy" else 1.0
        axes = figure.add_subplot(1, 2, place)
        for column, label, color in ((name, "train, augmented", TRAIN_COLOR), (f"val_{name}", "test", TEST_COLOR)):
            axes.plot(epochs, [scale * row[column] for row in history], color=color, label=label, marker=".")
        axes.set_xlabel("epoch")
        axes.set_ylabel(title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    best = max(history, key=lambda row: row["val_accuracy"])
    top = 100.0 * best["val_accuracy"]
    axes.axvline(best["epoch"], color="tab:gray", linestyle=":")
    axes.set_title(f"chosen: epoch {best['epoch']:.0f}, {top:.2f}% on test", fontsize="medium")
    _save(figure, path)


def confusion(matrix: NDArray[np.int64], labels: Sequence[str], path: Path) -> None:
    """Counts, and the same as percentages of each row; rows are the truth.

    matrix: int64 (L, L). Raises OutputError when the file cannot be written.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    figure = _figure(12.5, 5.6)
    parts = ((matrix.astype(str), "pictures"), (np.char.mod("%.0f", 100.0 * shares), "% of the true label's pictures"))
    for place, (texts, title) in enumerate(parts, start=1):
        axes = figure.add_subplot(1, 2, place)
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("labelled")
        axes.set_title(title, fontsize="medium")
        for (row, column), share in np.ndenumerate(shares):
            axes.text(
                column, row, texts[row, column], ha="center", va="center", color="white" if share > DARK else "black"
            )
    _save(figure, path)


def _figure(width: float, height: float) -> Any:  # noqa: ANN401 - matplotlib is optional and skipped by the type check
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - not in the base install
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the base install
    except ImportError:
        raise RuntimeUnavailable("drawing needs matplotlib: pip install 'fer-edge[train]'") from None
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401 - see _figure
    try:
        figure.savefig(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
