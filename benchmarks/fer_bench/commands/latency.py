"""`fer-bench latency`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import add_bundle, add_output, choice, count, counts, finish, say, seconds
from fer_bench.results.report import exit_code


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    latency = commands.add_parser(
        "latency",
        help="how long one inference takes, per artifact, runtime and threads",
        description="Time every artifact of a bundle in every installed runtime: a fresh process for each variant and "
        "round, rounds interleaved, warm-up kept apart.",
        epilog="example: fer-bench latency default --runtime litert --threads 1,2 --json latency.json",
    )
    add_bundle(latency)
    latency.add_argument(
        "--threads", type=counts, default=(1,), metavar="N,N", help="threads per inference (default 1)"
    )
    latency.add_argument(
        "--min-seconds",
        type=seconds,
        default=2.0,
        metavar="S",
        help="steady time per process, at least (default 2)",
    )
    latency.add_argument(
        "--min-runs",
        type=count,
        default=200,
        metavar="N",
        help="steady inferences per process, at least (default 200)",
    )
    latency.add_argument("--rounds", type=count, default=3, metavar="N", help="processes per variant (default 3)")
    add_output(latency)
    latency.set_defaults(command=_latency)


def _latency(arguments: argparse.Namespace) -> int:
    from fer_bench.latency import run as latency  # noqa: PLC0415 - keeps --help light

    plan = latency.Plan(
        bundle=arguments.bundle,
        choice=choice(arguments),
        threads=arguments.threads,
        min_seconds=arguments.min_seconds,
        min_runs=arguments.min_runs,
        rounds=arguments.rounds,
        timeout_s=arguments.timeout,
    )
    report = latency.run(plan, say)
    return finish(report, arguments.json, latency.text, exit_code(report))
