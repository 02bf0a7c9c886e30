"""RAF-DB's basic expressions as its authors ship them: a list of labels and a folder of aligned faces (Li et al. 2017).

PATH, or `basic` in it, holds `list_patition_label.txt` (the authors' spelling), directly or in `EmoLabel`, and the
pictures in `aligned` or `Image/aligned`. A line of the list is `train_00001.jpg 5`; its picture is
`train_00001_aligned.jpg`, its label counts from 1, its part is how the name begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fer_edge.errors import InputError
from fer_edge.labels import RAFDB
from fer_train.data.entries import Entry, Layout, Unusable, numbered, pictures

FILE = "list_patition_label.txt"
LOOKED_FOR = f"RAF-DB's {FILE}"
LISTS = (FILE, f"EmoLabel/{FILE}")
FACES = ("aligned", "Image/aligned")
SUFFIX = "_aligned"
SPLITS = ("train", "test")
MAX_LIST_BYTES = 16 << 20
"""The real list has 300 kB."""


class Place(NamedTuple):
    """Where the list and the faces are."""

    labels: Path
    faces: Path


def find(root: Path) -> Place | None:
    """Where RAF-DB lies in this folder, as it comes; InputError when its list is there without the faces."""
    bases = (root, root / "basic")
    labels = next((path for base in bases for name in LISTS if (path := base / name).is_file()), None)
    if labels is None:
        return None
    faces = next((path for base in bases for name in FACES if (path := base / name).is_dir()), None)
    if faces is None:
        raise InputError(f"data {root} has RAF-DB's {FILE} but no pictures: looked for folders {' and '.join(FACES)}")
    return Place(labels, faces)


def layout(place: Place) -> Layout:
    """List and faces as a layout."""
    return Layout("RAF-DB as shipped", RAFDB, SPLITS, lambda split: _entries(place, split))


def _entries(place: Place, wanted: str | None) -> Iterator[Entry]:
    faces = {Path(file.name).stem: file.path for file in pictures(place.faces)}
    for number, line in enumerate(_text(place.labels).splitlines(), start=1):
        entry = _entry(number, line, faces) if line.strip() else None
        if entry is not None and wanted in {None, entry.split}:
            yield entry
    for stem, path in faces.items():  # those that no line took
        split = _split(stem)
        if wanted in {None, split}:
            yield Entry(Path(path).name, "", split, None, f"it has no line in {FILE}")


def _entry(number: int, line: str, faces: dict[str, str]) -> Entry:
    """The picture of a line, which is taken out of `faces`."""
    name, _, label = line.strip().partition(" ")
    file, split = faces.pop(Path(name).stem + SUFFIX, None), _split(name)
    if split is None:
        return Entry(f"{FILE} line {number}", "", None, None, "it does not begin with train_ or test_")
    if file is None:
        return Entry(name, "", split, None, f"there is no picture of that name with {SUFFIX} in it")
    try:
        return Entry(name, numbered(label, RAFDB, start=1), split, file)
    except Unusable as problem:
        return Entry(name, "", split, None, str(problem))


def _split(name: str) -> str | None:
    start = name.partition("_")[0]
    return start if start in SPLITS else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_LIST_BYTES:
        raise InputError(f"{path} is no list of labels: it has more than {MAX_LIST_BYTES >> 20} MiB")
    return raw.decode("utf-8", errors="replace")
