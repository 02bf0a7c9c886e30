"""The process that profiles one artifact in one runtime: `python -m fer_bench.latency.profile.process`.

A process of its own, after all rounds: counting inside a net slows it, and no timed sample may know of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

from fer_bench.latency.opening import LITERT_MODULES
from fer_bench.latency.profile import onnx, openvino, tflite
from fer_bench.latency.profile.operators import Operator, fallen
from fer_bench.latency.worker import Job, Model, fill, read
from fer_bench.processes.children import Json, serve
from fer_edge.errors import UsageError
from fer_edge.runtimes import open_runtime

RUNS = (5, 30)
"""Inferences that are left out, and inferences whose median is told."""


def profile(job: Job) -> Json:
    """What the runtime tells of its operators, and which of them fell off the fast path."""
    model = read(job)
    source, found = _operators(job, model)
    timed = [each.us for each in found if each.us is not None]
    return {
        "source": source,
        "runs": RUNS[1] if timed else 0,
        "total_us": sum(timed) if timed else None,
        "operators": [asdict(each) for each in found],
        "fell_off": [asdict(each) for each in fallen(found)],
    }


def _operators(job: Job, model: Model) -> tuple[str, Sequence[Operator]]:
    if job.runtime in LITERT_MODULES:
        return tflite.SOURCE, tflite.operators(model.data, job.runtime, job.threads)
    runtime = open_runtime(model.data, job.format, runtime=job.runtime, threads=job.threads)
    tensor, _ = fill(job, model, runtime, max(1, runtime.input.shape[0]))
    if job.runtime == "onnxruntime":
        return onnx.SOURCE, onnx.operators(model.data, job.threads, tensor, RUNS)
    if job.runtime == "openvino":
        return openvino.SOURCE, openvino.operators(model.data, job.threads, tensor, RUNS)
    raise UsageError(f"{job.runtime} gives no profile")


if __name__ == "__main__":
    sys.exit(serve(lambda job: profile(Job(**job))))
