"""The flag `--peer`, which three verbs have."""

from __future__ import annotations

import argparse


def add_peer(parser: argparse.ArgumentParser) -> None:
    """Any number of adapter files; nothing heavy is imported for it."""
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="FILE",
        help="also a foreign model or command, told by an adapter file; it runs the code that the file names, with "
        "your rights (docs/how-to/bench-peers.md)",
    )
