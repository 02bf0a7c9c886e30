"""Progress of a training: plain lines, or on a terminal one line that changes and a list of epochs above it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]
PASSING = "  "
"""Lines that begin so are of the moment: a terminal shows only the last of them."""


@contextmanager
def telling() -> Iterator[Say]:
    """A function that tells of progress on standard error until the block ends."""
    try:
        from rich.console import Console  # noqa: PLC0415 - not in the base install
    except ImportError:
        yield plain
        return
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield plain
        return
    with console.status("starting") as status:

        def say(line: str) -> None:
            if line.startswith(PASSING):
                status.update(line.strip())
            else:
                console.print(line)

        yield say


def plain(line: str) -> None:
    """One line on standard error, at once."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is what it is for
