"""`fer-bench compare`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from fer_bench.commands.common import add_json
from fer_edge.command import STDOUT, write_json


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    compare = commands.add_parser(
        "compare",
        help="what changed between two results, and whether that is more than chance",
        description="Match the rows of two results of the same kind, or of each part of two of `all`, and say per row "
        "what changed, with an interval, a corrected p, and the smallest difference that would have shown. "
        "Unlike runs are refused.",
        epilog="example: fer-bench compare before.json after.json --fail-on p50:+5% --fail-on size:+0",
    )
    compare.add_argument(
        "base", metavar="BASE", help="a result, or a folder of results (*.json) of like runs, or the folder of `all`"
    )
    compare.add_argument("new", metavar="NEW", help="the same for what is to be judged")
    compare.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="FIGURE:CHANGE",
        help="exit with 1 when a figure changes by more than this and significantly: p50:+5%%, p99:+0.5 (ms), "
        "top1:-0.5 (points), rss:+10%%, size:+0 (bytes), cpu:+5%%, fps:-5%%; may be given again",
    )
    compare.add_argument(
        "--fail-on-unsure",
        action="store_true",
        help="exit with 1 also when such a change is not ruled out",
    )
    compare.add_argument(
        "--across-machines", action="store_true", help="compare times of another board, processor or governor"
    )
    add_json(compare)
    compare.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from fer_bench.compare import comparison, words  # noqa: PLC0415 - keeps --help light
    from fer_bench.compare.run import run  # noqa: PLC0415 - keeps --help light

    plan = comparison.Plan(
        base=arguments.base,
        new=arguments.new,
        fail_on=tuple(arguments.fail_on),
        fail_on_unsure=arguments.fail_on_unsure,
        across_machines=arguments.across_machines,
    )
    found = run(plan)
    print(words.told(found), file=sys.stderr if arguments.json == STDOUT else sys.stdout)
    if arguments.json is not None:
        write_json(comparison.as_one(found), arguments.json)
    return comparison.exit_code(found)
