"""The page as a whole: one file that asks for nothing outside itself and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib import resources

from fer_bench.page import plots, plots_accuracy, plots_pipeline, plots_soak, provenance, sections, tables
from fer_bench.page.figure import Figure, series_of
from fer_bench.verdict.facts import Facts, Json, Sentence, facts, parts_of
from fer_bench.verdict.run import judge, limit_of
from fer_train.reporting import markup

TITLES = {
    "latency": "One inference",
    "accuracy": "Accuracy",
    "pipeline": "The whole daemon",
    "soak": "Under load until warm",
}
FOOT = "Raw samples and all of the above are in the result's JSON. This page asks for nothing outside itself."


def page(document: Json, max_drop_pp: float | None = None) -> str:
    """The page of any result as HTML; max_drop_pp as in `verdict.run.judge`."""
    found = facts(document, limit_of(document, max_drop_pp))
    sentences = judge(document, max_drop_pp)
    body = [
        sections.head(document),
        sections.verdict(sentences),
        sections.tiles(found),
        sections.missing(document),
        *[_part(kind, part, found) for kind, part in parts_of(document)],
        "".join(provenance.fold(kind, part) for kind, part in parts_of(document)),
        f"<footer>{escape(FOOT)}</footer>\n",
    ]
    return _document(_title(document, sentences), "".join(body))


def _part(kind: str, part: Json, found: Facts) -> str:
    figures, tabled = _drawn(kind, part, found), _tabled(kind, found)
    raw = tables.raw(kind, part.get("rows", ()))
    folded = f'<div class="raw">\n{markup.folded(f"All figures: {kind}", raw)}</div>\n' if raw else ""
    return markup.section(
        TITLES.get(kind, kind.capitalize()), sections.charts(figures), tabled, sections.notes(part), folded
    )


def _drawn(kind: str, part: Json, found: Facts) -> Sequence[Figure | None]:
    looks = series_of([*found.latency, *found.accuracy])
    if kind == "latency":
        rows = found.single
        return [plots.trade(rows, found.accuracy, looks), plots.sweep(rows, looks), plots.samples(rows, looks)]
    if kind == "accuracy":
        units = {name: str(each["unit"]) for name, each in part.get("corruptions", {}).get("kinds", {}).items()}
        judged = found.accuracy
        return [
            plots_accuracy.accuracies(judged, looks),
            plots_accuracy.recalls(judged, looks),
            *plots_accuracy.curves(judged, looks, units),
        ]
    if kind == "pipeline":
        return [plots_pipeline.stages(found.pipeline), plots_pipeline.costs(found.pipeline)]
    return plots_soak.curves(part.get("curve", ()))


def _tabled(kind: str, found: Facts) -> str:
    if kind == "latency":
        return tables.latency(found.latency) + tables.failures(found.latency)
    if kind == "accuracy":
        return tables.accuracy(found.accuracy) + tables.failures(found.accuracy)
    if kind == "pipeline":
        return tables.pipeline(found.pipeline) + tables.failures(found.pipeline)
    return tables.soak(found.soak) + tables.failures(found.soak)


def _title(document: Json, sentences: Sequence[Sentence]) -> str:
    first = next((sentence.claim for sentence in sentences if sentence.tone in {"invalid", "advice"}), "fer-bench")
    return f"{document.get('bundle', {}).get('name', document['kind'])}: {first}"


def _document(title: str, body: str) -> str:
    style = (resources.files("fer_bench.page") / "page.css").read_text(encoding="utf-8")
    # What the policy's hash is of has to be the element's content to the byte.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""
