"""Adapters and snippets for peers that run in this interpreter: well-behaved ones, and others."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_bench.peers.adapter import Peer, read

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
HAPPY = "def load(): pass\ndef classify(crop): return {'happy': 0.75, 'sad': 0.25}\n"


def write(  # noqa: PLR0913 - a line of the file each
    folder: Path,
    snippet: str = HAPPY,
    *,
    does: Sequence[str] = ("classify",),
    labels: Mapping[str, str] | None = None,
    head: str = "",
    tail: str = "",
    python: str = sys.executable,
) -> Path:
    """An adapter called `them` with this snippet; returns the path of its file."""
    (folder / "snippet.py").write_text(snippet, encoding="utf-8")
    lines = [
        'name = "them"',
        f"does = {json.dumps(list(does))}",
        f"python = {json.dumps(python)}",
        'snippet = "snippet.py"',
        head,
        "[labels]",
        *[f"{json.dumps(theirs)} = {json.dumps(ours)}" for theirs, ours in (labels or {n: n for n in SEVEN}).items()],
        tail,
    ]
    path = folder / "them.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def peer(folder: Path, snippet: str = HAPPY, **more: object) -> Peer:
    """The same, read."""
    return read(str(write(folder, snippet, **more)))  # type: ignore[arg-type]
