"""The command `fer-edge`: its verbs are in `fer_edge.commands`, which import what is heavy when they are asked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fer_edge import __version__
from fer_edge.command import guarded
from fer_edge.commands import cameras, config, doctor, models, predict, run, service

VERBS = (run, predict, cameras, doctor, models, config, service)
"""In the order of --help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    from fer_edge.system import journal  # noqa: PLC0415 - keeps --help light

    journal.configure()
    return guarded("fer-edge", lambda: arguments.command(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-edge",
        description="Faces in front of a camera become expression events, on the device.",
        epilog="exit codes: 0 ok, 1 gate not met, 2 usage, 69 something needed is not available, "
        "75 try again, 78 configuration or model refused",
    )
    parser.add_argument("--version", action="version", version=f"fer-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add(commands)
    return parser
