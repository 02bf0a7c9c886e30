"""Sentences that say when not to believe a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_bench.machine.environment import Conditions, Environment

MAX_ROUND_SPREAD = 0.10
"""Medians of the same variant in two processes that lie further apart tell of something else on the machine."""
MAX_TAIL_RATIO = 3.0
BUSY_SHARE = 0.5
"""Load per CPU before the run from which on the machine counts as busy."""


def of_rounds(name: str, rounds_ns: Sequence[Sequence[int]]) -> list[str]:
    """What is wrong with one variant's samples, as sentences; nothing when they look sound."""
    notes = []
    medians = [float(np.median(samples)) for samples in rounds_ns if samples]
    if len(medians) > 1 and max(medians) > min(medians) * (1 + MAX_ROUND_SPREAD):
        spread = 100 * (max(medians) / min(medians) - 1)
        notes.append(f"{name} may be unstable: the medians of its rounds differ by {spread:.0f} %")
    if medians:
        p50, p99 = np.percentile(np.concatenate([np.asarray(samples) for samples in rounds_ns]), [50, 99])
        if p99 > MAX_TAIL_RATIO * p50:
            notes.append(f"{name} may be unstable: its p99 is {p99 / p50:.1f} times its p50")
    return notes


def of_plan(rounds: int) -> list[str]:
    """What so many rounds cannot tell."""
    return ["one round only: the spread between processes is not in the intervals"] if rounds == 1 else []


def of_machine(environment: Environment, before: Conditions, after: Conditions, threads: int) -> list[str]:
    """What the machine did that spoils figures, as sentences."""
    notes = []
    if before.held_back or after.held_back or _newly(before, after):
        told = ", ".join(after.throttled or before.throttled or ()) or "under-voltage"
        notes.append(f"INVALID: the board was held back during the run ({told}); cool it or feed it, and measure again")
    if before.load_1min is not None and before.load_1min > BUSY_SHARE * max(environment.cpu_count, 1):
        notes.append(
            f"the machine was busy before the run (load {before.load_1min:.1f} on {environment.cpu_count} CPUs); "
            "measure again on a quiet one"
        )
    if environment.cpu_count and threads > environment.cpu_count:
        notes.append(f"{threads} threads were asked of {environment.cpu_count} CPUs")
    if environment.governors and environment.governors != ("performance",):
        notes.append(
            f"the clock is governed by {', '.join(environment.governors)}; `performance` gives steadier figures"
        )
    return notes


def _newly(before: Conditions, after: Conditions) -> bool:
    """Whether a bit that the firmware keeps since boot came up during the run."""
    return bool((after.throttled_bits or 0) & ~(before.throttled_bits or 0))
