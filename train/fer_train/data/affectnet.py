"""AffectNet as its authors ship it: `images/N.jpg` and `annotations/N_exp.npy` (Mollahosseini et al. 2017).

PATH holds these two folders, or parts that do: `train_set` and `val_set`, or folders of other names in SPLITS.
N_exp.npy holds one number, the expression 0 to 7, as text or as an integer; N_aro, N_val and N_lnd are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from fer_edge.errors import InputError
from fer_edge.labels import AFFECTNET8, OPTIONAL
from fer_train.data.entries import Entry, Layout, Unusable, numbered, pictures, split_folders

IMAGES, ANNOTATIONS = "images", "annotations"
LOOKED_FOR = f"AffectNet's {IMAGES} and {ANNOTATIONS}"
ENDING = "_exp.npy"
MAX_ANNOTATION_BYTES = 4096
"""A real one has 132."""


def shipped(root: Path) -> bool:
    """Whether the data is AffectNet as it comes."""
    return _holds_both(root) or any(_holds_both(base) for base in split_folders(root).values())


def layout(root: Path) -> Layout:
    """The two folders, or parts with them, as a layout; InputError when one part is of another kind."""
    parts = {} if _holds_both(root) else split_folders(root)
    other = [base.name for base in parts.values() if not _holds_both(base)]
    if other:
        raise InputError(
            f"data {root} has {IMAGES} and {ANNOTATIONS} in some parts but not in {', '.join(other)}: "
            "all parts must have the same layout"
        )
    bases: list[tuple[str | None, Path]] = [*parts.items()] or [(None, root)]

    def listed(split: str | None) -> Iterator[Entry]:
        for part, base in bases:
            if split in {None, part}:
                yield from _entries(root, base, part)

    return Layout("AffectNet as shipped", AFFECTNET8, tuple(parts), listed, OPTIONAL)


def _holds_both(folder: Path) -> bool:
    return (folder / IMAGES).is_dir() and (folder / ANNOTATIONS).is_dir()


def _entries(root: Path, base: Path, split: str | None) -> Iterator[Entry]:
    before = "" if base == root else f"{base.relative_to(root)}/"
    without = {path.name[: -len(ENDING)] for path in (base / ANNOTATIONS).glob(f"*{ENDING}")}
    for file in pictures(base / IMAGES):
        number = Path(file.name).stem
        without.discard(number)
        yield _entry(f"{before}{IMAGES}/{file.name}", file.path, base / ANNOTATIONS / f"{number}{ENDING}", split)
    for number in sorted(without):
        yield Entry(f"{before}{ANNOTATIONS}/{number}{ENDING}", "", split, None, "there is no picture of that number")


def _entry(name: str, file: str, annotation: Path, split: str | None) -> Entry:
    try:
        return Entry(name, expression(annotation), split, file)
    except Unusable as problem:
        return Entry(name, "", split, None, str(problem))


def expression(path: Path) -> str:
    """The class that an annotation file tells; raises Unusable."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_ANNOTATION_BYTES + 1)
    except FileNotFoundError:
        raise Unusable(f"it has no annotation ({ENDING})") from None
    except OSError as error:
        raise Unusable(f"its annotation cannot be read ({error.strerror})") from None
    return numbered(_number(raw), AFFECTNET8)


def _number(raw: bytes) -> str:
    """The one value of a .npy file, as text."""
    try:
        value = np.load(BytesIO(raw), allow_pickle=False) if len(raw) <= MAX_ANNOTATION_BYTES else None
    except (ValueError, OSError, EOFError):
        value = None
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind not in "iuU":
        raise Unusable("its annotation is not one number in a .npy file")
    return str(value.reshape(-1)[0])
