"""`fer-edge doctor`: what this board can do, and the fix for what it cannot."""

from __future__ import annotations

import argparse
from typing import Any

from fer_edge.commands.common import answer


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verb."""
    parser = commands.add_parser("doctor", help="what this board can do, and what to do about what it cannot")
    parser.add_argument("--model", metavar="B", default="default", help="bundle that every runtime has to run")
    parser.add_argument("--json", metavar="PATH", help="write JSON; - is standard output")
    parser.set_defaults(command=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    """Look at everything; 69 where there is a problem."""
    from fer_edge import doctor as room  # noqa: PLC0415 - keeps --help light

    found = room.findings(options=room.Options(bundle=arguments.model))
    answer(arguments.json, room.document(found), room.text(found))
    return room.exit_code(found)
