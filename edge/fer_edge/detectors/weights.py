"""YuNet's weights: which are known, and where they are found. They are told by their hash, never by their name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_edge.bundle import model_folders
from fer_edge.errors import InputError
from fer_edge.files import read_up_to

MAX_BYTES = 16 * 1024 * 1024
"""Of a weights file that was named; YuNet's own have 230 kB."""


@dataclass(frozen=True)
class KnownWeights:
    """A published file: its version, length and SHA-256."""

    version: str
    size_bytes: int
    sha256: str


KNOWN = (
    KnownWeights("2026may", 229_738, "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"),
    KnownWeights("2023mar", 232_589, "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"),
)
"""OpenCV Zoo's `face_detection_yunet` (MIT licence), best first: 2026may takes any picture size in every runtime."""


@dataclass(frozen=True)
class FoundWeights:
    """Weights in memory, and the file they came from. version: "unknown" for a file that was named but is not known."""

    path: Path
    version: str
    data: bytes


def find_weights() -> FoundWeights | None:
    """The best known weights in the model folders, or None.

    Only files of a known length are read and hashed. A folder or file that this user may not read counts as absent.
    """
    candidates = list(_of_size({known.size_bytes for known in KNOWN}))
    for known in KNOWN:
        for path, data in candidates:
            if _known(data) == known:
                return FoundWeights(path, known.version, data)
    return None


def read_weights(path: Path) -> FoundWeights:
    """Weights by path, whatever their hash: who names a file means it, and loading it proves it. Raises InputError."""
    data, more = read_up_to(path, MAX_BYTES, f"the detector weights {path}")
    if more:
        raise InputError(f"{path} has more than {MAX_BYTES} bytes, YuNet's weights have {KNOWN[0].size_bytes}")
    known = _known(data)
    return FoundWeights(path, known.version if known else "unknown", data)


def _known(data: bytes) -> KnownWeights | None:
    digest = hashlib.sha256(data).hexdigest()
    return next((known for known in KNOWN if known.sha256 == digest), None)


def _of_size(sizes: set[int]) -> Iterator[tuple[Path, bytes]]:
    """Files of these lengths in the model folders, with what is in them."""
    for folder in model_folders():
        for path in _files(folder):
            try:
                if path.stat().st_size in sizes:
                    yield path, path.read_bytes()
            except OSError:
                continue


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []
