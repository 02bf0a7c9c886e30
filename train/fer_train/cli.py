"""The command `fer-train`: its verbs are in `fer_train.commands`. Keras is imported only by those that compute."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fer_edge import __version__
from fer_edge.command import guarded
from fer_train.commands import compare, crop, data, evaluate, grid, recipes, run

VERBS = (recipes, data, run, evaluate, compare, grid, crop)
"""In the order of --help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    hint = "; the same command with --resume goes on" if arguments.command is run.run else ""
    return guarded("fer-train", lambda: arguments.command(arguments), interrupted=f"interrupted{hint}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-train",
        description="Train a facial-expression model from a recipe, and say honestly what it is worth.",
        epilog="exit codes: 0 ok, 2 usage, 69 something needed is not available, 78 recipe or model refused, "
        "130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"fer-train {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add(commands)
    return parser
