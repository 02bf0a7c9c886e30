"""A bundle's folder: written beside its place, made to prove itself there, and renamed when it is whole."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_edge.bundle import MANIFEST, Bundle, Manifest
from fer_edge.classifier import load
from fer_edge.errors import OutputError, UsageError
from fer_train.backend import hushed

CONVERSION = "conversion.json"
FOLDER_MODE = 0o755
FILE_MODE = 0o644
AT_FDCWD = -100
RENAME_EXCHANGE = 2
"""As in linux/fcntl.h and linux/fs.h."""


def check_target(out: Path, *, force: bool) -> None:
    """Refuse, before minutes are spent, a place where the bundle could not be put; folders above it are made.

    Raises UsageError when something is there that may not be replaced, OutputError when nothing can be written.
    """
    if out.exists():
        bundle = out.is_dir() and (out / MANIFEST).is_file()
        if not force:
            raise UsageError(f"{out} exists; choose another place" + (" or replace it with --force" if bundle else ""))
        if not bundle:
            raise UsageError(f"{out} is not a bundle, so --force does not replace it; choose another place")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _beside(out):
            pass
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from None


def bundle(out: Path, manifest: Manifest, files: Mapping[str, bytes], *, force: bool) -> str:
    """Put a bundle at `out`, whole or not at all; returns the SHA-256 of its manifest.

    files: everything but the manifest, by name. Before the rename, the folder is opened as a device does and every
    artifact proves itself. Raises BundleRefused when one does not, OutputError when the disk does not take it.
    """
    raw = as_json_bytes(manifest.model_dump(mode="json"))
    try:
        with _beside(out) as folder:
            for name, data in {**files, MANIFEST: raw}.items():
                _write(folder / name, data)
            _prove(folder)
            folder.chmod(FOLDER_MODE)
            _sync(folder)
            check_target(out, force=force)
            _place(folder, out)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from None
    return hashlib.sha256(raw).hexdigest()


def as_json_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as it lies on disk: the same bytes for the same content."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A new hidden folder in the same directory, gone afterwards unless it was renamed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(FILE_MODE)


def _prove(folder: Path) -> None:
    opened = Bundle.open(folder)
    for artifact in opened.manifest.artifacts:
        with hushed():
            load(opened, artifact)


def _place(folder: Path, out: Path) -> None:
    """Rename; an old bundle changes places in one step, or steps aside first and comes back if that fails."""
    if not out.exists():
        folder.rename(out)
        _sync(out.parent)
        return
    if _exchanged(folder, out):  # what was old now lies in `folder`, and is removed with it
        _sync(out.parent)
        return
    with _beside(out) as aside:
        old = aside / out.name
        try:
            out.rename(old)
            folder.rename(out)
        except BaseException:
            if old.exists() and not out.exists():
                old.rename(out)
            raise
        _sync(out.parent)


def _exchanged(one: Path, other: Path) -> bool:
    """Let two paths change places in one step, renameat2(2); False where kernel or file system do not know how."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    paths = (AT_FDCWD, os.fsencode(one.absolute()), AT_FDCWD, os.fsencode(other.absolute()))
    return int(libc.renameat2(*paths, RENAME_EXCHANGE)) == 0


def _sync(folder: Path) -> None:
    """Make names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
