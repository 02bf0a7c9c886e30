"""A comparison of runs as one page in one file."""

from __future__ import annotations

from fer_train.reporting import compare_plots, markup
from fer_train.reporting.compare import Comparison, cells


def page(found: Comparison) -> str:
    """The page as HTML."""
    lines = [cells(entry) for entry in found.entries]
    best = lines[0]
    title = f"{len(lines)} runs compared" if len(lines) > 1 else f"Run {best['run']}"
    summary = f"Highest accuracy: {best['run']}, {best['accuracy']} of {best['n']} pictures (95%: {best['95%']})."
    table = markup.table("float32, by accuracy", tuple(best), [tuple(line.values()) for line in lines])
    sentences = [pair.sentence for pair in found.pairs] + [*found.notes]
    drawn = (compare_plots.accuracies(found.entries), compare_plots.costs(found.entries))
    body = [
        markup.heading(title, markup.paragraph(summary, "summary")),
        table,
        *map(markup.paragraph, sentences),
        markup.beside(*map(markup.chart, drawn)),
    ]
    return markup.document(title, body, "wide")
