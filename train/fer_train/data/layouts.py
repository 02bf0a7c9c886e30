"""Which layout a data set has: said before its path, as in `affectnet:PATH`, or recognised.

Recognised are, in PATH itself: FER2013's table, AffectNet as shipped, RAF-DB as shipped, else class folders. Two of
them at once are refused. For `rafdb:` the class folders may also lie in `DATASET` within PATH, as in a copy that is
much used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fer_edge.errors import InputError, UsageError
from fer_train.data import affectnet, fer2013, folders, rafdb
from fer_train.data.entries import Layout

KINDS = ("fer2013", "affectnet", "rafdb", "folder")
SHIPPED = {"fer2013": fer2013.LOOKED_FOR, "affectnet": affectnet.LOOKED_FOR, "rafdb": rafdb.LOOKED_FOR}
RAFDB_COPY = "DATASET"


def root_of(where: str) -> Path:
    """The file or folder that `where` names; InputError when there is none, UsageError for an unknown kind."""
    root = _parted(where)[1]
    if not root.exists():
        raise InputError(f"data {root} does not exist")
    return root


def find(where: str) -> Layout:
    """The layout of the data; errors as in `root_of`, and InputError when it has none or more than one."""
    root, kind = root_of(where), _parted(where)[0]
    found = list(_shipped(root, kind))
    if not found and root.is_file():
        raise InputError(f"data {root} is a file: only FER2013's table, a .csv file, is read so")
    if len(found) > 1 or (found and kind is None and folders.are_in(root)):
        beside = [SHIPPED[name] for name, _ in found] + (["class folders"] if folders.are_in(root) else [])
        raise InputError(
            f"data {root} holds {' and '.join(beside)}: say which is meant, as in {found[0][0]}:PATH or folder:PATH"
        )
    if found:
        return found[0][1]()
    base = root / RAFDB_COPY
    return folders.layout(base if kind == "rafdb" and base.is_dir() else root, kind)


def looked_for(where: str) -> str:
    """What would have made the data a data set, beside class folders; for an error's sentence."""
    kind = _parted(where)[0]
    names = [text for name, text in SHIPPED.items() if kind in {None, name}]
    return f"looked also for {', '.join(names)}" if names else "looked for nothing else"


def _shipped(root: Path, kind: str | None) -> Iterator[tuple[str, Callable[[], Layout]]]:
    """The kinds of which this is the original form, and what reads it."""
    table = fer2013.table(root)
    if table is not None and kind in {None, "fer2013"}:
        yield "fer2013", lambda: fer2013.layout(table)
    if kind in {None, "affectnet"} and root.is_dir() and affectnet.shipped(root):
        yield "affectnet", lambda: affectnet.layout(root)
    place = rafdb.find(root) if kind in {None, "rafdb"} else None
    if place is not None:
        yield "rafdb", lambda: rafdb.layout(place)


def _parted(where: str) -> tuple[str | None, Path]:
    kind, colon, rest = where.partition(":")
    if colon and kind in KINDS:
        return kind, Path(rest).expanduser()
    if colon and len(kind) > 1 and not Path(where).exists():
        raise UsageError(f"data {where!r}: there is no data set kind {kind!r}, only {', '.join(KINDS)}")
    return None, Path(where)
