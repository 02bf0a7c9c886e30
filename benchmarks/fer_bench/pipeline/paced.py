"""The process that follows a daemon at its source's own pace: `python -m fer_bench.pipeline.paced`, JSON in and out.

The clip plays as a camera would: frames come when they are due, and the daemon waits in between. So this tells what a
frame costs and how old its events are in use, where a clip that is played as fast as it can be tells neither.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fer_bench.machine.energy import Found, Recorder, find
from fer_bench.machine.environment import ROOT
from fer_bench.pipeline.following import Following
from fer_bench.processes.children import Json, serve
from fer_edge.clock import SystemClock
from fer_edge.errors import InputError

WARM_S = 2.0
"""After the start, before anything counts: threads begin, caches fill, the clock of the CPU settles."""
PERIOD_S = 0.5
"""Between two looks at memory and at the meter."""
QUARTERS = 4
KEPT = ("frames", "faces", "seconds", "fps", "cpu_ms_per_frame", "searches", "stages_ms", "dropped_frames")
IDENTITY = ("source", "live", "artifact", "runtime", "effective_precision", "threads", "detector")


def follow(job: Json, root: Path = ROOT) -> Json:
    """Run `command` and watch it for `seconds`, from WARM_S after its start on.

    Stages, CPU and counts are the daemon's own, over its whole run; ages, memory and energy are of those seconds.
    Raises InputError with a reason when it ends early.
    """
    with Following(job["command"]) as daemon:
        daemon.started.wait()
        daemon.over.wait(WARM_S)
        daemon.take()
        meter = find(root)
        watched = watch(daemon, float(job["seconds"]), meter)
        ending = daemon.failed() or daemon.stop()
    if ending:
        raise InputError(ending)
    told = daemon.statistics
    if not told.get("fps"):
        raise InputError("saw too few frames to be measured")
    found = {key: told.get(key) for key in KEPT} | {"identity": {key: daemon.identity.get(key) for key in IDENTITY}}
    return found | {"first_face_s": daemon.first_face_s} | watched | per_frame(watched["energy"], told["fps"])


def watch(daemon: Following, seconds: float, meter: Found) -> Json:
    """Ages, memory and energy of so long, or until the daemon ends."""
    clock, held = SystemClock(), list[int]()
    recorder = Recorder(meter.meter) if meter.meter is not None else None
    end_s = clock.monotonic_s() + seconds
    peak = None
    while True:
        now, most = daemon.memory()
        held += [now] if now is not None else []
        peak = most or peak
        if recorder is not None:
            recorder.sample(clock.monotonic_s())
        left_s = end_s - clock.monotonic_s()
        if left_s <= 0 or daemon.over.wait(min(PERIOD_S, left_s)):
            break
    energy = recorder.result() if recorder is not None else None
    why = meter.why if recorder is None else f"{recorder.name} gave no number" if energy is None else ""
    return {
        "ages_ns": daemon.take(),
        "cpu_s": daemon.cpu_s(),
        "rss_bytes": held,
        "peak_rss_bytes": peak,
        "growth_bytes": growth(held),
        "energy": asdict(energy) if energy is not None else None,
        "no_energy": why,
    }


def growth(held: Sequence[int]) -> int | None:
    """By how much the median of the last quarter is above that of the first; None for too few to have quarters."""
    part = len(held) // QUARTERS
    return int(np.median(held[-part:]) - np.median(held[:part])) if part else None


def per_frame(energy: Json | None, fps: float) -> Json:
    """Millijoules of a frame and mean watts, None where there is no meter."""
    watts = None if energy is None else float(energy["watts"])
    return {"watts": watts, "mj_per_frame": None if watts is None else 1e3 * watts / fps}


if __name__ == "__main__":
    sys.exit(serve(follow))
