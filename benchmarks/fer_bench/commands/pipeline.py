"""`fer-bench pipeline`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import add_output, count, finish, say


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    pipeline = commands.add_parser(
        "pipeline",
        help="what the whole daemon costs on a clip, against loops written by hand",
        description="Run the installed daemon and a bare loop (YuNet on every frame, one classification per face) on "
        "the same clip: CPU, throughput, faces covered, time to the first face, memory.",
        epilog="example: fer-bench pipeline --source clip.mp4 --detector-weights yunet.onnx --json pipeline.json",
    )
    pipeline.add_argument("--source", required=True, metavar="CLIP", help="a clip")
    pipeline.add_argument("--model", default="default", metavar="B", help="bundle (default: the one that ships)")
    pipeline.add_argument(
        "--detector-weights", metavar="FILE", help="YuNet's .onnx file (default: found in the model folders)"
    )
    pipeline.add_argument("--rounds", type=count, default=3, metavar="N", help="processes of each kind (default 3)")
    pipeline.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the daemon's configuration"
    )
    pipeline.add_argument("--max-frames", type=count, metavar="N", help="the first N frames (default all)")
    add_output(pipeline)
    pipeline.set_defaults(command=_pipeline)


def _pipeline(arguments: argparse.Namespace) -> int:
    from fer_bench.pipeline import run as pipeline  # noqa: PLC0415 - keeps --help light

    plan = pipeline.Plan(
        source=arguments.source,
        model=arguments.model,
        weights=arguments.detector_weights,
        rounds=arguments.rounds,
        max_frames=arguments.max_frames,
        timeout_s=arguments.timeout,
        settings=tuple(arguments.set),
    )
    report = pipeline.run(plan, say)
    return finish(report, arguments.json, pipeline.text, pipeline.exit_code(report))
