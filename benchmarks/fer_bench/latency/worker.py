"""The process that times one artifact in one runtime: `python -m fer_bench.latency.worker`, JSON in, JSON out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fer_bench.latency.feeding import golden_error, golden_tensor, random_tensor
from fer_bench.latency.models import digest, lone_bytes
from fer_bench.latency.opening import open_wide
from fer_bench.latency.scenarios import SINGLE, timed
from fer_bench.processes.children import Json, peak_rss_bytes, serve
from fer_edge.bundle import Artifact, Bundle
from fer_edge.classifier import Classifier
from fer_edge.clock import perf_s
from fer_edge.errors import BundleRefused
from fer_edge.runtimes import Runtime, open_runtime
from fer_edge.types import Array

GOLDEN = "a golden picture of the bundle"


@dataclass(frozen=True)
class Job:
    """What to time, and for how long: steady runs end when both `min_seconds` and `min_runs` are reached.

    streams: runtimes that work at the same time, in multi-stream and offline. batch: pictures per inference in offline,
    where the model takes more than one. sha256: of a single file; None for a bundle. reals: what floats to feed a
    single file.
    """

    bundle: str
    format: str
    precision: str
    runtime: str
    threads: int
    min_seconds: float
    min_runs: int
    scenario: str = SINGLE
    streams: int = 1
    batch: int = 1
    sha256: str | None = None
    reals: tuple[float, float] | None = None


@dataclass(frozen=True)
class Model:
    """What a job names, read: the bytes for the runtime, and the bundle and artifact unless it is a single file."""

    data: Sequence[bytes]
    bundle: Bundle | None = None
    artifact: Artifact | None = None


def measure(job: Job) -> Json:
    """Load, first query, warm-up, steady queries; then the golden pictures, for a wrong answer has no speed."""
    model = read(job)
    before = perf_s()
    opened = [_open(job, model.data) for _ in range(job.streams)]
    load_ms = (perf_s() - before) * 1e3
    runtimes, batch = [runtime for runtime, _ in opened], opened[0][1]
    tensor, fed = fill(job, model, runtimes[0], batch)
    calls = [_call(runtime, tensor) for runtime in runtimes]
    found = timed(job.scenario, calls, job.min_runs, job.min_seconds, perf_s)
    peak = peak_rss_bytes()
    return {
        "job": asdict(job),
        "runtime_version": runtimes[0].version,
        "effective_precision": runtimes[0].effective_precision,
        "threads": runtimes[0].threads,
        "batch": batch,
        "fed": fed,
        "load_ms": load_ms,
        "first_ms": found.first / 1e6,
        "warmup_ns": found.warmup,
        "samples_ns": found.samples,
        "elapsed_ns": found.elapsed,
        "harness_overhead_ns": found.empty,
        "peak_rss_bytes": peak,
        "golden_error": _proof(model, runtimes[0]),
    }


def read(job: Job) -> Model:
    """The bytes of what the job names; raises BundleRefused when they are not what they should be."""
    if job.sha256 is None:
        bundle = Bundle.open(job.bundle)
        artifact = bundle.pick((job.format,), job.precision)
        return Model(bundle.read(artifact), bundle, artifact)
    data = lone_bytes(Path(job.bundle))
    if digest(data) != job.sha256:
        raise BundleRefused(f"{job.bundle} was changed while it was being measured")
    return Model(data)


def fill(job: Job, model: Model, runtime: Runtime, batch: int) -> tuple[Array, str]:
    """A tensor for this runtime, and what is in it in words."""
    if model.bundle is None or model.artifact is None:
        return random_tensor(runtime.input, batch, job.reals)
    return golden_tensor(model.bundle, model.artifact, runtime.input, batch), GOLDEN


def _open(job: Job, data: Sequence[bytes]) -> tuple[Runtime, int]:
    if job.batch > 1:
        return open_wide(data, job.format, job.runtime, job.threads, job.batch)
    runtime = open_runtime(data, job.format, runtime=job.runtime, threads=job.threads)
    return runtime, max(1, runtime.input.shape[0])


def _call(runtime: Runtime, tensor: Array) -> Callable[[], object]:
    def infer() -> object:
        return runtime.infer(tensor)

    return infer


def _proof(model: Model, runtime: Runtime) -> float | None:
    if model.bundle is None or model.artifact is None:
        return None
    return golden_error(Classifier(model.bundle, model.artifact, runtime), model.artifact)


if __name__ == "__main__":
    sys.exit(serve(lambda job: measure(Job(**job))))
