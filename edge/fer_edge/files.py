"""Files that people give us, read up to a limit and no further."""

from __future__ import annotations

from pathlib import Path

from fer_edge.errors import InputError


def read_up_to(path: Path, limit: int, what: str) -> tuple[bytes, bool]:
    """The first `limit` bytes, and whether there are more; raises InputError, which begins with `what`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{what} cannot be read: {error.strerror}") from None
    return data[:limit], len(data) > limit
