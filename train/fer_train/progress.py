"""Progress of a training: plain lines, or on a terminal a bar with the time left and a list of epochs above it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]
PASSING = "  "
"""Lines that begin so are of the moment: a terminal shows only the last of them."""
TOLD = 10
"""Where lines stay, a stretch of work is told of so many times."""


class Step(str):
    """A line of the moment that knows how far the work is: `done` of `total`."""

    __slots__ = ("done", "total")
    done: int
    total: int

    def __new__(cls, text: str, done: int, total: int) -> Step:  # noqa: PYI034 - Self is of Python 3.11
        """Of this text, after what marks a line of the moment."""
        line = super().__new__(cls, PASSING + text)
        line.done, line.total = done, total
        return line


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
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415 - not in the base install

    columns = SpinnerColumn(), BarColumn(24), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def say(line: str) -> None:
            if isinstance(line, Step):
                bar.update(task, description=line.strip(), completed=line.done, total=line.total)
            elif line.startswith(PASSING):
                bar.update(task, description=line.strip(), total=None)
            else:
                console.print(line)

        yield say


def plain(line: str) -> None:
    """One line on standard error, at once; of a stretch of steps those that begin another tenth."""
    if isinstance(line, Step) and not _is_told(line):
        return
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is what it is for


def clock(seconds: float) -> str:
    """`0:42`, `12:05` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_told(step: Step) -> bool:
    return step.done < step.total and step.done * TOLD // step.total > (step.done - 1) * TOLD // step.total
