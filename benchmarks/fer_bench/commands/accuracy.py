"""`fer-bench accuracy`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import add_bundle, add_json, choice, count, finish, say
from fer_bench.results.report import exit_code


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    accuracy = commands.add_parser(
        "accuracy",
        help="how right each artifact is on labelled pictures, and how much it loses against float32",
        description="Run labelled pictures through the device's own code, per artifact; drops are paired.",
        epilog="example: fer-bench accuracy default --data fer2013:fer2013/ --json accuracy.json",
    )
    add_bundle(accuracy)
    accuracy.add_argument(
        "--data", required=True, metavar="D", help="fer2013:PATH, folder:PATH or PATH with one folder per class"
    )
    accuracy.add_argument(
        "--split",
        default="test",
        metavar="NAME",
        help="train, test, private, or none for a folder without splits (default test)",
    )
    accuracy.add_argument("--limit", type=count, metavar="N", help="N pictures, classes in equal shares (default all)")
    accuracy.add_argument("--threads", type=count, default=1, metavar="N", help="threads per inference (default 1)")
    add_json(accuracy)
    accuracy.set_defaults(command=_accuracy)


def _accuracy(arguments: argparse.Namespace) -> int:
    from fer_bench.accuracy import run as accuracy  # noqa: PLC0415 - keeps --help light

    plan = accuracy.Plan(
        bundle=arguments.bundle,
        data=arguments.data,
        split=None if arguments.split == "none" else arguments.split,
        limit=arguments.limit,
        choice=choice(arguments),
        threads=arguments.threads,
    )
    report = accuracy.run(plan, say)
    return finish(report, arguments.json, accuracy.text, exit_code(report))
