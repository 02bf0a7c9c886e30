"""The files of a run folder, and how they are written: whole or not at all, and never over the last good ones."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from fer_edge.errors import OutputError

RECIPE = "recipe.json"
HISTORY = "history.csv"
STEPS = "steps.csv"
CHECKPOINT = "checkpoint.npz"
BEST = "best.weights.h5"
MODEL = "model.keras"
LOGS = "logs"
SAID = "teachers.npy"

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this account may write",
}


def replace(path: Path, write: Callable[[str], object]) -> None:
    """Write beside `path` and rename, so that a kill or a full disk leaves the old file or the new one.

    write: makes a file of the name it gets. Raises OutputError when that fails.
    """
    fresh = path.with_name("new." + path.name)
    try:
        write(str(fresh))
        _onto_the_disk(fresh)
        os.replace(fresh, path)
    except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
        fresh.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {_reason(error)}") from None


def _onto_the_disk(path: Path) -> None:
    """A renamed file is only safe from a power cut once its bytes have left the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _reason(error: OSError | RuntimeError) -> str:
    """In a few words; HDF5 puts the system's error number into its text only."""
    code = getattr(error, "errno", None)
    text = str(error)
    for known, reason in FULL.items():
        if code == known or f"errno = {known}" in text or os.strerror(known) in text:
            return reason
    return (getattr(error, "strerror", None) or text or type(error).__name__).splitlines()[0]
