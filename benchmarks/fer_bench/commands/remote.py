"""`fer-bench remote`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from fer_bench.commands.common import say
from fer_edge.command import STDOUT, prove_writable, write_json
from fer_edge.errors import UsageError

VERBS = ("latency", "accuracy", "pipeline", "soak", "all", "tune")
"""What can be measured over there."""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    remote = commands.add_parser(
        "remote",
        help="the same on a board, over ssh",
        description="Carry bundle and data to a board over ssh, measure there, and bring the result back. Uses ssh's "
        "own configuration, keys and agent, and never asks. fer-edge has to be installed there in the same version.",
        epilog="example: fer-bench remote --python venv/bin/python pi@board latency default --json pi.json",
    )
    remote.add_argument(
        "--python", default="python3", metavar="PATH", help="the interpreter there that has fer-edge (default python3)"
    )
    remote.add_argument("--keep", action="store_true", help="leave what was carried there, and say where")
    remote.add_argument("--into", metavar="FOLDER", help="a folder there that --keep left: only what is missing goes")
    remote.add_argument("host", metavar="[USER@]HOST[:PORT]")
    remote.add_argument("verb", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    remote.add_argument("words", nargs=argparse.REMAINDER, metavar="ARGS", help="as the verb takes them here")
    remote.set_defaults(command=_remote, json=None)


def _remote(arguments: argparse.Namespace) -> int:
    from fer_bench.remote import cargo, run  # noqa: PLC0415 - keeps --help light
    from fer_bench.remote.address import address  # noqa: PLC0415 - with it

    where = address(arguments.host)
    if "\0" in arguments.python or arguments.python.startswith("-"):
        raise UsageError(f"--python is the path of an interpreter, found {arguments.python!r}")
    parser = verb_parser(arguments.verb)
    _allowed(arguments.verb, parser.parse_args(arguments.words))
    packed = cargo.pack(arguments.verb, parser, arguments.words)
    if packed.folder:
        _ready(packed.here)
    else:
        prove_writable(packed.here)
    plan = run.Plan(where, arguments.python, arguments.keep, arguments.into)
    found = run.run(plan, packed, say)
    print(found.table.rstrip("\n"), file=sys.stderr if packed.here == STDOUT else sys.stdout)
    if found.kept is not None:
        say(f"{where}: what was carried stays in {found.kept}; use it again with --into")
    if found.document is None:
        return found.status
    _keep(found.document, packed.here, folder=packed.folder)
    if not found.document.get("complete", True):
        say("interrupted; what was measured until then is kept")
    return found.status


def _ready(folder: str | None) -> None:
    from fer_bench.everything import files  # noqa: PLC0415 - keeps --help light

    if folder is not None:
        files.ready(Path(folder))


def _keep(document: dict[str, Any], here: str | None, *, folder: bool) -> None:
    """The result where it was asked for; a report's text and page are made here, of what came."""
    if here is None:
        return
    if not folder:
        write_json(document, here)
        return
    from fer_bench.everything import files  # noqa: PLC0415 - keeps --help light

    say(f"written: {', '.join(str(path) for path in files.write(Path(here), document))}")


def verb_parser(verb: str) -> argparse.ArgumentParser:
    """The verb's own parser, standing alone. Raises UsageError for a verb that this version does not have."""
    try:
        module = importlib.import_module(f"fer_bench.commands.{verb}")
    except ModuleNotFoundError:
        raise UsageError(f"this fer-bench has no verb {verb}") from None
    commands = argparse.ArgumentParser(prog="fer-bench remote HOST").add_subparsers()
    module.add(commands)
    parser: argparse.ArgumentParser = commands.choices[verb]
    return parser


def _allowed(verb: str, given: argparse.Namespace) -> None:
    """What is written over there would be lost: the configuration and the bundle are copies."""
    if verb == "tune" and not given.dry_run:
        raise UsageError("tune works on a copy of the configuration over ssh: add --dry-run, and set what it shows")
    if verb == "accuracy" and given.card:
        raise UsageError("accuracy --card would write into a copy of the bundle over ssh: leave it out, or run it here")
