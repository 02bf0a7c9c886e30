"""The command `fer-bench`: what to measure comes from the command line, a table and JSON go out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fer_bench.commands import accuracy, compare, latency, pipeline, remote, report, soak, tune
from fer_bench.commands import all as everything
from fer_edge import __version__
from fer_edge.command import guarded, prove_writable

VERBS = (latency, accuracy, pipeline, soak, tune, remote, compare, everything, report)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)

    def work() -> int:
        prove_writable(arguments.json)
        return int(arguments.command(arguments))

    return guarded("fer-bench", work, interrupted="interrupted before anything was measured")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-bench",
        description="Latency, accuracy drop and the cost of the whole pipeline, with n and intervals.",
        epilog="exit codes: 0 ok, 1 something could not be measured or a condition was not met, 2 usage, "
        "69 something needed is not available, 78 model refused, 130 interrupted (what was measured is kept)",
    )
    parser.add_argument("--version", action="version", version=f"fer-bench {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add(commands)
    return parser
