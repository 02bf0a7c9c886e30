"""`fer-bench all`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_bench.commands.common import add_bundle, choice, count, counts, names, points, say, seconds
from fer_edge.command import INTERRUPTED


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    everything = commands.add_parser(
        "all",
        help="latency, accuracy and the whole pipeline as one report with a verdict",
        description="Time every artifact on several numbers of threads, judge it on labelled pictures, and run the "
        "daemon on a clip; what is not given is left out and told. Writes result.json, report.txt and report.html.",
        epilog="example: fer-bench all default --data fer2013:fer2013/ --source clip.mp4 --out report",
    )
    add_bundle(everything)
    everything.add_argument("--out", required=True, metavar="DIR", help="folder for the report, made if there is none")
    everything.add_argument(
        "--threads", type=counts, metavar="N,N", help="threads per inference (default 1,2,4 as far as there are CPUs)"
    )
    _add_accuracy(everything)
    _add_pipeline(everything)
    everything.add_argument(
        "--max-drop",
        type=points,
        metavar="PP",
        help="top-1 that the recommended artifact may lose against float32, percentage points (default 1.0)",
    )
    everything.add_argument("--min-seconds", type=seconds, default=2.0, metavar="S", help="as in latency (default 2)")
    everything.add_argument("--min-runs", type=count, default=200, metavar="N", help="as in latency (default 200)")
    everything.add_argument("--rounds", type=count, default=3, metavar="N", help="processes of each kind (default 3)")
    everything.add_argument(
        "--timeout", type=seconds, default=600.0, metavar="S", help="a process that takes longer failed (default 600)"
    )
    everything.set_defaults(command=_all, json=None)


def _add_accuracy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="D", help="labelled pictures: fer2013:PATH, folder:PATH or PATH")
    parser.add_argument("--split", default="test", metavar="NAME", help="as in accuracy (default test)")
    parser.add_argument("--limit", type=count, metavar="N", help="N pictures, classes in equal shares (default all)")
    parser.add_argument("--corruptions", type=names, default=(), metavar="C,C", help="as in accuracy (default none)")


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="CLIP", help="a clip, or a camera, for the pipeline")
    parser.add_argument("--detector-weights", metavar="FILE", help="YuNet's .onnx file (default: in the model folders)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the daemon's configuration")
    parser.add_argument("--max-frames", type=count, metavar="N", help="the first N frames of the clip (default all)")


def _all(arguments: argparse.Namespace) -> int:
    from fer_bench.everything import files  # noqa: PLC0415 - keeps --help light
    from fer_bench.everything import run as everything  # noqa: PLC0415 - keeps --help light
    from fer_bench.everything.texts import text_of  # noqa: PLC0415 - keeps --help light

    out = Path(arguments.out)
    files.ready(out)
    report = everything.run(_plan(arguments), say, keep=lambda so_far: files.keep(out, so_far.as_json()))
    document = report.as_json()
    written = files.write(out, document)
    print(text_of(document))  # noqa: T201 - a command prints
    say(f"written: {', '.join(str(path) for path in written)}")
    if not report.complete:
        say("interrupted; what was measured until then is kept")
        return INTERRUPTED
    return everything.exit_code(report)


def _plan(arguments: argparse.Namespace) -> Any:  # noqa: ANN401 - a Plan, whose module takes numpy to import
    from fer_bench.everything import plan  # noqa: PLC0415 - keeps --help light
    from fer_bench.verdict.run import MAX_DROP_PP  # noqa: PLC0415 - keeps --help light

    return plan.Plan(
        bundle=arguments.bundle,
        choice=choice(arguments),
        threads=arguments.threads or plan.usual_threads(),
        data=arguments.data,
        split=None if arguments.split == "none" else arguments.split,
        limit=arguments.limit,
        corruptions=arguments.corruptions,
        source=arguments.source,
        weights=arguments.detector_weights,
        settings=tuple(arguments.set),
        max_frames=arguments.max_frames,
        min_seconds=arguments.min_seconds,
        min_runs=arguments.min_runs,
        rounds=arguments.rounds,
        timeout_s=arguments.timeout,
        max_drop_pp=MAX_DROP_PP if arguments.max_drop is None else arguments.max_drop,
    )
