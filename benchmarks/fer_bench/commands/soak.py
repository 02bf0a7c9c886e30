"""`fer-bench soak`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import add_json, count, finish, number, say


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    soak = commands.add_parser(
        "soak",
        help="how fast it still is when the machine is warm",
        description="Work without a pause, in one long process, and compare the first minute with the last: "
        "times, temperature, clock. A run in which the board was held back is invalid and ends with status 1.",
        epilog="examples: fer-bench soak default --until-steady; fer-bench soak default --source clip.mp4 --minutes 20",
    )
    soak.add_argument("bundle", metavar="BUNDLE", help="path or name; `default` is the one that ships")
    end = soak.add_mutually_exclusive_group(required=True)
    end.add_argument(
        "--until-steady", action="store_true", help="until the temperature no longer changes, an hour at most"
    )
    end.add_argument("--minutes", type=minutes, metavar="N", help="for so long")
    soak.add_argument(
        "--source", metavar="S", help="run the daemon on this clip, over and over at its own pace, or on a camera"
    )
    soak.add_argument("--runtime", metavar="R", help="litert, tflite-runtime, tensorflow, onnxruntime or openvino")
    soak.add_argument("--format", metavar="F", help="tflite or onnx (default: the first that runs)")
    soak.add_argument("--precision", metavar="P", help="int8, float32, ... (default: the lightest that runs)")
    soak.add_argument("--threads", type=count, default=1, metavar="N", help="threads of one inference (default 1)")
    soak.add_argument("--detector-weights", metavar="FILE", help="YuNet's .onnx file, for --source")
    soak.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the daemon's configuration"
    )
    add_json(soak)
    soak.set_defaults(command=_soak)


def minutes(value: str) -> float:
    """A number of minutes above 0."""
    found = number(value)
    if not 0.0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of minutes above 0 is needed, found {value!r}")
    return found


def _soak(arguments: argparse.Namespace) -> int:
    from fer_bench.soak import run as soak  # noqa: PLC0415 - keeps --help light

    plan = soak.Plan(
        bundle=arguments.bundle,
        minutes=arguments.minutes,
        source=arguments.source,
        runtime=arguments.runtime,
        format=arguments.format,
        precision=arguments.precision,
        threads=arguments.threads,
        weights=arguments.detector_weights,
        settings=tuple(arguments.set),
    )
    report = soak.run(plan, say)
    return finish(report, arguments.json, soak.text, soak.exit_code(report))
