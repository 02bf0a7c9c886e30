"""Class folders: `PATH/<class>/*`, or `PATH/<split>/<class>/*`; the classes by their names or by a data set's numbers.

A folder directly in PATH is a part when its name is in SPLITS, else a class; files beside the class folders and
folders in them are no data. PATH/happy beside PATH/train is refused: it cannot be told which of them is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fer_edge.errors import InputError
from fer_edge.labels import AFFECTNET8, FER2013, OPTIONAL, RAFDB, canonical
from fer_train.data.entries import Entry, Layout, folders, one_of_each, pictures, split_folders

NUMBERS = {
    "fer2013": {str(i): name for i, name in enumerate(FER2013)},
    "affectnet": {str(i): name for i, name in enumerate(AFFECTNET8)},
    "rafdb": {str(i): name for i, name in enumerate(RAFDB, start=1)},
}
"""What folders that are called by a number hold, by the data set's own numbering."""

KNOWN = frozenset(AFFECTNET8)


def are_in(root: Path) -> bool:
    """Whether there are folders called like expressions, directly or in parts; numbers do not tell."""
    bases = [root, *split_folders(root).values()] if root.is_dir() else []
    return any(canonical(entry.name) in KNOWN for base in bases for entry in folders(base))


def layout(root: Path, kind: str | None) -> Layout:
    """Class folders as a layout.

    kind: whose numbering folders called by numbers follow, a key of NUMBERS; "folder" takes every name for a name;
    None recognises a numbering that only one data set has: 0 to 7 is AffectNet's, 1 to 7 RAF-DB's. Raises InputError
    for numbers that say nothing, and for parts and classes side by side.
    """
    parts = split_folders(root)
    _refuse_mixed(root, parts)
    bases: list[tuple[str | None, Path]] = [*parts.items()] or [(None, root)]
    found = one_of_each(entry.name for _, base in bases for entry in folders(base))
    numbers = _recognised(root, found) if kind is None else NUMBERS.get(kind, {})

    def listed(split: str | None) -> Iterator[Entry]:
        for part, base in bases:
            if split in {None, part}:
                yield from _entries(root, base, part, numbers)

    labels = tuple(numbers.get(name, name) for name in found)
    optional = OPTIONAL if numbers == NUMBERS["affectnet"] else frozenset()
    divided = f" in {', '.join(base.name for base in parts.values())}" if parts else ""
    return Layout(f"class folders{divided}", labels, tuple(parts), listed, optional)


def _entries(root: Path, base: Path, split: str | None, numbers: Mapping[str, str]) -> Iterator[Entry]:
    before = "" if base == root else f"{base.relative_to(root)}/"
    for folder in folders(base):
        label = numbers.get(folder.name, folder.name)
        for file in pictures(folder.path):
            yield Entry(f"{before}{folder.name}/{file.name}", label, split, file.path)


def _recognised(root: Path, names: tuple[str, ...]) -> Mapping[str, str]:
    """The numbering that these folder names can only be of; none when no folder is called by a number."""
    digits = {name for name in names if name.isdecimal()}
    if not digits or any(canonical(name) in KNOWN for name in names):
        return {}
    of = [kind for kind in ("affectnet", "rafdb") if digits == set(NUMBERS[kind])]
    if len(of) == 1:
        return NUMBERS[of[0]]
    raise InputError(
        f"data {root} has class folders called {', '.join(sorted(digits))}, and data sets number classes differently: "
        f"say whose numbers they are, as in affectnet:{root} (or rafdb:, fer2013:)"
    )


def _refuse_mixed(root: Path, parts: Mapping[str, Path]) -> None:
    classes = [entry.name for entry in folders(root) if canonical(entry.name) in KNOWN]
    if parts and classes:
        raise InputError(
            f"data {root} has parts ({', '.join(path.name for path in parts.values())}) and class folders "
            f"({', '.join(classes)}) side by side: name the folder of one part, or take the class folders out"
        )
