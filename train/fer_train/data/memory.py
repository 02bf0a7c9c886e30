"""How many bytes of pictures are held in memory; more of them stay on disk and are decoded when they are asked for."""

from __future__ import annotations

from pathlib import Path

MAX_IN_MEMORY_BYTES = 4 << 30
"""FER2013 at 48 px has 66 MB in grey, at 224 px 4.3 GB in colour; AffectNet at 224 px has 43 GB."""
MAX_SHARE_OF_AVAILABLE = 0.25
"""Dividing a data set copies its pictures once, and the training itself needs the other half."""
MEMINFO = Path("/proc/meminfo")


def limit_bytes() -> int:
    """How many bytes of pictures one data set may hold in memory now."""
    available = _available_bytes()
    return (
        MAX_IN_MEMORY_BYTES if available is None else min(MAX_IN_MEMORY_BYTES, int(MAX_SHARE_OF_AVAILABLE * available))
    )


def _available_bytes() -> int | None:
    """What the kernel could give without swapping; None where it does not tell."""
    try:
        lines = MEMINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:") and len(line.split()) > 1]
    return int(found[0]) << 10 if found and found[0].isdigit() else None
