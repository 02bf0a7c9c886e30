"""How often `fer-bench compare` calls two runs of the same artifact different, with real processes on this machine.

    python tests/system/honesty.py [--pairs 20] [--rounds 8] [--in-a-row] [--seconds 0.1]
    python tests/system/honesty.py --simulate

Each pair is two folders of one-round results that were measured by turns, or, `--in-a-row`, two results one after the
other. The status is 1 when more than one pair in twenty came out different. `--simulate` asks the same of made-up
machines, a thousand times.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from fer_bench.compare import significance
from fer_bench.compare.comparison import Plan
from fer_bench.compare.run import run
from fer_bench.latency import run as latency
from fer_bench.variants import Choice
from fer_edge.command import write_json

ALLOWED = 0.05
"""Share of pairs that may come out different."""
MACHINES = ("quiet", "noisy", "wandering")
TRIALS = 1000


def main() -> int:
    """One line per pair, and the count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--in-a-row", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--simulate", action="store_true")
    arguments = parser.parse_args()
    if arguments.simulate:
        return simulate(arguments.rounds)
    wrong = sum(_one(number, arguments) for number in range(1, arguments.pairs + 1))
    say(f"{arguments.pairs - wrong} of {arguments.pairs} pairs of the same artifact: not significant")
    return int(wrong > ALLOWED * arguments.pairs)


def _one(number: int, arguments: argparse.Namespace) -> bool:
    """Whether this pair came out different."""
    with tempfile.TemporaryDirectory(prefix="honesty-") as folder:
        sides = [Path(folder, name) for name in ("base", "new")]
        for side in sides:
            side.mkdir()
        turns = 1 if arguments.in_a_row else arguments.rounds
        for k in range(turns):
            for side in sides[:: -1 if k % 2 else 1]:
                report = latency.run(_plan(arguments, arguments.rounds // turns), lambda _: None)
                write_json(report.as_json(), str(side / f"{k}.json"))
        (found,) = run(Plan(str(sides[0]), str(sides[1])))
    (row,) = found.rows
    low, high = row.ratio_ci95 or (0.0, 0.0)
    say(f"{number}: p50 {row.base:.3f} and {row.new:.3f} ms, x{row.ratio:.3f} ({low:.3f}..{high:.3f}), {row.verdict}")
    if row.significant is None:
        sys.exit(f"nothing was judged: {row.verdict}")
    return bool(row.significant)


def _plan(arguments: argparse.Namespace, rounds: int) -> latency.Plan:
    return latency.Plan(
        arguments.bundle,
        choice=Choice(formats=("tflite",), precisions=("int8",), runtimes=("litert",)),
        rounds=rounds,
        min_seconds=arguments.seconds,
        min_runs=50,
    )


def simulate(rounds: int) -> int:
    """Two runs of the same thing on made-up machines: shares that come out different, in a row and by turns."""
    rng = np.random.default_rng(1)
    for machine in MACHINES:
        series = [_series(machine, 2 * rounds, rng) for _ in range(TRIALS)]
        row = np.mean([_different(each[:rounds], each[rounds:], paired=False) for each in series])
        trusting = np.mean(
            [significance.rank_sum(each[:rounds], each[rounds:]) <= significance.ALPHA for each in series]
        )
        turns = np.mean([_different(each[::2], each[1::2], paired=True) for each in series])
        say(f"{machine}: in a row {100 * row:.1f} % ({100 * trusting:.1f} % if trusted), by turns {100 * turns:.1f} %")
    return 0


def _series(machine: str, count: int, rng: np.random.Generator) -> significance.Floats:
    """Logarithms of the rounds' medians."""
    noise = rng.standard_normal(count)
    return {"quiet": 0.003 * noise, "noisy": 0.1 * noise, "wandering": 0.1 * np.cumsum(noise)}[machine]


def _different(base: significance.Floats, new: significance.Floats, *, paired: bool) -> bool:
    before, after = ([np.array([value]) for value in np.exp(side)] for side in (base, new))
    found = significance.compare(before, after, 50, paired=paired)
    return found.p <= significance.ALPHA and not found.interval[0] <= 1.0 <= found.interval[1]


def say(line: str) -> None:
    """At once, for somebody watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
