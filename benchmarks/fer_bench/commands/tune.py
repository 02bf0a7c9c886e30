"""`fer-bench tune`."""

from __future__ import annotations

import argparse
from typing import Any

from fer_bench.commands.common import (
    add_bundle,
    add_output,
    choice,
    count,
    counts,
    finish,
    number,
    points,
    say,
    seconds,
)

MAX_PERIOD_S = 60.0


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """The verb and its flags."""
    tune = commands.add_parser(
        "tune",
        help="what runs best on this board within bounds, written into the daemon's configuration",
        description="Try every artifact in every runtime on some threads, in fresh processes, then the best few "
        "through the real daemon with several detector periods; drop what is beyond a bound, and write the winner "
        "(least CPU per frame) into the configuration.",
        epilog="example: fer-bench tune default --p95-ms 20 --max-drop 1 --rss-mb 200 --config fer-edge.toml --dry-run",
    )
    add_bundle(tune)
    _add_bounds(tune)
    _add_work(tune)
    tune.add_argument("--config", metavar="FILE", help="the daemon's file, which gets the winner (default: none)")
    tune.add_argument("--dry-run", action="store_true", help="show what would change in FILE, and leave it")
    add_output(tune)
    tune.set_defaults(command=_tune)


def _add_bounds(tune: argparse.ArgumentParser) -> None:
    tune.add_argument("--p95-ms", type=above_zero, metavar="X", help="of one inference, at most (default: no bound)")
    tune.add_argument(
        "--max-drop", type=points, default=1.0, metavar="PP", help="top-1 below float32, points (default 1)"
    )
    tune.add_argument(
        "--rss-mb", type=above_zero, metavar="Z", help="memory of a process, at most, 10^6 bytes (default: no bound)"
    )
    tune.add_argument(
        "--max-lost",
        type=points,
        default=1.0,
        metavar="PP",
        help="faces covered, points below the detector period that is configured (default 1)",
    )


def _add_work(tune: argparse.ArgumentParser) -> None:
    tune.add_argument("--source", default="demo", metavar="CLIP", help="what the daemon is shown (default: the demo)")
    tune.add_argument(
        "--max-frames", type=count, default=450, metavar="N", help="of the clip, in each run (default 450)"
    )
    tune.add_argument("--threads", type=counts, default=(), metavar="N,N", help="per inference (default 1,2,4)")
    tune.add_argument(
        "--periods",
        type=periods,
        default=(0.2, 0.4, 0.6, 1.0),
        metavar="S,S",
        help="between searches of the whole picture (default 0.2,0.4,0.6,1); the configured one is always tried",
    )
    tune.add_argument("--data", metavar="D", help="labelled pictures to measure drops on (default: the manifest's)")
    tune.add_argument("--split", default="test", metavar="NAME", help="of --data, or none (default test)")
    tune.add_argument("--limit", type=count, metavar="N", help="N pictures of --data (default all)")
    tune.add_argument("--rounds", type=count, default=4, metavar="N", help="processes per candidate (default 4)")
    tune.add_argument(
        "--min-seconds", type=seconds, default=1.0, metavar="S", help="steady time per process (default 1)"
    )
    tune.add_argument(
        "--min-runs", type=count, default=200, metavar="N", help="steady inferences per process (default 200)"
    )


def _tune(arguments: argparse.Namespace) -> int:
    from fer_bench.tune import run as tune  # noqa: PLC0415 - keeps --help light
    from fer_bench.tune.plan import Limits  # noqa: PLC0415 - with it

    plan = tune.Plan(
        bundle=arguments.bundle,
        limits=Limits(arguments.p95_ms, arguments.max_drop, arguments.rss_mb, arguments.max_lost),
        choice=choice(arguments),
        threads=arguments.threads,
        periods_s=arguments.periods,
        source=arguments.source,
        max_frames=arguments.max_frames,
        data=arguments.data,
        split=None if arguments.split == "none" else arguments.split,
        limit=arguments.limit,
        config=arguments.config,
        dry_run=arguments.dry_run,
        min_seconds=arguments.min_seconds,
        min_runs=arguments.min_runs,
        rounds=arguments.rounds,
        timeout_s=arguments.timeout,
    )
    report = tune.run(plan, say)
    return finish(report, arguments.json, tune.text, tune.exit_code(report))


def above_zero(value: str) -> float:
    """A number above 0."""
    found = number(value)
    if not 0.0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"a number above 0 is needed, found {value!r}")
    return found


def periods(value: str) -> tuple[float, ...]:
    """`0.3,1` as seconds, 0 (every frame) to MAX_PERIOD_S."""
    found = tuple(dict.fromkeys(number(part) for part in value.split(",")))
    if not all(0.0 <= each <= MAX_PERIOD_S for each in found):
        raise argparse.ArgumentTypeError(f"seconds from 0 to {MAX_PERIOD_S:g} are needed, found {value!r}")
    return found
