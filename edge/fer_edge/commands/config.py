"""`fer-edge config`: begin a configuration, check one, show what holds, describe all keys."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from fer_edge.command import STDOUT
from fer_edge.commands.common import path, settings
from fer_edge.errors import ExitCode, OutputError, UsageError

FILE = "fer-edge.toml"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verbs."""
    parser = commands.add_parser("config", help="the configuration: init, check, show, schema")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    init = verbs.add_parser("init", help="write a file with every key, its default and what it means")
    init.add_argument("path", nargs="?", default=FILE, metavar="PATH", help=f"- is standard output (default {FILE})")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.set_defaults(command=_init)
    check = verbs.add_parser("check", help="tell every mistake in a file, with its line")
    check.add_argument("config", type=path, metavar="FILE")
    check.set_defaults(command=_check, set=[])
    show = verbs.add_parser("show", help="the settings that hold, as TOML; secrets are named by their files alone")
    show.add_argument("--config", type=path, metavar="FILE")
    show.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    show.set_defaults(command=_show)
    schema = verbs.add_parser("schema", help="all keys as JSON Schema")
    schema.set_defaults(command=_schema)


def _init(arguments: argparse.Namespace) -> int:
    from fer_edge import config  # noqa: PLC0415 - keeps --help light

    text = config.reference()
    if arguments.path == STDOUT:
        sys.stdout.write(text)
        return ExitCode.OK
    place = path(arguments.path)
    try:
        with place.open("w" if arguments.force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{place} exists; --force replaces it") from None
    except OSError as error:
        raise OutputError(f"{place} cannot be written: {error.strerror}") from None
    sys.stdout.write(f"{place} has every key with its default; fer-edge run --config {place}\n")
    return ExitCode.OK


def _check(arguments: argparse.Namespace) -> int:
    settings(arguments)
    sys.stdout.write(f"{arguments.config} is a good configuration\n")
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from fer_edge import config  # noqa: PLC0415 - keeps --help light

    sys.stdout.write(config.as_toml(settings(arguments)))
    return ExitCode.OK


def _schema(_: argparse.Namespace) -> int:
    import json  # noqa: PLC0415 - keeps --help light

    from fer_edge.config import Settings  # noqa: PLC0415 - keeps --help light

    sys.stdout.write(json.dumps(Settings.model_json_schema(), indent=1) + "\n")
    return ExitCode.OK
