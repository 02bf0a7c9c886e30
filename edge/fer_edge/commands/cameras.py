"""`fer-edge cameras`: what can be watched from here, and why something cannot."""

from __future__ import annotations

import argparse
from typing import Any

from fer_edge.commands.common import answer
from fer_edge.errors import ExitCode


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verb."""
    parser = commands.add_parser("cameras", help="the cameras that are there, and why one cannot be used")
    parser.add_argument("--json", metavar="PATH", help="write JSON; - is standard output")
    parser.set_defaults(command=cameras)


def cameras(arguments: argparse.Namespace) -> int:
    """List them; 69 where none can be used."""
    from fer_edge.cameras import listing  # noqa: PLC0415 - keeps --help light

    found, looked = listing.listed(), listing.looked_for()
    answer(arguments.json, listing.as_document(found, looked), listing.as_text(found, looked))
    return ExitCode.OK if any(each.usable for each in found) else ExitCode.UNAVAILABLE
