"""Files of a report, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from fer_train import folder


def put(path: Path, content: str | bytes) -> Path:
    """Write a file in the place of what was there; raises OutputError."""
    data = content.encode() if isinstance(content, str) else content

    def write(where: str) -> None:
        Path(where).write_bytes(data)

    folder.replace(path, write)
    return path
