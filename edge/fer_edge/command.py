"""What the four commands share: an end in one sentence with its exit status, and results as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from fer_edge.errors import FerEdgeError, OutOfMemory, OutputError, is_want_of_memory

STDOUT = "-"
"""The path that stands for standard output."""
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""
NOBODY_READS = 141
"""128 + SIGPIPE, as shells count."""


def guarded(name: str, work: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Do a command's work and return its exit status; an error of ours, or Ctrl-C, becomes a line on standard error.

    Where the reader of standard output went away, as `head` does, there is nobody to tell.
    """
    try:
        return _flushed(int(work()))
    except FerEdgeError as error:
        tell(name, str(error))
        return int(error.exit_code)
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        _say_no_more()
        return NOBODY_READS
    except Exception as error:
        if not is_want_of_memory(error):
            raise
        tell(name, OutOfMemory.sentence)
        return int(OutOfMemory.exit_code)
    except KeyboardInterrupt:
        tell(name, interrupted)
        return INTERRUPTED


def _flushed(status: int) -> int:
    """The status, when all of standard output is out; raises OutputError when there is no room for it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _say_no_more()
        raise OutputError(f"the result cannot be written to standard output: {error.strerror}") from None
    return status


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader went away."""
    import select  # noqa: PLC0415 - needed once, at the end

    poll = select.poll()
    poll.register(1, 0)
    return bool(poll.poll(0))


def _say_no_more() -> None:
    """What is left for standard output goes nowhere: the interpreter flushes once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def tell(name: str, sentence: str) -> None:
    """A line on standard error, from the command of this name."""
    sys.stderr.write(f"{name}: {sentence}\n")
    sys.stderr.flush()


def prove_writable(where: str | None) -> None:
    """Raise OutputError when a file could not be written at `where`, before minutes are spent; None and - are fine."""
    if where is None or where == STDOUT:
        return
    import tempfile  # noqa: PLC0415 - keeps --help light
    from pathlib import Path  # noqa: PLC0415 - keeps --help light

    try:
        if Path(where).is_dir():
            raise IsADirectoryError(None, "it is a folder")
        tempfile.TemporaryFile(dir=Path(where).parent).close()
    except OSError as error:
        raise OutputError(f"the result cannot be written to {where}: {error.strerror}") from None


def write_json(document: Mapping[str, Any], where: str) -> None:
    """Print a result, or write its file whole or not at all; raises OutputError."""
    text = as_text(document)
    if where == STDOUT:
        sys.stdout.write(text)
        return
    from pathlib import Path  # noqa: PLC0415 - keeps --help light

    path = Path(where)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"the result cannot be written to {path}: {error.strerror}") from None


def as_text(document: Mapping[str, Any]) -> str:
    """JSON with one top-level key or row per line: raw samples by the thousand stay on theirs."""
    import json  # noqa: PLC0415 - keeps --help light

    parts = []
    for key, value in document.items():
        text = json.dumps(value, allow_nan=False)
        if key == "rows":
            text = "[\n  " + ",\n  ".join(json.dumps(row, allow_nan=False) for row in value) + "\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
