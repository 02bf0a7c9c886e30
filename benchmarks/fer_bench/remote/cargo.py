"""What travels to the board: which words of a verb's command are paths, and the files behind them with their hashes.

Every flag that names a file is in CARRIED, OUTPUTS or THERE; nothing is guessed from how a word looks. A word is
carried when there is something of that name here; else it goes as it is, and is looked for over there.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fer_edge.bundle import locate, shipped
from fer_edge.errors import InputError, UsageError

Kind = Literal["model", "data", "file"]

CARRIED: dict[str, Kind] = {
    "bundle": "model",
    "more": "model",
    "model": "model",
    "data": "data",
    "source": "file",
    "detector_weights": "file",
    "config": "file",
}
"""By the names of the verbs' parsers: what the word means."""
THERE = ("peer",)
"""Files that are looked for over there alone: a peer's adapter names an interpreter of that machine, and code."""
OUTPUTS = ("json", "out")
"""Where a verb writes its JSON: a file, or a folder with RESULT in it. It is brought back, asked for or not."""
RESULT = "result.json"
SCHEME = re.compile(r"(?P<before>[a-z0-9]+:)(?P<path>.+)", re.DOTALL)
"""As `--data fer2013:PATH` has it."""
MAX_FILES = 200_000
MAX_BYTES = 8 * 10**9
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Tree:
    """A file or a folder here, and what it is called there.

    here: as it was named. files: names, with path, hash and size; in the folder, or next to each other.
    """

    here: str
    name: str
    folder: bool
    files: tuple[tuple[str, Path, str, int], ...]

    def as_frame(self) -> dict[str, Any]:
        """For the other side."""
        return {"name": self.name, "folder": self.folder, "files": [(name, sha) for name, _, sha, _ in self.files]}


@dataclass
class Cargo:
    """A verb's command for the other side, what has to be there for it, and where its JSON goes.

    here: the file or folder that was named, if any. folder: whether it is one.
    """

    argv: list[Any] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    here: str | None = None
    folder: bool = False

    def blobs(self) -> dict[str, tuple[Path, int]]:
        """Hash to one of the files that have it, and its size."""
        return {sha: (path, size) for tree in self.trees for _, path, sha, size in tree.files}


def pack(verb: str, parser: argparse.ArgumentParser, words: Sequence[str]) -> Cargo:
    """Take a verb's words apart with its own parser, and put them together for the other side.

    Raises InputError for files that cannot be read, UsageError for too many of them.
    """
    cargo, last = Cargo(argv=[verb]), list[Any]()
    known = {action.dest for action in _actions(parser)}
    output = next(name for name in OUTPUTS if name in known)
    cargo.folder = output == "out"
    for action, value in plain_values(parser, words):
        if action.dest == output:
            cargo.here = value
        elif action.option_strings:
            cargo.argv += _option(action, _word(cargo, action.dest, value))
        else:
            word = _word(cargo, action.dest, value)
            last += word if isinstance(word, list) else [word]
    cargo.argv.append({"output": "" if cargo.folder else RESULT, "before": f"--{output}="})
    cargo.argv += ["--", *last] if last else []
    total = sum(size for _, size in cargo.blobs().values())
    if total > MAX_BYTES:
        raise UsageError(
            f"{total / 1e9:.1f} GB would have to be carried, more than {MAX_BYTES / 1e9:g}: measure over there"
        )
    return cargo


def plain_values(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[tuple[argparse.Action, Any]]:
    """Which of a parser's flags were given, and their words as they were written."""
    raw = copy.deepcopy(parser)
    actions = _actions(raw)
    for action in actions:
        action.type, action.choices, action.default = None, None, None
    namespace = raw.parse_args(list(words), argparse.Namespace(**dict.fromkeys(action.dest for action in actions)))
    values = [(action, getattr(namespace, action.dest)) for action in actions]
    return [(action, value) for action, value in values if value is not None]


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.dest != "help"]  # noqa: SLF001 - argparse lists its flags nowhere else


def _option(action: argparse.Action, word: Any) -> list[Any]:  # noqa: ANN401 - a word, a path to be, or several
    """`--flag=word`: with the equals sign no word can be taken for a flag."""
    name = action.option_strings[-1]
    if isinstance(word, bool):
        return [next(each for each in action.option_strings if each.startswith("--no-") is not word)]
    if isinstance(word, list) and action.nargs is not None:
        return [name, *word]
    words = word if isinstance(word, list) else [word]
    return [
        {**each, "before": f"{name}={each['before']}"} if isinstance(each, dict) else f"{name}={each}" for each in words
    ]


def _word(cargo: Cargo, dest: str, value: Any) -> Any:  # noqa: ANN401 - as argparse gives it
    """The value, with what is carried in the place of paths."""
    kind = CARRIED.get(dest)
    if kind is None:
        return value
    if isinstance(value, list):
        return [_place(cargo, kind, each) for each in value]
    return _place(cargo, kind, value)


def _place(cargo: Cargo, kind: Kind, value: str) -> str | dict[str, Any]:
    before, path = _split(value) if kind == "data" else ("", value)
    if kind == "model" and not Path(path).exists():
        path = _bundle(path)
    if not path or not Path(path).exists():
        return value
    beside = [Path(path).with_suffix(".bin")] if kind == "model" and Path(path).suffix.lower() == ".xml" else []
    cargo.trees.append(tree(path, path, beside))
    return {"tree": len(cargo.trees) - 1, "before": before}


def _split(value: str) -> tuple[str, str]:
    found = SCHEME.fullmatch(value)
    return ("", value) if found is None or Path(value).exists() else (found["before"], found["path"])


def _bundle(name: str) -> str:
    """A bundle's path here; "" for one that ships, which the board has too, and for one that is unknown here."""
    try:
        path = locate(name)
    except InputError:
        return ""
    return "" if path.parent.resolve() == shipped().resolve() else str(path)


def tree(path: str, here: str, beside: Sequence[Path] = ()) -> Tree:
    """A file, or all files of a folder, hashed; beside: files that belong to a lone one, and lie next to it."""
    root = Path(path)
    try:
        real = root.resolve(strict=True)
        name = root.name if root.name not in {"", ".."} else real.name or "root"
        if not real.is_dir():
            found = [(name, real), *((each.name, each.resolve(strict=True)) for each in beside)]
            return Tree(here, name, folder=False, files=tuple((word, each, *_hash(each)) for word, each in found))
        files = tuple((str(each.relative_to(real)), each, *_hash(each)) for each in _walk(real))
    except OSError as error:
        raise InputError(f"{error.filename or path} cannot be carried: {error.strerror}") from None
    return Tree(here, name, folder=True, files=files)


def _walk(root: Path) -> Iterator[Path]:
    """Regular files, links followed, no folder twice."""
    seen: set[tuple[int, int]] = set()
    number = 0
    for folder, folders, names in os.walk(root, followlinks=True):
        found = Path(folder).stat()
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file():
                number += 1
                if number > MAX_FILES:
                    raise UsageError(f"{root} has more than {MAX_FILES} files: measure over there")
                yield path


def _hash(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
