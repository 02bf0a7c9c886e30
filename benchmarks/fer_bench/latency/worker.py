"""The process that times one artifact in one runtime: `python -m fer_bench.latency.worker`, JSON in, JSON out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from fer_bench.processes.children import Json, peak_rss_bytes, serve
from fer_edge.bundle import Artifact, Bundle
from fer_edge.classifier import Classifier
from fer_edge.clock import perf_s
from fer_edge.errors import BundleRefused
from fer_edge.preprocess import Preprocess
from fer_edge.runtimes import open_runtime

WARMUP_RUNS = 20
WARMUP_S = 0.2
MAX_SAMPLES = 200_000
"""A round ends here even when its time is not over: 200,000 samples of a very small model say all there is to say."""
NS_PER_S = 1e9


@dataclass(frozen=True)
class Job:
    """What to time, and for how long: steady runs end when both `min_seconds` and `min_runs` are reached."""

    bundle: str
    format: str
    precision: str
    runtime: str
    threads: int
    min_seconds: float
    min_runs: int


def sample(infer: Callable[[], object], min_runs: int, min_seconds: float, clock: Callable[[], float]) -> list[int]:
    """Nanoseconds of each call, until time and count are both reached, or MAX_SAMPLES."""
    samples: list[int] = []
    begin = clock()
    while True:
        start = clock()
        infer()
        end = clock()
        samples.append(round((end - start) * NS_PER_S))
        enough = len(samples) >= min_runs and end - begin >= min_seconds
        if enough or len(samples) >= MAX_SAMPLES:
            return samples


def measure(job: Job) -> Json:
    """Load, first inference, warm-up, steady samples; then the golden pictures, for a wrong answer has no speed."""
    bundle = Bundle.open(job.bundle)
    artifact = bundle.pick((job.format,), job.precision)
    data = bundle.read(artifact)
    before = perf_s()
    runtime = open_runtime(data, job.format, runtime=job.runtime, threads=job.threads)
    load_ms = (perf_s() - before) * 1e3
    face = artifact.golden[0].image(bundle.manifest.preprocess)
    tensor = Preprocess(bundle.manifest.preprocess, runtime.input).tensor(face[np.newaxis])

    def infer() -> object:
        return runtime.infer(tensor)

    first_ns = sample(infer, 1, 0.0, perf_s)[0]
    warmup_ns = sample(infer, WARMUP_RUNS, WARMUP_S, perf_s)
    samples_ns = sample(infer, job.min_runs, job.min_seconds, perf_s)
    peak = peak_rss_bytes()
    return {
        "job": asdict(job),
        "runtime_version": runtime.version,
        "effective_precision": runtime.effective_precision,
        "threads": runtime.threads,
        "load_ms": load_ms,
        "first_ms": first_ns / 1e6,
        "warmup_ns": warmup_ns,
        "samples_ns": samples_ns,
        "peak_rss_bytes": peak,
        "golden_error": golden_error(Classifier(bundle, artifact, runtime), artifact),
    }


def golden_error(classifier: Classifier, artifact: Artifact) -> float:
    """Largest difference of any golden output; raises BundleRefused when it is above the artifact's tolerance."""
    spec = classifier.bundle.manifest.preprocess
    found = classifier.outputs([golden.image(spec) for golden in artifact.golden])
    worst = float(np.abs(found - np.asarray([golden.output for golden in artifact.golden])).max())
    if not worst <= artifact.tolerance:
        raise BundleRefused(
            f"a golden output is off by {worst:.4g}, more than the tolerance {artifact.tolerance:.4g}: "
            "the time of a wrong answer is not reported"
        )
    return worst


if __name__ == "__main__":
    sys.exit(serve(lambda job: measure(Job(**job))))
