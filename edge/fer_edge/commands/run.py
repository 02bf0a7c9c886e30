"""`fer-edge run`: the daemon."""

from __future__ import annotations

import argparse
from typing import Any

from fer_edge.commands.common import add_model_flags, settings


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verb."""
    parser = commands.add_parser(
        "run",
        help="watch a source and tell of the expressions seen",
        description="Watch a source and print events as JSON lines.",
        epilog="examples: fer-edge run --source demo; fer-edge run --source 0 --events events.jsonl; "
        "fer-edge run --source clip.mp4 --rate all",
    )
    parser.add_argument(
        "--source",
        metavar="S",
        help="auto, 0, /dev/video0, picamera2, csi:0, rtsp://..., http://..., a clip, a folder, a picture, demo, or "
        "fault:... (default auto)",
    )
    add_model_flags(parser)
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument("--events", metavar="PATH", help="where JSON lines go; - is standard output (default)")
    parser.add_argument("--rate", metavar="HZ", help="events per face and second, or all, or changes (default 2)")
    parser.add_argument("--http", metavar="WHERE", help="serve the live page at HOST:PORT (default off)")
    parser.add_argument(
        "--pace",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="play clips at their own speed (default: only the demo)",
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch until the source ends or a signal comes."""
    from fer_edge.daemon.running import Running  # noqa: PLC0415 - keeps --help light

    again = (lambda: settings(arguments)) if arguments.config else None
    return Running(settings(arguments), again).run()
