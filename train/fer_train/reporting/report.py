"""Everything that a run folder says of its model, written in one go."""

from __future__ import annotations

import json
from pathlib import Path

from fer_train import crop, provenance
from fer_train.evaluate import Evaluation, Trained
from fer_train.reporting import document, epochs, grids, page, plots, predictions, summary
from fer_train.reporting.card import card
from fer_train.reporting.drawing import Drawing
from fer_train.reporting.files import put
from fer_train.reporting.pictures import as_png
from fer_train.reporting.story import Story

TABLE, CARD, PAGE = "report.txt", "card.md", "report.html"
CURVES, CONFUSION, DIAGONAL, CLASSES, HEAT_MAP, RELIABILITY = (
    f"{name}.png" for name in ("curves", "confusion", "recall", "classes", "heatmap", "reliability")
)
RIGHT, WRONG = "right.png", "wrong.png"


def write(run: Path, trained: Trained, evaluation: Evaluation, split: str) -> list[Path]:
    """Write figures, table, card, plots, examples and the page into the run folder; returns their paths.

    Raises InputError when the run has no history, ConfigError when a file in it is damaged, OutputError when something
    cannot be written.
    """
    found = tell(run, trained, evaluation, split)
    color = trained.recipe.preprocess.color
    right, wrong = (grids.examples(evaluation, right=which, color=color) for which in (True, False))
    written = [
        put(run / document.FILE, json.dumps(found.document.model_dump(mode="json"), indent=2) + "\n"),
        predictions.write(run / predictions.FILE, evaluation),
        put(run / TABLE, summary.table(found.scores) + "\n"),
        put(run / CARD, card(found)),
        *(put(run / name, drawing.png()) for name, drawing in drawings(found).items()),
    ]
    for name, each in ((RIGHT, right), (WRONG, wrong)):
        if each:
            written.append(put(run / name, as_png(grids.sheet(each))))
        else:
            (run / name).unlink(missing_ok=True)  # one of an earlier report would not be of these figures
    return [*written, put(run / PAGE, page.page(found, right, wrong))]


def tell(run: Path, trained: Trained, evaluation: Evaluation, split: str) -> Story:
    """Bring together what the pages are written from; errors as in `write`."""
    fitted = run / crop.FILE
    return Story(
        recipe=trained.recipe,
        document=summary.document(trained, evaluation, split),
        scores=evaluation.scores,
        epochs=epochs.read(run),
        provenance=provenance.read(run),
        crops=crop.read(fitted).detectors if fitted.exists() else {},
    )


def drawings(story: Story) -> dict[str, Drawing]:
    """The plots, by file name."""
    row, labels = story.document.row, story.document.labels
    names = [name for name in plots.CURVES if name in story.epochs[0]]
    return {
        CURVES: plots.curves(story.epochs, story.epoch, story.judge, names),
        CONFUSION: plots.confusion(row, labels),
        DIAGONAL: plots.diagonal(row, labels),
        HEAT_MAP: plots.heat_map(row, labels),
        RELIABILITY: plots.reliability(row),
        CLASSES: plots.class_bars(story.parts, labels),
    }
