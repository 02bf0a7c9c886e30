"""Figures: what they show can be found in the picture, on white and in a page's own colours."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import RuntimeUnavailable
from fer_train.reporting import drawing, plots
from fer_train.reporting.document import Row
from support.reports import row_of, shares

LABELS = ("angry", "happy", "sad")
HISTORY = [
    {"epoch": 1.0, "loss": 2.0, "accuracy": 0.2, "val_loss": 1.9, "val_accuracy": 0.3, "seconds": 9.0},
    {"epoch": 2.0, "loss": 1.5, "accuracy": 0.4, "val_loss": 1.6, "val_accuracy": 0.5, "seconds": 9.0},
]
RATED = [{**row, "learning_rate": rate} for row, rate in zip(HISTORY, (0.1, 0.01), strict=True)]


@pytest.fixture
def row() -> Row:
    """angry: 9 of 10 right, one taken for sad; happy: all of 10; sad: 4 of 10, the rest taken for angry."""
    targets = np.repeat(np.arange(3), 10)
    said = np.array([0] * 9 + [2] + [1] * 10 + [2] * 4 + [0] * 6)
    return row_of(shares(said, 3), targets, LABELS)


def texts(drawn: drawing.Drawing) -> list[str]:
    """All words of a figure, in the order they were drawn."""
    return [element.text or "" for element in ET.fromstring(drawn.svg()).iter("text")]  # noqa: S314 - our own


def gray(drawn: drawing.Drawing) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(drawn.png(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def test_a_fuller_cell_of_the_confusion_matrix_is_darker(row: Row) -> None:
    image = gray(plots.confusion(row, LABELS, [plots.COUNTS]))
    counts = np.bincount(image.ravel(), minlength=256)
    ink = cv2.cvtColor(np.uint8([[[0xA8, 0x56, 0x0F]]]), cv2.COLOR_BGR2GRAY)[0, 0]  # type: ignore[arg-type]
    by_share = [round(255 + share * (float(ink) - 255)) for share in (0.0, 0.1, 0.4, 0.6, 0.9, 1.0)]
    areas = [int(counts[max(0, shade - 2) : shade + 3].sum()) for shade in by_share]
    assert by_share == sorted(by_share, reverse=True)
    assert min(areas) > 2000


def test_the_confusion_matrix_is_drawn_as_counts_and_as_ratios(row: Row) -> None:
    said = texts(plots.confusion(row, LABELS))
    assert said.count("90") == 1
    assert said.count("60") == 1
    assert said.count("9") == 1
    assert {"predicted", "labelled", plots.COUNTS, plots.RATIOS} <= set(said)


def test_the_largest_confusion_is_told_in_words(row: Row) -> None:
    assert plots.confusion(row, LABELS).alt == "largest confusion: 60% of sad are taken for angry"


def test_a_model_that_errs_nowhere_has_no_confusion() -> None:
    targets = np.repeat(np.arange(3), 4)
    assert plots.confusion(row_of(shares(targets, 3), targets, LABELS), LABELS).alt == "no label is taken for another"


def test_the_heat_map_has_precision_recall_f1_and_their_averages(row: Row) -> None:
    said = texts(plots.heat_map(row, LABELS))
    for share in (9 / 15, 9 / 10, 18 / 25, 4 / 5, 8 / 15, row.macro_f1, row.weighted_precision, row.top1):
        assert f"{100 * share:.1f}" in said
    assert {"precision", "recall", "F1", "macro average", "weighted average", *LABELS} <= set(said)


def test_the_diagonal_tells_the_recall_of_each_label(row: Row) -> None:
    assert plots.diagonal(row, LABELS).alt == "angry 90.0%, happy 100.0%, sad 40.0%"


def test_a_label_that_does_not_occur_is_drawn_all_the_same() -> None:
    drawn = plots.diagonal(row_of(shares([0, 1], 3), np.array([0, 1]), LABELS), LABELS)
    assert set(LABELS) <= set(texts(drawn))


def test_class_bars_have_a_colour_for_each_part() -> None:
    parts = {"training": {"angry": 30, "happy": 20, "sad": 10}, "test": {"angry": 3, "happy": 2, "sad": 1}}
    drawn = plots.class_bars(parts, LABELS)
    assert {"training", "test", *LABELS} <= set(texts(drawn))
    assert drawn.alt == "training: angry 30, happy 20, sad 10; test: angry 3, happy 2, sad 1"


def test_the_reliability_diagram_tells_the_error(row: Row) -> None:
    assert plots.reliability(row).alt == f"expected calibration error {row.ece:.3f} over 15 steps"


def test_the_curves_are_of_training_and_of_what_chose_the_epoch() -> None:
    said = texts(plots.curves(HISTORY, 2, "validation"))
    assert said.count("training, augmented") == said.count("validation") == said.count("kept: epoch 2") == 2


def test_a_learning_rate_is_a_curve_where_there_is_one() -> None:
    drawn = plots.curves(RATED, 2, "test", ["loss", "learning_rate"])
    assert "learning rate" in texts(drawn)
    assert drawn.title == "Loss and learning rate over epochs"


@pytest.mark.parametrize("rate", [0.0, float("nan")])
def test_a_run_without_steps_has_curves_too(rate: float) -> None:
    only = {**HISTORY[0], "loss": float("nan"), "learning_rate": rate}
    assert len(plots.curves([only], 1, "test", ["loss", "accuracy", "learning_rate"]).png()) > 1000


@pytest.mark.parametrize("name", ["confusion", "heat_map", "diagonal", "reliability", "curves", "class_bars"])
def test_a_figure_has_no_colour_but_those_of_its_page(row: Row, name: str) -> None:
    drawn = {
        "confusion": lambda: plots.confusion(row, LABELS),
        "heat_map": lambda: plots.heat_map(row, LABELS),
        "diagonal": lambda: plots.diagonal(row, LABELS),
        "reliability": lambda: plots.reliability(row),
        "curves": lambda: plots.curves(RATED, 2, "test", list(plots.CURVES)),
        "class_bars": lambda: plots.class_bars({"training": {"angry": 3}, "test": {"sad": 1}}, LABELS),
    }[name]()
    colors = re.findall(r"(?:fill|stroke): ([^;\"]+)", drawn.svg())
    known = {f"var(--{variable})" for variable in ("ink", "faint", "first", "second", "third", "on-first")}
    assert "var(--ink)" in colors
    assert set(colors) <= {*known, "none"}


def test_a_figure_is_the_same_every_time(row: Row) -> None:
    assert plots.diagonal(row, LABELS).svg() == plots.diagonal(row, LABELS).svg()


def test_a_missing_matplotlib_is_one_sentence(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RuntimeUnavailable, match=r"drawing needs matplotlib: pip install 'fer-edge\[train\]'"):
        plots.reliability(row)
