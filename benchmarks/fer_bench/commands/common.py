"""What the verbs share: flags, their values, and the end of a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from fer_bench.results.report import Report
from fer_edge.command import INTERRUPTED, STDOUT, tell, write_json

MAX_THREADS = 256
MAX_POINTS = 100.0


def add_output(parser: argparse.ArgumentParser) -> None:
    """How long a process may take, and where the result goes."""
    parser.add_argument(
        "--timeout", type=seconds, default=600.0, metavar="S", help="a process that takes longer failed (default 600)"
    )
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Where the result goes."""
    parser.add_argument("--json", metavar="PATH", help="write the result there as JSON; - is standard output")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """What is measured, and how much of it."""
    parser.add_argument("bundle", metavar="BUNDLE", help="path or name; `default` is the one that ships")
    parser.add_argument("--format", type=names, default=(), metavar="F,F", help="tflite, onnx (default all)")
    parser.add_argument("--precision", type=names, default=(), metavar="P,P", help="float32, int8, ... (default all)")
    parser.add_argument(
        "--runtime",
        type=names,
        default=(),
        metavar="R,R",
        help="litert, tflite-runtime, tensorflow, onnxruntime, openvino",
    )


def choice(arguments: argparse.Namespace) -> Any:  # noqa: ANN401 - a Choice, whose module takes pydantic to import
    """What of the bundle was asked for."""
    from fer_bench.variants import Choice  # noqa: PLC0415 - keeps --help light

    return Choice(arguments.format, arguments.precision, arguments.runtime)


def finish(report: Report, json_to: str | None, text: Callable[[Report], str], status: int) -> int:
    """Table for people, JSON where it was asked for; standard output carries one of the two."""
    table = "\n".join(part for part in (text(report), *[f"note: {note}" for note in report.notes]) if part)
    print(table, file=sys.stderr if json_to == STDOUT else sys.stdout)
    if json_to is not None:
        write_json(report.as_json(), json_to)
    if not report.complete:
        say("interrupted; what was measured until then is kept")
        return INTERRUPTED
    return status


def say(sentence: str) -> None:
    """A line on standard error."""
    tell("fer-bench", sentence)


def names(value: str) -> tuple[str, ...]:
    """`a,b` as a tuple."""
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def counts(value: str) -> tuple[int, ...]:
    """`1,2` as numbers of threads."""
    found = tuple(dict.fromkeys(count(part) for part in value.split(",")))
    if max(found) > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"at most {MAX_THREADS} threads, found {max(found)}")
    return found


def count(value: str) -> int:
    """A whole number above 0."""
    if not value.strip().isdigit() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0 is needed, found {value!r}")
    return int(value)


def seconds(value: str) -> float:
    """A number of seconds above 0."""
    found = number(value)
    if not 0.0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds above 0 is needed, found {value!r}")
    return found


def points(value: str) -> float:
    """Percentage points, 0 to 100."""
    found = number(value)
    if not 0.0 <= found <= MAX_POINTS:
        raise argparse.ArgumentTypeError(f"percentage points from 0 to 100 are needed, found {value!r}")
    return found


def number(value: str) -> float:
    """A number, or one below 0, which no flag takes, for what is none."""
    try:
        return float(value)
    except ValueError:
        return -1.0
