"""FER2013's original table: a CSV file with the columns emotion, pixels and Usage (Goodfellow et al. 2013).

PATH is the file, or a folder that holds `fer2013.csv`. `icml_face_data.csv`, the same table with blanks in its head, is
read too when it is named. Without the column Usage the table has no parts.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from fer_edge.errors import InputError
from fer_edge.labels import FER2013
from fer_edge.types import Image
from fer_train.data.entries import Entry, Layout, Unusable, numbered

FILE = "fer2013.csv"
LOOKED_FOR = f"the table {FILE}"
USAGE = {"Training": "train", "PublicTest": "test", "PrivateTest": "private"}
MAX_ROW_CHARS = 200_000
"""Of one field: a row of the real table has 9,000 at most, one without line ends is no row."""


def table(root: Path) -> Path | None:
    """The table's file, when that is what the data is."""
    found = root if root.suffix.lower() == ".csv" else root / FILE
    return found if found.is_file() else None


def layout(path: Path) -> Layout:
    """The table as a layout; InputError when it is not one."""
    splits = tuple(USAGE.values()) if "Usage" in _columns(path) else ()
    return Layout("FER2013's table", FER2013, splits, lambda split: _entries(path, split))


def _entries(path: Path, wanted: str | None) -> Iterator[Entry]:
    for line, row in _rows(path):
        split = USAGE.get((row.get("Usage") or "").strip())
        if wanted in {None, split}:
            yield _entry(f"line {line}", row, split)


def _entry(name: str, row: Mapping[str, str | None], split: str | None) -> Entry:
    try:
        label = numbered(row.get("emotion") or "", FER2013)
    except Unusable as problem:
        return Entry(name, "", split, None, str(problem))
    try:
        return Entry(name, label, split, picture(row.get("pixels") or ""))
    except Unusable as problem:
        return Entry(name, label, split, None, str(problem))


def picture(text: str) -> Image:
    """Grey values 0-255 with blanks between them, row by row, as uint8 (S, S); raises Unusable."""
    parts = text.split()
    side = math.isqrt(len(parts))
    if not parts or side * side != len(parts):
        raise Unusable("its pixels are not a square (a short row)")
    digits = "".join(parts)
    if not (digits.isascii() and digits.isdigit()):
        raise Unusable("a pixel is not a whole number")
    try:
        return np.frombuffer(bytes(map(int, parts)), dtype=np.uint8).reshape(side, side)
    except ValueError:
        raise Unusable("a pixel is above 255") from None


def _columns(path: Path) -> list[str]:
    """What the table's first line names; InputError when that is not FER2013's."""
    with _opened(path) as file:
        try:
            names = [name.strip() for name in next(csv.reader(file), [])]
        except csv.Error as error:
            raise _broken(path, 1, error) from None
    if not {"emotion", "pixels"} <= set(names):
        found = ", ".join(names)[:80] or "nothing"
        raise InputError(f"{path} is not FER2013's table: its first line must name emotion and pixels, found {found}")
    return names


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The number of each row's last line, and the row by column."""
    names = _columns(path)
    with _opened(path) as file:
        rows = csv.DictReader(file, names)
        try:
            next(rows, None)
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            raise _broken(path, rows.line_num + 1, error) from None


def _opened(path: Path) -> TextIO:
    csv.field_size_limit(MAX_ROW_CHARS)
    try:
        return path.open(newline="", encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _broken(path: Path, line: int, error: csv.Error) -> InputError:
    return InputError(f"{path}, line {line}: not a row of a table of faces: {error}")
