"""`fer-bench pipeline`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import add_output, count, finish, say, seconds
from fer_bench.peers.flags import add_peer
from fer_bench.pipeline.plan import SECONDS


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    pipeline = commands.add_parser(
        "pipeline",
        help="what the whole daemon costs on a clip or camera, and how old its events are",
        description="Run the installed daemon and a bare loop (YuNet on every frame, one classification per face) on "
        "the same clip: CPU, throughput, faces covered, time to the first face, memory; and the daemon at the clip's "
        "own pace: every stage, capture to event, energy. On a camera only the latter: it shows nothing twice.",
        epilog="examples: fer-bench pipeline --source clip.mp4 --detector-weights yunet.onnx --json pipeline.json; "
        "fer-bench pipeline --source 0 --seconds 60 --rounds 1",
    )
    pipeline.add_argument(
        "--source", required=True, metavar="S", help="a clip, or a camera: 0, picamera2, csi, rtsp://..., demo"
    )
    pipeline.add_argument("--model", default="default", metavar="B", help="bundle (default: the one that ships)")
    pipeline.add_argument(
        "--detector-weights", metavar="FILE", help="YuNet's .onnx file (default: found in the model folders)"
    )
    pipeline.add_argument("--rounds", type=count, default=3, metavar="N", help="processes of each kind (default 3)")
    pipeline.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the daemon's configuration"
    )
    pipeline.add_argument("--max-frames", type=count, metavar="N", help="the first N frames of a clip (default all)")
    pipeline.add_argument(
        "--seconds",
        type=seconds,
        default=SECONDS,
        metavar="S",
        help=f"how long to run at the source's own pace, in every round (default {SECONDS:g})",
    )
    add_peer(pipeline)
    add_output(pipeline)
    pipeline.set_defaults(command=_pipeline)


def _pipeline(arguments: argparse.Namespace) -> int:
    from fer_bench.peers.adapter import CLIP, FRAME, read_all  # noqa: PLC0415 - keeps --help light
    from fer_bench.peers.pipeline import contenders  # noqa: PLC0415 - as above
    from fer_bench.peers.report import recorded  # noqa: PLC0415 - as above
    from fer_bench.pipeline import run as pipeline  # noqa: PLC0415 - as above

    peers = read_all(arguments.peer, FRAME, CLIP)
    plan = pipeline.Plan(
        source=arguments.source,
        model=arguments.model,
        weights=arguments.detector_weights,
        rounds=arguments.rounds,
        max_frames=arguments.max_frames,
        timeout_s=arguments.timeout,
        settings=tuple(arguments.set),
        seconds=arguments.seconds,
    )
    report = recorded(pipeline.run(plan, say, contenders(peers, plan.source)), peers)
    return finish(report, arguments.json, pipeline.text, pipeline.exit_code(report))
