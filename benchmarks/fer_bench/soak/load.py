"""The process that infers without a pause: `python -m fer_bench.soak.load`, a job in, a line of JSON per second out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import numpy as np

from fer_edge.bundle import Bundle
from fer_edge.classifier import open_classifier
from fer_edge.clock import perf_s
from fer_edge.errors import FerEdgeError

WARMUP_RUNS = 20
"""They load caches and wake threads; heat takes minutes, so the machine is still cold after them."""
BATCH_S = 1.0
MOST_SAMPLES = 5000
"""Of a batch; of a model that is faster every second, third, ... sample is kept."""
NS_PER_S = 1e9


@dataclass(frozen=True)
class Job:
    """One artifact in one runtime."""

    bundle: str
    format: str
    precision: str
    runtime: str
    threads: int


def work(job: Job, out: IO[str]) -> None:
    """Infer until the reader is gone. Raises what `open_classifier` raises: a wrong answer is not worth heating for."""
    bundle = Bundle.open(job.bundle)
    classifier = open_classifier(
        bundle, runtime=job.runtime, format_=job.format, precision=job.precision, threads=job.threads
    )
    face = classifier.artifact.golden[0].image(bundle.manifest.preprocess)
    tensor = classifier.preprocess.tensor(face[np.newaxis])
    runtime = classifier.runtime
    for _ in range(WARMUP_RUNS):
        runtime.infer(tensor)
    told = {"runtime_version": runtime.version, "effective_precision": runtime.effective_precision}
    tell({"type": "started", **told}, out)
    while True:
        tell({"samples_ns": batch(lambda: runtime.infer(tensor), perf_s)}, out)


def batch(infer: Callable[[], object], clock: Callable[[], float]) -> list[int]:
    """Nanoseconds of each call for BATCH_S, thinned evenly to at most MOST_SAMPLES."""
    samples: list[int] = []
    begin_s = start_s = clock()
    while start_s - begin_s < BATCH_S:
        infer()
        end_s = clock()
        samples.append(round((end_s - start_s) * NS_PER_S))
        start_s = end_s
    return samples[:: -(-len(samples) // MOST_SAMPLES)]


def tell(line: object, out: IO[str]) -> None:
    """At once."""
    out.write(json.dumps(line) + "\n")
    out.flush()


def main() -> int:
    """Standard output is kept for the lines; what libraries print goes to standard error."""
    channel = os.dup(1)
    os.dup2(2, 1)
    job = Job(**json.loads(sys.stdin.buffer.read()))
    with os.fdopen(channel, "w", encoding="utf-8") as out:
        try:
            work(job, out)
        except FerEdgeError as error:
            tell({"error": str(error)}, out)
            return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
