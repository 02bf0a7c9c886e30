"""`fer-edge service`: run by systemd, from boot on."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from fer_edge.commands.common import path
from fer_edge.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verbs."""
    parser = commands.add_parser("service", help="as a systemd service: install, uninstall, status")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    install = verbs.add_parser(
        "install",
        help="write the unit, start it now and at every boot",
        epilog="example: sudo fer-edge service install --credential token=/etc/fer-edge/token",
    )
    install.add_argument("--dry-run", action="store_true", help="print what would be written")
    install.add_argument("--root", type=path, metavar="DIR", help="of a system that boots later; nothing is started")
    install.add_argument(
        "--credential",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a secret that root alone can read, handed to the service under this name",
    )
    install.add_argument("--broker", metavar="ADDRESS", help="an MQTT broker on another machine may be reached")
    install.add_argument("--lan", metavar="NETWORK", help="machines of this network may come in; needs the token")
    install.set_defaults(command=_install)
    uninstall = verbs.add_parser("uninstall", help="stop it and take it away; the configuration is kept")
    uninstall.add_argument("--root", type=path, metavar="DIR", help="of a system that is not running")
    uninstall.set_defaults(command=_uninstall)
    status = verbs.add_parser("status", help="how it is")
    status.set_defaults(command=_status)


def _install(arguments: argparse.Namespace) -> int:
    from fer_edge import config  # noqa: PLC0415 - keeps --help light
    from fer_edge.system import service  # noqa: PLC0415 - keeps --help light
    from fer_edge.system.board import Board  # noqa: PLC0415

    system = _system(arguments.root)
    options = service.Options(
        executable=service.find_executable(),
        config_text=config.service_text(),
        kind=Board(system.root).facts().kind,
        credentials=dict(_named(each) for each in arguments.credential),
        broker=arguments.broker,
        lan=arguments.lan,
        folders=service.python_folders(),
    )
    if arguments.dry_run:
        sys.stdout.write(service.plan_text(service.plan(options, system)))
        return ExitCode.OK
    return _say(service.install(options, system))


def _uninstall(arguments: argparse.Namespace) -> int:
    from fer_edge.system import service  # noqa: PLC0415 - keeps --help light

    return _say(service.uninstall(_system(arguments.root)))


def _status(_: argparse.Namespace) -> int:
    from fer_edge.system import service  # noqa: PLC0415 - keeps --help light

    found = service.status()
    _say([found.words])
    return ExitCode.OK if found.active == "active" else ExitCode.UNAVAILABLE


def _system(root: Path | None) -> Any:  # noqa: ANN401 - a service.System, imported late
    from fer_edge.system import service  # noqa: PLC0415 - keeps --help light

    return service.System() if root is None else service.System(root=root, systemctl=None)


def _named(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not equals or not name or not path(file).is_absolute():
        raise UsageError(f"--credential takes NAME=/absolute/path, found {text!r}")
    return name, path(file)


def _say(lines: list[str]) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return ExitCode.OK
