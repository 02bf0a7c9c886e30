"""A measuring process with a clock of its own, by which its runtime takes as long as the command line says.

Run as a script it is a worker: seconds of one inference, then a number that decides by how much this process is slower
or faster than that, as processes are. Everything else is real, and what else runs on the machine does not count.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from fer_bench.latency import worker
from fer_bench.processes.children import Json, serve
from fer_edge.runtimes import litert
from fer_edge.types import Array

BETWEEN = 0.01
"""Spread of processes, as a share."""
WITHIN = 0.03


def command(seconds: float, seed: int) -> tuple[str, ...]:
    """Of a worker with this pace."""
    return sys.executable, __file__, str(seconds), str(seed)


class Time:
    """What the worker takes for the time."""

    def __init__(self, seconds: float, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._seconds = seconds * float(np.exp(BETWEEN * self._rng.standard_normal()))
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def infer(self) -> None:
        """An inference takes its time."""
        self.now_s += self._seconds * float(np.exp(WITHIN * self._rng.standard_normal()))


class PacedRt(litert.LiteRt):
    """LiteRT, by that clock."""

    time = Time(0.0, 0)

    def infer(self, tensor: Array) -> Sequence[Array]:
        self.time.infer()
        return super().infer(tensor)


def serve_job(job: Json) -> Json:
    """As the real worker, with the class swapped under the adapter, and the clock."""
    PacedRt.time = Time(float(sys.argv[1]), int(sys.argv[2]))
    litert.LiteRt = PacedRt  # type: ignore[misc]
    vars(worker)["perf_s"] = PacedRt.time
    return worker.measure(worker.Job(**job))


if __name__ == "__main__":
    sys.exit(serve(serve_job))
