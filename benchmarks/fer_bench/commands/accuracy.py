"""`fer-bench accuracy`."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from fer_bench.commands.common import MAX_POINTS, add_bundle, add_json, choice, count, finish, names, number, say
from fer_bench.peers.flags import add_peer
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
    accuracy.add_argument(
        "--corruptions",
        type=names,
        default=(),
        metavar="C,C",
        help="also under what a camera does, in five steps each: blur, motion-blur, noise, low-light, jpeg, "
        "small-face, box-jitter, or all (default none)",
    )
    accuracy.add_argument(
        "--interval-width",
        type=points,
        metavar="PP",
        help="refuse data that cannot promise an interval of top-1 of at most so many percentage points",
    )
    accuracy.add_argument("--confusion", action="store_true", help="show what each class was taken for")
    accuracy.add_argument("--card", action="store_true", help="write what was found into the bundle's CARD.md")
    add_peer(accuracy)
    add_json(accuracy)
    accuracy.set_defaults(command=_accuracy)


def _accuracy(arguments: argparse.Namespace) -> int:
    from fer_bench.accuracy import card  # noqa: PLC0415 - keeps --help light
    from fer_bench.accuracy import run as accuracy  # noqa: PLC0415 - keeps --help light
    from fer_bench.peers import accuracy as beside  # noqa: PLC0415 - as above
    from fer_bench.peers.adapter import CROP, read_all  # noqa: PLC0415 - as above
    from fer_bench.peers.report import exit_code as with_peers  # noqa: PLC0415 - as above

    onto = card.place(arguments.bundle) if arguments.card else None
    peers = read_all(arguments.peer, CROP)
    plan = accuracy.Plan(
        bundle=arguments.bundle,
        data=arguments.data,
        split=None if arguments.split == "none" else arguments.split,
        limit=arguments.limit,
        choice=choice(arguments),
        threads=arguments.threads,
        corruptions=arguments.corruptions,
        interval_width_pp=arguments.interval_width,
    )
    report = accuracy.run(plan, say)
    if onto is not None and report.complete:
        card.write(onto, report)
        say(f"written: {onto}")
    report = beside.add(report, plan, peers, say)
    text = beside.beside(partial(accuracy.text, confusion=arguments.confusion))
    return finish(report, arguments.json, text, with_peers(report, exit_code(report)))


def points(value: str) -> float:
    """A number of percentage points, above 0 and at most 100."""
    found = number(value)
    if not 0.0 < found <= MAX_POINTS:
        raise argparse.ArgumentTypeError(f"percentage points above 0 and up to 100 are needed, found {value!r}")
    return found
