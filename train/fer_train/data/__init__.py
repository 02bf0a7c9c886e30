"""Labelled face pictures as one array: where they lie, which class each is, and what could not be read.

Understood layouts of FER2013 and of any folder: `PATH/<split>/<class>/*`, `PATH/<class>/*`, and the original
`fer2013.csv` (columns emotion, pixels, Usage).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import InputError, UsageError
from fer_edge.labels import FER2013, canonical
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Image

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".pgm"})
SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "publictest", "public_test", "validation", "val"),
    "private": ("private", "privatetest", "private_test"),
}
CSV_USAGE = {"train": "Training", "test": "PublicTest", "private": "PrivateTest"}
MAX_ROW_CHARS = 200_000


@dataclass(frozen=True)
class Dataset:
    """N face pictures of one size, in memory.

    images: uint8 (N, S, S) grey or (N, S, S, 3) in the model's colour order, 0-255, cut by `fer_edge.preprocess`.
    targets: int64 (N,), indices into `labels`. names: one per picture, relative to the data's root.
    skipped: "name: reason" for every picture that could not be used. strangers: class names that are not labels.
    """

    images: Image
    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    source: str
    skipped: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.targets)

    def counts(self) -> dict[str, int]:
        """Pictures per class."""
        return {name: int((self.targets == i).sum()) for i, name in enumerate(self.labels)}

    @property
    def misfit(self) -> str:
        """Why the data is not of these labels, all of them and no other; "" when it is."""
        absent = [name for name, count in self.counts().items() if not count]
        reasons = [f"it has {', '.join(self.strangers)}, which is not among them"] if self.strangers else []
        return "; ".join([*reasons, *([f"it has no pictures of {', '.join(absent)}"] if absent else [])])

    def digest(self) -> str:
        """SHA-256 over pictures and targets, so that a report can say on what it stands."""
        found = hashlib.sha256(self.images.tobytes())
        found.update(self.targets.tobytes())
        return found.hexdigest()

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """The same data set with these rows, in this order."""
        rows = np.asarray(indices, dtype=np.int64)
        names = tuple(self.names[i] for i in rows)
        return replace(self, images=self.images[rows], targets=self.targets[rows], names=names)

    def stratified(self, count: int, seed: int) -> Dataset:
        """`count` pictures drawn with the classes in equal shares as far as they reach; the same for the same seed."""
        rng = np.random.default_rng(seed)
        pools = [list(rng.permutation(np.flatnonzero(self.targets == i))) for i in range(len(self.labels))]
        chosen: list[int] = []
        while len(chosen) < count and any(pools):
            for pool in pools:
                if pool and len(chosen) < count:
                    chosen.append(int(pool.pop()))
        return self.subset(sorted(chosen))


def load(
    where: str,
    labels: Sequence[str],
    spec: PreprocessSpec,
    split: str | None = None,
    limit: int | None = None,
) -> Dataset:
    """Read a data set.

    where: `fer2013:PATH`, `folder:PATH` or a path. split: "train", "test" or "private"; None takes the folder as it is.
    limit: take this many, classes in equal shares. Raises InputError when nothing usable is there.
    """
    root = root_of(where)
    table = _table(root)
    rows = _folder_rows(root, split, labels) if table is None else _csv_rows(table, split)
    images, targets, names, skipped, strangers = _read(rows, labels, spec)
    if not targets:
        reason = f"; the first of {len(skipped)} problems: {skipped[0]}" if skipped else ""
        raise InputError(f"no usable pictures under {root}{reason}")
    found = Dataset(
        np.stack(images),
        np.asarray(targets, dtype=np.int64),
        tuple(labels),
        tuple(names),
        str(where),
        tuple(skipped),
        tuple(sorted(strangers)),
    )
    return found if limit is None or limit >= len(found) else found.stratified(limit, seed=0)


def has_split(where: str, split: str) -> bool:
    """Whether the data says which of its pictures belong to this split; errors as in `load`."""
    root = root_of(where)
    if _table(root) is not None:
        return True
    return root.is_dir() and any(entry.is_dir() and entry.name.lower() in SPLITS[split] for entry in root.iterdir())


def root_of(where: str) -> Path:
    """The file or folder that `where` names; InputError when there is none, UsageError for an unknown kind."""
    kind, colon, rest = where.partition(":")
    if colon and kind in {"fer2013", "folder"}:
        root = Path(rest).expanduser()
    elif colon and len(kind) > 1 and not Path(where).exists():
        raise UsageError(f"data {where!r}: there is no data set kind {kind!r}, only fer2013 and folder")
    else:
        root = Path(where)
    if not root.exists():
        raise InputError(f"data {root} does not exist")
    return root


def _table(root: Path) -> Path | None:
    """FER2013's original table, when that is what the data is."""
    table = root if root.suffix == ".csv" else root / "fer2013.csv"
    return table if table.is_file() else None


