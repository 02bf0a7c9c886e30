"""What came of trials, remembered per board and version in a small file: a board is not asked the same twice."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import __version__
from fer_edge.command import write_json
from fer_edge.errors import FerEdgeError
from fer_edge.files import read_up_to
from fer_edge.strict import loads_json
from fer_edge.system.board import Board

if TYPE_CHECKING:
    from fer_edge.bundle import Artifact, Bundle
    from fer_edge.runtimes import Engine

log = logging.getLogger(__name__)

FILE = "trials.json"
SCHEMA_VERSION = 1
MAX_VERDICTS = 200
"""The oldest go first. A board has a handful of artifacts and, with every update of a library, another handful."""
MAX_BYTES = 256 * 1024
MAX_WHY_CHARS = 500


RUNS, DIED, REFUSED = "runs", "died", "refused"
OUTCOMES = (RUNS, DIED, REFUSED)


@dataclass(frozen=True)
class Verdict:
    """How an artifact did in a runtime: it ran, its process died, or it was refused in words.

    what: artifact and runtime, for people who read the file. why: in words, where it did not run.
    """

    what: str
    outcome: str
    why: str = ""

    def __post_init__(self) -> None:
        """ValueError for what is no verdict."""
        if self.outcome not in OUTCOMES or not isinstance(self.what, str) or not isinstance(self.why, str):
            raise ValueError(f"{self!r} is no verdict")


class Verdicts:
    """The file; where it cannot be read or written, nothing is remembered and nothing fails."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path

    def get(self, key: str) -> Verdict | None:
        """What is remembered."""
        return self._read().get(key)

    def put(self, key: str, verdict: Verdict) -> None:
        """Remember; the file is replaced whole, and the last of two processes wins."""
        known = self._read()
        known.pop(key, None)
        known[key] = Verdict(verdict.what, verdict.outcome, verdict.why[:MAX_WHY_CHARS])
        newest = dict(list(known.items())[-MAX_VERDICTS:])
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            written = {each: asdict(found) for each, found in newest.items()}
            write_json({"schema_version": SCHEMA_VERSION, "verdicts": written}, str(self._path))
        except (OSError, FerEdgeError) as error:
            log.info("the trial of %s is not remembered: %s", verdict.what, error)

    def _read(self) -> dict[str, Verdict]:
        try:
            raw, more = read_up_to(self._path, MAX_BYTES, "the file of trials")
            document: Any = {} if more else loads_json(raw)
            if document.get("schema_version") != SCHEMA_VERSION:
                return {}
            return {key: Verdict(**value) for key, value in document["verdicts"].items()}
        except (FerEdgeError, ValueError, TypeError, KeyError, AttributeError):  # somebody else's file, or half of ours
            return {}


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the daemon keeps what it has found out: the service's folder, else the user's."""
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    return Path(environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")) / "fer-edge"


def key_of(engine: Engine, bundle: Bundle, artifact: Artifact, threads: int, board: Board) -> str:
    """What a verdict holds for: this board's processor, these versions, this very bundle."""
    facts = board.facts()
    parts = {
        "board": [facts.cpu, facts.features, facts.machine, facts.bits],
        "python": platform.python_version(),
        "fer_edge": __version__,
        "runtime": [engine.name, *_build(engine.module)],
        "artifact": [bundle.sha256, artifact.id],
        "threads": threads,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _build(module: str) -> list[Any]:
    """A library's version and the age of its file, for one that was built anew keeps its version. Imports nothing."""
    parts: list[Any] = []
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        parts.append(importlib.metadata.version(module))
    spec = importlib.util.find_spec(module)
    file = Path(spec.origin) if spec and spec.origin else None
    return [*parts, file.stat().st_mtime_ns if file and file.exists() else 0]
