"""The three files of a report: JSON for programs, text for terminals, a page for people."""

from __future__ import annotations

import os
from pathlib import Path

from fer_bench.everything.texts import text_of
from fer_bench.page.document import page
from fer_bench.verdict.facts import Json
from fer_edge.command import prove_writable, write_json
from fer_edge.errors import OutputError

RESULT, TEXT, PAGE = "result.json", "report.txt", "report.html"


def ready(folder: Path) -> None:
    """Make the folder if there is none; raises OutputError when nothing could be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror}") from None
    prove_writable(str(folder / RESULT))


def keep(folder: Path, document: Json) -> None:
    """The JSON alone, whole or not at all: after every part."""
    write_json(document, str(folder / RESULT))


def write(folder: Path, document: Json) -> list[Path]:
    """All three; raises OutputError."""
    keep(folder, document)
    put(folder / TEXT, text_of(document) + "\n")
    put(folder / PAGE, page(document))
    return [folder / name for name in (RESULT, TEXT, PAGE)]


def put(path: Path, text: str) -> None:
    """A text file, whole or not at all; raises OutputError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
