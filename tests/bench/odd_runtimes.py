"""Engines that behave badly, and a measuring process that knows them: run as a script it is a worker.

`slow` is LiteRT with SLOW_S more per inference; `crash` dies of an illegal instruction at its first.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence

from fer_bench.latency.worker import Job, measure
from fer_bench.processes.children import Json, serve
from fer_edge import runtimes
from fer_edge.clock import perf_s
from fer_edge.runtimes import Engine, litert
from fer_edge.types import Array

SLOW_S = 0.005
SLOW = Engine("slow", "tflite", "ai_edge_litert", "slow", "nowhere")
CRASH = Engine("crash", "tflite", "ai_edge_litert", "crash", "nowhere")
WORKER = (sys.executable, __file__)


class SlowRt(litert.LiteRt):
    """Busy for SLOW_S before each inference."""

    def infer(self, tensor: Array) -> Sequence[Array]:
        end = perf_s() + SLOW_S
        while perf_s() < end:
            pass
        return super().infer(tensor)


class CrashRt(litert.LiteRt):
    """As a wheel that was built for another CPU."""

    def infer(self, tensor: Array) -> Sequence[Array]:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGILL)
        return super().infer(tensor)


def serve_job(job: Json) -> Json:
    """As the real worker, with the class swapped under the adapter."""
    odd = {"slow": SlowRt, "crash": CrashRt}.get(job["runtime"])
    if odd is not None:
        litert.LiteRt = odd  # type: ignore[misc]
        odd_engine = Engine(job["runtime"], "tflite", "ai_edge_litert", "fer_edge.runtimes.litert", "")
        runtimes.ENGINES = (odd_engine,)  # type: ignore[assignment]
    return measure(Job(**job))


if __name__ == "__main__":
    sys.exit(serve(serve_job))
