"""The sections of the page that are not plots of one kind: its head, the verdict, and what could not be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from fer_bench.latency.rows import ScenarioRow
from fer_bench.page import svg
from fer_bench.page.figure import Figure, Series
from fer_bench.results.kinds import ALL
from fer_bench.results.rows import count
from fer_bench.verdict.choice import choose, drop_of
from fer_bench.verdict.facts import Facts, Json, Sentence, Tone
from fer_bench.verdict.words import ms, number
from fer_train.reporting import markup

TONES: Mapping[Tone, str] = {"invalid": "invalid", "warning": "look out", "advice": "do", "fact": "know"}
NOTES = 3
"""So many are shown at once; the first are of the machine, the rest of single variants."""
NO_VERDICT = "These figures carry no sentence: there is nothing to compare, or too little of it."


def head(document: Json) -> str:
    """What was measured, where and when, and whether it may be believed."""
    bundle, machine = document.get("bundle", {}), document.get("environment", {})
    where = machine.get("board") or machine.get("cpu") or "an unknown machine"
    facts = [
        machine.get("cpu"),
        count(machine.get("cpu_count", 0), "CPU"),
        machine.get("machine"),
        machine.get("kernel"),
    ]
    line = " · ".join(str(fact) for fact in facts if fact and fact != where)
    word, tone = _state(document)
    when = f"{document.get('time', '')} · fer-edge {machine.get('fer_edge', '?')}"
    return (
        '<header class="top">\n<div>\n'
        f'<p class="brand">fer-bench {escape(str(document["kind"]))}</p>\n'
        f"<h1>{escape(str(bundle.get('name', 'no bundle')))} on {escape(str(where))}</h1>\n"
        f'<p class="soft">{escape(line)}</p>\n'
        f'<p class="soft">{escape(when)}</p>\n'
        f'</div>\n<p class="pill" data-tone="{tone}">{escape(word)}</p>\n</header>\n'
    )


def verdict(sentences: Sequence[Sentence]) -> str:
    """The first thing that one reads."""
    if not sentences:
        return f'<section class="card verdict">\n<h2>Verdict</h2>\n{markup.paragraph(NO_VERDICT, "soft")}</section>\n'
    items = "".join(_sentence(sentence) for sentence in sentences)
    return f'<section class="card verdict">\n<h2>Verdict</h2>\n<ul>\n{items}</ul>\n</section>\n'


def tiles(facts: Facts) -> str:
    """The figures of what the verdict would use, and of the daemon; nothing where there are none."""
    found: list[tuple[str, str, str]] = []
    choice = choose(facts)
    if choice is not None:
        row = choice.chosen
        low, high = row.p50_ci95_ms or (0.0, 0.0)
        found.append(
            ("One inference, p50", ms(row.p50_ms), f"{number(low)} to {number(high)}, n = {row.n:,}; {row.name}")
        )
        found += _accuracy_tiles(facts, row)
        found.append(("File", f"{row.size_bytes / 1024:,.0f} KiB", f"{row.format}/{row.precision}"))
    late = [row for row in facts.pipeline if row.latency_n]
    found += [
        ("Capture to event, p50", ms(row.latency_p50_ms), f"p95 {ms(row.latency_p95_ms)}, n = {row.latency_n:,}")
        for row in late[:1]
    ]
    found += [
        ("CPU of a frame", ms(row.cpu_ms_per_frame), f"{row.name}, {count(row.n, 'round')}")
        for row in facts.pipeline[:1]
        if row.cpu_ms_per_frame is not None
    ]
    return markup.tiles(found) if found else ""


def chart(figure: Figure, room: str = "") -> str:
    """A plot with its title, how to read it, and its legend; room: a class that says how much of it there is."""
    note = f'<p class="note">{escape(figure.note)}</p>\n' if figure.note else ""
    legend = "".join(_entry(series) for series in figure.legend)
    listed = f'<ul class="legend">{legend}</ul>\n' if legend else ""
    title = f"<figcaption>{escape(figure.title)}</figcaption>"
    return f'<figure class="{f"card {room}".strip()}">\n{title}\n{figure.svg}\n{listed}{note}</figure>\n'


def charts(figures: Sequence[Figure | None]) -> str:
    """Two side by side where there is room; one that is as high as two stands beside two, an odd one has the width."""
    shown = [figure for figure in figures if figure is not None]
    high = [figure for figure in shown if figure.tall]
    low = [figure for figure in shown if not figure.tall]
    shown = [*low[:1], *high, *low[1:]]
    drawn = [chart(figure, "tall" if figure.tall else "") for figure in shown]
    if len(shown) % 2 and not high:
        drawn[-1] = chart(shown[-1], "whole")
    return f'<div class="charts">\n{"".join(drawn)}</div>\n' if drawn else ""


def notes(part: Json) -> str:
    """What to know before one believes the figures."""
    found = [str(note) for note in part.get("notes", ())]
    if not found:
        return ""
    first, more = _noted(found[:NOTES]), found[NOTES:]
    return first + (markup.folded(f"{count(len(more), 'more note')}", _noted(more)) if more else "")


def _noted(found: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in found)}</ul>\n'


def missing(document: Json) -> str:
    """Parts that were not run, and why."""
    left = [row for row in document["rows"] if row["why"]] if document["kind"] == ALL else []
    if not left:
        return ""
    return markup.section(
        "Not measured", markup.table("Parts without figures", ("part", "why"), [(r["part"], r["why"]) for r in left])
    )


def _sentence(sentence: Sentence) -> str:
    figures = f'<span class="figures">{escape(sentence.figures)}</span>' if sentence.figures else ""
    word = f'<span class="tone">{TONES[sentence.tone]}</span>'
    return f'<li data-tone="{sentence.tone}">{word}<p><b>{escape(_begun(sentence.claim))}</b>{figures}</p></li>\n'


def _begun(claim: str) -> str:
    """With a capital, unless it begins with a name of something: `int8`, `fer-edge`, `onnx/int8`."""
    first = claim.split(" ", 1)[0].rstrip(":,")
    return claim[:1].upper() + claim[1:] if first.isalpha() else claim


def _accuracy_tiles(facts: Facts, row: ScenarioRow) -> list[tuple[str, str, str]]:
    drop = drop_of(row, facts.accuracy)
    if drop is None:
        return []
    if drop.interval is None:
        return [("Drop against float32", "none", f"it is float32; n = {drop.n:,}")]
    low, high = drop.interval
    return [("Drop against float32", f"{drop.points:+.2f} points", f"{low:.2f} to {high:.2f}, n = {drop.n:,}")]


def _entry(series: Series) -> str:
    mark = svg.tag(
        "svg", svg.marker((7.0, 7.0), series.shape), viewBox="0 0 14 14", aria_hidden="true", class_=series.color
    )
    return f"<li>{mark}{escape(series.name)}</li>"


def _state(document: Json) -> tuple[str, str]:
    parts = [document, *document.get("parts", {}).values()]
    if any(str(note).startswith("INVALID") for part in parts for note in part.get("notes", ())):
        return "invalid", "bad"
    if not all(part.get("complete", True) for part in parts):
        return "interrupted", "warn"
    return "complete", "good"
