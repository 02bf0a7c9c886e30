"""Sentences that say when not to believe a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_bench.machine.environment import Conditions, Environment

MAX_ROUND_SPREAD = 0.10
"""Medians of the same variant in two processes that lie further apart tell of something else on the machine."""
MAX_TAIL_RATIO = 3.0
MAX_STOLEN_SHARE = 0.01
"""Of a machine's CPU time in the hands of others, from which on its users should know."""
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
    told = held_back(before, after)
    if told is not None:
        notes.append(f"INVALID: the board was held back during the run ({told}); cool it or feed it, and measure again")
    stolen = stolen_share(before, after)
    if stolen is not None and stolen > MAX_STOLEN_SHARE:
        notes.append(f"the hypervisor gave {100 * stolen:.0f} % of this machine's CPU time to others during the run")
    if environment.cpus_usable is not None and threads > environment.cpus_usable:
        notes.append(f"{threads} threads were asked of a process that may use {environment.cpus_usable:g} CPUs")
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


def held_back(before: Conditions, after: Conditions) -> str | None:
    """What made the board slower than it can be between these two moments, in words; None when nothing did."""
    if before.held_back or after.held_back or _newly(before, after):
        words = after.throttled or before.throttled or after.slowed or before.slowed or ()
        return ", ".join(words) or "under-voltage"
    if before.throttle_count is not None and (after.throttle_count or 0) > before.throttle_count:
        return f"the processor slowed down for heat {(after.throttle_count or 0) - before.throttle_count} times"
    return None


def stolen_share(before: Conditions, after: Conditions) -> float | None:
    """Share, 0 to 1, of the CPUs' time that a hypervisor gave to others between these two moments."""
    if None in (before.stolen_ticks, before.all_ticks, after.stolen_ticks, after.all_ticks):
        return None
    ticks = (after.all_ticks or 0) - (before.all_ticks or 0)
    return ((after.stolen_ticks or 0) - (before.stolen_ticks or 0)) / ticks if ticks > 0 else None


def _newly(before: Conditions, after: Conditions) -> bool:
    """Whether a bit that the firmware keeps since boot came up during the run."""
    return bool((after.throttled_bits or 0) & ~(before.throttled_bits or 0))