Row = tuple[str, str, Image | None]
"""Name, class name, picture (None when it could not be read)."""


def _folder_rows(root: Path, split: str | None, labels: Sequence[str]) -> Iterator[Row]:
    base = root
    if split is not None:
        wanted = SPLITS.get(split, (split,))
        inside = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and entry.name.lower() in wanted]
        if not inside:
            raise InputError(f"data {root} has no folder for the split {split!r} (looked for {', '.join(wanted)})")
        base = inside[0]
    classes = [entry for entry in sorted(base.iterdir()) if entry.is_dir()] if base.is_dir() else []
    known = {canonical(name) for name in labels}
    if not any(canonical(entry.name) in known for entry in classes):
        raise InputError(f"data {base} has no class folders: expected some of {', '.join(labels)}")
    for folder in classes:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in PICTURES:
                yield str(path.relative_to(root)), folder.name, cv2.imread(str(path), cv2.IMREAD_COLOR)  # type: ignore[misc]


def _csv_rows(path: Path, split: str | None) -> Iterator[Row]:
    csv.field_size_limit(MAX_ROW_CHARS)
    with path.open(newline="", encoding="ascii", errors="replace") as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                if split is None or row.get("Usage") == CSV_USAGE.get(split, split):
                    label, picture = _csv_label(row.get("emotion")), _csv_picture(row.get("pixels") or "")
                    yield f"line {rows.line_num}", label, picture
        except csv.Error as error:
            raise InputError(f"{path}, line {rows.line_num + 1}: not a row of a table of faces: {error}") from None


def _csv_label(text: str | None) -> str:
    return FER2013[int(text)] if text is not None and text.isdigit() and int(text) < len(FER2013) else str(text)


def _csv_picture(text: str) -> Image | None:
    parts = text.split()
    side = int(len(parts) ** 0.5)
    if not parts or side * side != len(parts) or not all(part.isdigit() for part in parts):
        return None
    values = np.array(parts, dtype=np.int64)
    return values.astype(np.uint8).reshape(side, side) if values.max() <= 255 else None


def _read(
    rows: Iterator[Row], labels: Sequence[str], spec: PreprocessSpec
) -> tuple[list[Image], list[int], list[str], list[str], set[str]]:
    preprocess = Preprocess(spec)
    index = {canonical(name): i for i, name in enumerate(labels)}
    images: list[Image] = []
    targets: list[int] = []
    names: list[str] = []
    skipped: list[str] = []
    strangers: set[str] = set()
    for name, label, picture in rows:
        if canonical(label) not in index:
            skipped.append(f"{name}: unknown class {label!r}")
            strangers.add(label)
        elif picture is None:
            skipped.append(f"{name}: not a readable picture")
        else:
            images.append(preprocess.pixels(picture))
            targets.append(index[canonical(label)])
            names.append(name)
    return images, targets, names, skipped, strangers
