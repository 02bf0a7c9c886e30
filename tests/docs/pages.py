"""What stands in the pages: fenced blocks, the commands in them with what they are shown to print, inline code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"sh", "console"}
LANGUAGES = COMMANDS | {"text", "toml", "json", "python", "ini", "yaml", "nginx"}
"""`sh` is commands alone, `console` commands behind `$ ` with their output below, `text` anything that is not read."""
GENERATED = "docs/reference/cli"


@dataclass(frozen=True)
class Fence:
    """A fenced block: its page, the line of its first content, language and content."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """One command as bash is to run it, on its page; shown: what the page says that it prints."""

    page: str
    line: int
    text: str
    shown: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The command on one line, by which the table of classes knows it."""
        return " ".join(self.text.replace("\\\n", " ").split())


@dataclass(frozen=True)
class Span:
    """Inline code."""

    page: str
    line: int
    text: str


def pages() -> list[str]:
    """README.md and every page below docs/, as paths from the root."""
    return ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


def fences(page: str) -> Iterator[Fence]:
    """The fenced blocks of a page."""
    for token in _tokens(page):
        if token.type == "fence" and token.map:
            yield Fence(page, token.map[0] + 2, token.info.strip(), token.content)


def spans(page: str) -> Iterator[Span]:
    """The inline code of a page, in prose and in tables."""
    line = 0
    for token in _tokens(page):
        line = token.map[0] + 1 if token.map else line
        for child in token.children or ():
            if child.type == "code_inline":
                yield Span(page, line, " ".join(child.content.split()))


def headings(page: str) -> list[str]:
    """The titles in a page, as they are read."""
    tokens = _tokens(page)
    titles = [after for token, after in pairwise(tokens) if token.type == "heading_open"]
    return ["".join(child.content for child in title.children or ()) for title in titles]


def links(page: str) -> list[str]:
    """Where the links and pictures of a page lead."""
    inside = [child for token in _tokens(page) for child in token.children or ()]
    return [str(child.attrs[name]) for child in inside for name in ("href", "src") if name in child.attrs]


def commands(page: str) -> Iterator[Command]:
    """The commands of a page, in order."""
    for fence in fences(page):
        if fence.language == "sh":
            yield from _of_script(fence)
        elif fence.language == "console":
            yield from _of_console(fence)


@lru_cache
def _tokens(page: str) -> Sequence[Token]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return list(MarkdownIt("commonmark").enable("table").parse(text))


def _of_script(fence: Fence) -> Iterator[Command]:
    open_lines: list[str] = []
    begun = 0
    for number, line in enumerate(fence.text.splitlines(), fence.line):
        bare = re.sub(r"(?:^|\s\s*)#(?=\s).*$", "", line).rstrip()
        if not bare:
            continue
        begun = begun if open_lines else number
        open_lines.append(bare)
        if not _goes_on(open_lines):
            yield Command(fence.page, begun, "\n".join(open_lines))
            open_lines = []
    assert not open_lines, f"{fence.page}:{begun} is no whole command"


def _goes_on(lines: list[str]) -> bool:
    return lines[-1].endswith("\\") or (lines[0].startswith("for ") and lines[-1] != "done")


def _of_console(fence: Fence) -> Iterator[Command]:
    parts = re.split(r"^\$ ", fence.text, flags=re.MULTILINE)
    line = fence.line
    assert not parts[0], f"{fence.page}:{fence.line} begins with output"
    for part in parts[1:]:
        asked, *shown = part.splitlines()
        yield Command(fence.page, line, asked, tuple(shown))
        line += 1 + len(shown)
