"""The command `fer-bench`: what to measure comes from the command line, a table and JSON go out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from fer_bench.results import Report, exit_code
from fer_edge import __version__
from fer_edge.command import INTERRUPTED, STDOUT, guarded, prove_writable, tell, write_json

MAX_THREADS = 256


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)

    def work() -> int:
        prove_writable(arguments.json)
        return int(arguments.command(arguments))

    return guarded("fer-bench", work, interrupted="interrupted before anything was measured")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-bench",
        description="Latency, accuracy drop and the cost of the whole pipeline, with n and intervals.",
        epilog="exit codes: 0 ok, 1 something could not be measured, 2 usage, "
        "69 something needed is not available, 78 model refused, 130 interrupted (what was measured is kept)",
    )
    parser.add_argument("--version", action="version", version=f"fer-bench {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_latency(commands)
    _add_accuracy(commands)
    _add_pipeline(commands)
    return parser


def _add_latency(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    latency = commands.add_parser(
        "latency",
        help="how long one inference takes, per artifact, runtime and threads",
        description="Time every artifact of a bundle in every installed runtime: a fresh process for each variant and "
        "round, rounds interleaved, warm-up kept apart.",
        epilog="example: fer-bench latency default --runtime litert --threads 1,2 --json latency.json",
    )
    _add_bundle(latency)
    latency.add_argument(
        "--threads", type=_counts, default=(1,), metavar="N,N", help="threads per inference (default 1)"
    )
    latency.add_argument(
        "--min-seconds", type=_seconds, default=2.0, metavar="S", help="steady time per process, at least (default 2)"
    )
    latency.add_argument(
        "--min-runs",
        type=_count,
        default=200,
        metavar="N",
        help="steady inferences per process, at least (default 200)",
    )
    latency.add_argument("--rounds", type=_count, default=3, metavar="N", help="processes per variant (default 3)")
    _add_output(latency)
    latency.set_defaults(command=_latency)


def _add_accuracy(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    accuracy = commands.add_parser(
        "accuracy",
        help="how right each artifact is on labelled pictures, and how much it loses against float32",
        description="Run labelled pictures through the device's own code, per artifact; drops are paired.",
        epilog="example: fer-bench accuracy default --data fer2013:fer2013/ --json accuracy.json",
    )
    _add_bundle(accuracy)
    accuracy.add_argument(
        "--data", required=True, metavar="D", help="fer2013:PATH, folder:PATH or PATH with one folder per class"
    )
    accuracy.add_argument(
        "--split",
        default="test",
        metavar="NAME",
        help="train, test, private, or none for a folder without splits (default test)",
    )
    accuracy.add_argument("--limit", type=_count, metavar="N", help="N pictures, classes in equal shares (default all)")
    accuracy.add_argument("--threads", type=_count, default=1, metavar="N", help="threads per inference (default 1)")
    _add_json(accuracy)
    accuracy.set_defaults(command=_accuracy)


def _add_pipeline(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
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
    pipeline.add_argument("--rounds", type=_count, default=3, metavar="N", help="processes of each kind (default 3)")
    pipeline.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the daemon's configuration"
    )
    pipeline.add_argument("--max-frames", type=_count, metavar="N", help="the first N frames (default all)")
    _add_output(pipeline)
    pipeline.set_defaults(command=_pipeline)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=_seconds, default=600.0, metavar="S", help="a process that takes longer failed (default 600)"
    )
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="PATH", help="write the result there as JSON; - is standard output")


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="path or name; `default` is the one that ships")
    parser.add_argument("--format", type=_names, default=(), metavar="F,F", help="tflite, onnx (default all)")
    parser.add_argument("--precision", type=_names, default=(), metavar="P,P", help="float32, int8, ... (default all)")
    parser.add_argument(
        "--runtime",
        type=_names,
        default=(),
        metavar="R,R",
        help="litert, tflite-runtime, tensorflow, onnxruntime, openvino",
    )


def _latency(arguments: argparse.Namespace) -> int:
    from fer_bench import latency  # noqa: PLC0415 - keeps --help light

    plan = latency.Plan(
        bundle=arguments.bundle,
        choice=_choice(arguments),
        threads=arguments.threads,
        min_seconds=arguments.min_seconds,
        min_runs=arguments.min_runs,
        rounds=arguments.rounds,
        timeout_s=arguments.timeout,
    )
    report = latency.run(plan, _say)
    return _finish(report, arguments.json, latency.text, exit_code(report))


def _accuracy(arguments: argparse.Namespace) -> int:
    from fer_bench import accuracy  # noqa: PLC0415 - keeps --help light

    plan = accuracy.Plan(
        bundle=arguments.bundle,
        data=arguments.data,
        split=None if arguments.split == "none" else arguments.split,
        limit=arguments.limit,
        choice=_choice(arguments),
        threads=arguments.threads,
    )
    report = accuracy.run(plan, _say)
    return _finish(report, arguments.json, accuracy.text, exit_code(report))


def _pipeline(arguments: argparse.Namespace) -> int:
    from fer_bench import pipeline  # noqa: PLC0415 - keeps --help light

    plan = pipeline.Plan(
        source=arguments.source,
        model=arguments.model,
        weights=arguments.detector_weights,
        rounds=arguments.rounds,
        max_frames=arguments.max_frames,
        timeout_s=arguments.timeout,
        settings=tuple(arguments.set),
    )
    report = pipeline.run(plan, _say)
    return _finish(report, arguments.json, pipeline.text, pipeline.exit_code(report))


def _choice(arguments: argparse.Namespace) -> Any:  # noqa: ANN401 - a Choice, whose module takes pydantic to import
    from fer_bench.variants import Choice  # noqa: PLC0415 - keeps --help light

    return Choice(arguments.format, arguments.precision, arguments.runtime)


def _finish(report: Report, json_to: str | None, text: Callable[[Report], str], status: int) -> int:
    """Table for people, JSON where it was asked for; standard output carries one of the two."""
    table = "\n".join(part for part in (text(report), *[f"note: {note}" for note in report.notes]) if part)
    print(table, file=sys.stderr if json_to == STDOUT else sys.stdout)
    if json_to is not None:
        write_json(report.as_json(), json_to)
    if not report.complete:
        _say("interrupted; what was measured until then is kept")
        return INTERRUPTED
    return status


def _say(sentence: str) -> None:
    tell("fer-bench", sentence)


def _names(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def _counts(value: str) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(_count(part) for part in value.split(",")))
    if max(found) > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"at most {MAX_THREADS} threads, found {max(found)}")
    return found


def _count(value: str) -> int:
    if not value.strip().isdigit() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0 is needed, found {value!r}")
    return int(value)


def _seconds(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0.0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds above 0 is needed, found {value!r}")
    return found
