"""`fer-train compare`: runs side by side, and whether their difference is more than chance."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.command import STDOUT, prove_writable, write_json
from fer_edge.errors import ExitCode, UsageError
from fer_train.commands.common import DATA, Commands, positive, require_keras
from fer_train.commands.evaluate import wanted
from fer_train.progress import Say, telling

if TYPE_CHECKING:
    from fer_train.reporting.compare import Entry


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "compare",
        help="runs side by side, best first",
        epilog="without --data the figures are those of each run's last report",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--data", metavar="D", help=f"evaluate all of them anew on these pictures: {DATA}")
    parser.add_argument("--split", default="test", metavar="NAME", help="with --data (default test)")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="with --data: use N pictures, classes in equal shares"
    )
    parser.add_argument("--json", metavar="PATH", help="write the comparison as JSON; - prints it")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page of its own")
    parser.set_defaults(command=compare)


def compare(arguments: argparse.Namespace) -> int:
    """Read or evaluate, sort, compare, tell."""
    if arguments.limit and not arguments.data:
        raise UsageError("--limit is of the pictures of --data, and none are named")
    prove_writable(arguments.json)
    prove_writable(arguments.html and str(arguments.html))
    from fer_train.reporting import compare as comparing  # noqa: PLC0415 - numpy

    if arguments.data:
        with telling() as say:
            entries = _evaluated(arguments, say)
    else:
        entries = comparing.read(arguments.runs)
    found = comparing.compare(entries)
    if arguments.json:
        write_json(found.as_json(), arguments.json)
    if arguments.html:
        from fer_train.reporting.compare_page import page  # noqa: PLC0415 - only when asked for
        from fer_train.reporting.files import put  # noqa: PLC0415 - only when asked for

        put(arguments.html, page(found))
    if arguments.json != STDOUT:
        print(comparing.text(found))
    return ExitCode.OK


def _evaluated(arguments: argparse.Namespace, say: Say) -> list[Entry]:
    """Every run's model on the same pictures, each with its own preprocessing."""
    require_keras(say)
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras
    from fer_train.reporting import predictions, summary  # noqa: PLC0415 - Keras
    from fer_train.reporting.compare import Entry, names  # noqa: PLC0415 - numpy

    entries = []
    for name, run in zip(names(arguments.runs), arguments.runs, strict=True):
        trained = open_trained(run)
        found = evaluate(trained, wanted(arguments, trained.recipe, say))
        document = summary.document(trained, found, arguments.split)
        entries.append(Entry(name, document, predictions.of(found)))
    return entries
