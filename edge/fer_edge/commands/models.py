"""`fer-edge models`: what bundles there are, what they say of themselves, and whether it is true."""

from __future__ import annotations

import argparse
from typing import Any

from fer_edge.commands.common import answer
from fer_edge.errors import ExitCode


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verbs."""
    models = commands.add_parser("models", help="bundles: list, show, verify")
    verbs = models.add_subparsers(required=True, metavar="VERB")
    for name, command, text in (
        ("list", _list, "the bundles that can be named"),
        ("show", _show, "what a bundle says of itself"),
        ("verify", _verify, "hash and run every artifact"),
    ):
        verb = verbs.add_parser(name, help=text)
        if name != "list":
            verb.add_argument("bundle", nargs="?", default="default")
        verb.add_argument("--json", metavar="PATH", help="write JSON; - is standard output")
        verb.set_defaults(command=command)


def _list(arguments: argparse.Namespace) -> int:
    from fer_edge import models  # noqa: PLC0415 - keeps --help light

    rows = models.listing()
    answer(arguments.json, {"bundles": rows}, models.listing_text(rows))
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from fer_edge import models  # noqa: PLC0415 - keeps --help light
    from fer_edge.bundle import Bundle  # noqa: PLC0415

    bundle = Bundle.open(arguments.bundle)
    answer(arguments.json, models.shown(bundle), models.shown_text(bundle))
    return ExitCode.OK


def _verify(arguments: argparse.Namespace) -> int:
    from fer_edge import models  # noqa: PLC0415 - keeps --help light
    from fer_edge.bundle import Bundle  # noqa: PLC0415

    bundle = Bundle.open(arguments.bundle)
    rows, worst = models.verified(bundle)
    answer(arguments.json, {"bundle": str(bundle.path), "rows": rows}, models.verified_text(rows))
    return worst
