"""One thing that was looked at: what was found, how bad it is, and the one line that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "problem"]
"""note: worth knowing. warning: works, but not as well as it could. problem: something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """name: what was looked at; found: a sentence or figure; fix: what to do about it, "" for nothing."""

    name: str
    level: Level
    found: str
    fix: str = ""
