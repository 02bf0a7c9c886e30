"""Pieces of HTML that the pages share; every text is escaped here, and a page asks for nothing outside itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from fer_train.reporting.drawing import Drawing


def heading(title: str, *parts: str) -> str:
    """The top of a page."""
    return f"<header>\n<h1>{escape(title)}</h1>\n{''.join(parts)}</header>\n"


def document(title: str, body: Iterable[str], kind: str = "") -> str:
    """A whole page: `title` for the window, `body` as markup; kind "wide" has room for a table of many columns."""
    style = (resources.files("fer_train.reporting") / "page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main{_kind(kind)}>
{"".join(body)}</main>
</body>
</html>
"""


def section(title: str, *parts: str) -> str:
    """A heading and what belongs to it."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{''.join(parts)}</section>\n"


def paragraph(text: str, kind: str = "") -> str:
    """One paragraph of plain text."""
    return f"<p{_kind(kind)}>{escape(text)}</p>\n"


def tiles(figures: Iterable[tuple[str, str, str]]) -> str:
    """Key figures: (name, value, what it rests on)."""
    cells = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd>{escape(note)}</dd></div>"
        for name, value, note in figures
    )
    return f'<dl class="tiles">{"".join(cells)}</dl>\n'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], foot: Iterable[Sequence[str]] = ()) -> str:
    """The first column names the row; a table that is too wide for the window scrolls within itself."""
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0">\n<table>\n'
        f"<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{columns}</tr></thead>\n"
        f"<tbody>\n{_rows(rows)}</tbody>\n<tfoot>\n{_rows(foot)}</tfoot>\n</table>\n</div>\n"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in pairs)
    return f'<dl class="facts">\n{"".join(lines)}</dl>\n'


def verbatim(text: str) -> str:
    """Text as it is, line by line."""
    return f"<pre>{escape(text)}</pre>\n"


def folded(title: str, content: str) -> str:
    """Content that opens when one asks for it."""
    return f"<details>\n<summary>{escape(title)}</summary>\n{content}</details>\n"


def chart(drawing: Drawing) -> str:
    """A figure with its title; a screen reader hears what can be read off it."""
    label = escape(f"{drawing.title}: {drawing.alt}")
    svg = drawing.svg().replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return f'<figure class="card">\n<figcaption>{escape(drawing.title)}</figcaption>\n{svg}</figure>\n'


def beside(*parts: str) -> str:
    """Figures and tables side by side where there is room."""
    return f'<div class="charts">\n{"".join(parts)}</div>\n'


def gallery(pictures: Iterable[tuple[str, str, str]]) -> str:
    """Small pictures: (address, caption, what a screen reader says); a second line of the caption is smaller."""
    cells = (
        f'<figure><img src="{escape(address)}" alt="{escape(alt)}">\n'
        f"<figcaption>{_lines(caption)}</figcaption></figure>\n"
        for address, caption, alt in pictures
    )
    return f'<div class="gallery">\n{"".join(cells)}</div>\n'


def _lines(text: str) -> str:
    first, _, rest = text.partition("\n")
    return escape(first) + (f"<small>{escape(rest)}</small>" if rest else "")


def _rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"<tr>{_row(cells)}</tr>\n" for cells in rows)


def _row(cells: Sequence[str]) -> str:
    rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<th scope="row">{escape(cells[0])}</th>{rest}'


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
