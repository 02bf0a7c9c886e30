"""The winner's keys in the daemon's file: other keys, comments and order stay, and the old file is kept beside it."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from fer_edge import config, toml
from fer_edge.command import prove_writable
from fer_edge.config import MAX_CONFIG_BYTES, Settings
from fer_edge.errors import ConfigError, OutputError, RuntimeUnavailable
from fer_edge.files import read_up_to

MARK = "# fer-bench tune: "
"""Begins every line of the reason, so that the next tuning finds and replaces them."""
WIDTH = 120
MAX_BACKUPS = 1000


@dataclass(frozen=True)
class Change:
    """What became of the file: the difference, and where it and its backup are; `written` is False for a dry run."""

    file: str
    diff: str
    written: bool = False
    backup: str | None = None


def prepared(path: Path, *, dry_run: bool) -> tuple[str, Settings]:
    """The text to begin with (that of `fer-edge config init` where there is no file yet) and what it says.

    Raises before minutes are spent: ConfigError for mistakes, OutputError where nothing can be written,
    RuntimeUnavailable without tomlkit.
    """
    _tomlkit()
    text = current(path)
    if not dry_run:
        prove_writable(str(path.resolve()))
    return text, checked(text, path)


def current(path: Path) -> str:
    """The file's text, or the reference where there is none."""
    if not path.exists():
        return config.reference()
    raw, more = read_up_to(path, MAX_CONFIG_BYTES, f"configuration {path}")
    if more:
        raise ConfigError(f"configuration {path} is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path} is not TOML: {error}") from None


def checked(text: str, path: Path) -> Settings:
    """What a text says; raises ConfigError with every mistake."""
    data = toml.parse(text, f"configuration {path}")
    return toml.check(data, Settings, f"configuration from {path}", lines=toml.lines_of(text))


def edited(text: str, values: Mapping[str, Any], reason: str) -> str:
    """The text with these dotted keys set, and the reason as a comment above the first of them.

    A key that is there keeps its place and its comment. The reason of an earlier tuning goes.
    """
    tomlkit = _tomlkit()
    try:
        document = tomlkit.parse(text)
    except tomlkit.exceptions.TOMLKitError as error:
        raise ConfigError(f"the configuration is laid out in a way that cannot be changed here: {error}") from None
    _forget(document)
    for number, (dotted, value) in enumerate(values.items()):
        *tables, key = dotted.split(".")
        place: Any = document
        for depth, name in enumerate(tables, start=1):
            if name not in place:
                place[name] = tomlkit.table(is_super_table=depth < len(tables))
            place = place[name]
        place[key] = value
        if number == 0:
            # What stands before a key belongs to it, so a comment there moves with it.
            item = place.item(key)
            item.trivia.indent = _comment(reason) + item.trivia.indent
    return str(tomlkit.dumps(document))


def difference(before: str, after: str, path: Path) -> str:
    """As `diff -u` shows it."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), f"{path} (tuned)", lineterm="", n=2
    )
    return "\n".join(lines)


def apply(path: Path, values: Mapping[str, Any], reason: str, *, dry_run: bool) -> Change:
    """Set the keys in the file as it is now, whole or not at all; the old one stays as FILE.bak, FILE.bak.1, ...

    Raises ConfigError when the file was spoilt meanwhile, OutputError when it cannot be written.
    """
    before = current(path)
    checked(before, path)
    after = edited(before, values, reason)
    found = toml.parse(after, f"the tuned {path}")
    checked(after, path)
    for dotted, value in values.items():
        if _get(found, dotted) != value:
            raise ConfigError(
                f"configuration {path} is laid out in a way that {dotted} cannot be set in: set it by hand"
            )
    shown = difference(before if path.exists() else "", after, path)
    if dry_run:
        return Change(str(path), shown)
    real = path.resolve()
    try:
        backup = _backed_up(real) if real.exists() else None
        _replaced(real, after)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    return Change(str(path), shown, written=True, backup=str(backup) if backup else None)


def _replaced(path: Path, text: str) -> None:
    """Written beside it, made to last, and put in its place with the rights and the owner of the old one."""
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        _same_rights(path, Path(part))
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    with _folder(path.parent) as folder:
        os.fsync(folder)


def _same_rights(old: Path, new: Path) -> None:
    if not old.exists():
        new.chmod(0o644)
        return
    stat = old.stat()
    with contextlib.suppress(PermissionError):  # only root gives files away; the rights below matter more
        os.chown(new, stat.st_uid, stat.st_gid)
    new.chmod(stat.st_mode & 0o7777)


def _backed_up(path: Path) -> Path:
    """A copy under the first free name; a backup is never written over."""
    for number in range(MAX_BACKUPS):
        backup = path.with_name(f"{path.name}.bak" + (f".{number}" if number else ""))
        try:
            handle = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(path.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        _same_rights(path, backup)
        shutil.copystat(path, backup)
        return backup
    raise OutputError(f"{path} has {MAX_BACKUPS} backups already: take some away")


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def _comment(reason: str) -> str:
    """Lines that TOML takes for comments, whatever stands in the reason."""
    plain = reason.encode("utf-8", "backslashreplace").decode("utf-8")
    plain = "".join(letter if letter.isprintable() else " " for letter in plain)
    return "".join(f"{MARK}{line}\n" for line in wrap(plain, WIDTH - len(MARK)))


def _forget(document: Any) -> None:  # noqa: ANN401 - a tomlkit container, whose comments have no type of their own
    """Take away what an earlier tuning gave as its reason."""
    from tomlkit.items import Comment, Null  # noqa: PLC0415 - of the extra `bench`

    for number, (_, item) in enumerate(document.body):
        if isinstance(item, Comment) and item.trivia.comment.startswith(MARK.strip()):
            document.body[number] = (None, Null())


def _get(data: Mapping[str, Any], dotted: str) -> Any:  # noqa: ANN401 - TOML's types
    place: Any = data
    for name in dotted.split("."):
        if not isinstance(place, Mapping) or name not in place:
            return None
        place = place[name]
    return place


def _tomlkit() -> Any:  # noqa: ANN401 - a module
    try:
        import tomlkit  # noqa: PLC0415 - of the extra `bench`
    except ImportError:
        raise RuntimeUnavailable(
            "writing a configuration that keeps its comments needs tomlkit: pip install 'fer-edge[bench]'"
        ) from None
    return tomlkit
