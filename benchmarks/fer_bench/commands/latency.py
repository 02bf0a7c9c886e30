"""`fer-bench latency`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import add_bundle, add_output, choice, count, counts, finish, names, say, seconds
from fer_bench.peers.flags import add_peer
from fer_bench.results.report import exit_code


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    latency = commands.add_parser(
        "latency",
        help="how long one inference takes, per artifact, runtime, threads and scenario",
        description="Time every artifact of bundles, or single model files, in every installed runtime: a fresh "
        "process for each variant and round, rounds interleaved, warm-up kept apart.",
        epilog="examples: fer-bench latency default --runtime litert --threads 1,2 --json latency.json; "
        "fer-bench latency net.tflite other.onnx --scenario multi-stream --streams 4; "
        "fer-bench latency default --profile",
    )
    add_bundle(latency)
    latency.add_argument(
        "more", nargs="*", metavar="MODEL", help="more bundles, or single files: net.tflite, net.onnx, net.xml"
    )
    _add_scenarios(latency)
    latency.add_argument(
        "--threads", type=counts, default=(1,), metavar="N,N", help="threads per inference (default 1)"
    )
    latency.add_argument(
        "--min-seconds", type=seconds, default=2.0, metavar="S", help="steady time per process, at least (default 2)"
    )
    latency.add_argument(
        "--min-runs",
        type=count,
        default=200,
        metavar="N",
        help="steady inferences per process, at least (default 200)",
    )
    latency.add_argument("--rounds", type=count, default=3, metavar="N", help="processes per variant (default 3)")
    latency.add_argument(
        "--profile",
        action="store_true",
        help="ask the runtimes afterwards where within an inference the time goes, and what fell off the fast path",
    )
    add_peer(latency)
    add_output(latency)
    latency.set_defaults(command=_latency)


def _add_scenarios(latency: argparse.ArgumentParser) -> None:
    latency.add_argument(
        "--scenario",
        type=names,
        default=("single-stream",),
        metavar="S,S",
        help="single-stream, multi-stream, offline, in MLPerf's sense (default single-stream)",
    )
    latency.add_argument(
        "--streams",
        type=count,
        metavar="N",
        help="inferences at the same time (default 4 in multi-stream, 1 in offline)",
    )
    latency.add_argument(
        "--batch",
        type=count,
        default=8,
        metavar="N",
        help="pictures per inference in offline, where a model takes more than one (default 8)",
    )


def _latency(arguments: argparse.Namespace) -> int:
    from fer_bench.latency import run as latency  # noqa: PLC0415 - keeps --help light
    from fer_bench.peers import latency as beside  # noqa: PLC0415 - as above
    from fer_bench.peers.adapter import CROP, read_all  # noqa: PLC0415 - as above
    from fer_bench.peers.report import exit_code as with_peers  # noqa: PLC0415 - as above

    peers = read_all(arguments.peer, CROP)
    plan = latency.Plan(
        bundle=arguments.bundle,
        choice=choice(arguments),
        threads=arguments.threads,
        min_seconds=arguments.min_seconds,
        min_runs=arguments.min_runs,
        rounds=arguments.rounds,
        timeout_s=arguments.timeout,
        more=tuple(arguments.more),
        scenarios=arguments.scenario,
        streams=arguments.streams,
        batch=arguments.batch,
        profile=arguments.profile,
    )
    report = beside.add(latency.run(plan, say), plan, peers, say)
    return finish(report, arguments.json, beside.beside(latency.text), with_peers(report, exit_code(report)))
