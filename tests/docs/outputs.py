"""Whether a command printed what its page shows: the words are compared, numbers are not."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBER = re.compile(r"-?\d+(?:[.,:]\d+)*")
LEFT_OUT = "…"
"""In a page: within a line anything, alone on a line any lines."""


def missing(shown: Sequence[str], printed: str) -> list[str]:
    """The shown lines that were not printed in this order."""
    rest = [_plain(line) for line in printed.splitlines()]
    lacking = []
    for line in shown:
        if line.strip() in {"", LEFT_OUT}:
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in _plain(line).split(LEFT_OUT)))
        found = next((number for number, real in enumerate(rest) if pattern.fullmatch(real)), None)
        if found is None:
            lacking.append(line)
        else:
            rest = rest[found + 1 :]
    return lacking


def _plain(line: str) -> str:
    return " ".join(NUMBER.sub("#", line).split())
