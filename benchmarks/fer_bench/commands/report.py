"""`fer-bench report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_bench.commands.common import points, say
from fer_edge.command import prove_writable


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    report = commands.add_parser(
        "report",
        help="table, verdict and page of a result that was written before",
        description="Tell a result again: the table and the verdict here, the page with its plots in a file.",
        epilog="example: fer-bench report latency.json --html latency.html",
    )
    report.add_argument("result", metavar="RESULT", help="what --json or `all` wrote: a file, or the folder of `all`")
    report.add_argument("--html", metavar="FILE", help="write the page there: one file that needs nothing else")
    report.add_argument(
        "--max-drop",
        type=points,
        metavar="PP",
        help="top-1 that the recommended artifact may lose (default what the result was asked for, or 1.0)",
    )
    report.set_defaults(command=_report, json=None)


def _report(arguments: argparse.Namespace) -> int:
    from fer_bench.everything import files  # noqa: PLC0415 - keeps --help light
    from fer_bench.everything.reading import read  # noqa: PLC0415 - keeps --help light
    from fer_bench.everything.texts import text_of  # noqa: PLC0415 - keeps --help light
    from fer_bench.page.document import page  # noqa: PLC0415 - keeps --help light

    prove_writable(arguments.html)
    path = Path(arguments.result)
    document = read(path / files.RESULT if path.is_dir() else path)
    print(text_of(document, arguments.max_drop))  # noqa: T201 - a command prints
    for note in document["notes"]:
        print(f"note: {note}")  # noqa: T201 - a command prints
    if arguments.html is not None:
        files.put(Path(arguments.html), page(document, arguments.max_drop))
        say(f"written: {arguments.html}")
    return 0
