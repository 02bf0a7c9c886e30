"""Result files as fer-bench writes them, with figures that a test makes up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.compare.comparison import Comparison, Plan
from fer_bench.compare.run import run
from fer_bench.latency.rows import ScenarioRow
from fer_bench.machine.environment import Conditions, Environment
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.results.rows import AccuracyRow

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
QUIET = Conditions(45.0, 0, (), None, (2400.0,), 0.1)
BOARD = Environment(
    board="Raspberry Pi 5 Model B Rev 1.0",
    cpu="Cortex-A76",
    cpu_count=4,
    cpu_features=("asimd", "asimddp"),
    machine="aarch64",
    kernel="6.12.34",
    governors=("performance",),
    memory_bytes=8 * 2**30,
    python="3.11.2",
    fer_edge="0.1.0",
    packages={"numpy": "2.4.6", "ai-edge-litert": "2.3.0"},
    git_revision="0" * 40,
)
LABELS = ["angry", "happy"]

STEADY = 0.004
"""Between processes of a quiet board, as a share."""

Document = dict[str, Any]


def rounds(middle_ms: float, count: int, seed: int, spread: float = 0.02) -> tuple[tuple[int, ...], ...]:
    """Samples of `count` processes, nanoseconds: each has a middle of its own, `spread` (a share) around middle_ms."""
    rng = np.random.default_rng(seed)
    middles = middle_ms * 1e6 * np.exp(spread * rng.standard_normal(count))
    return tuple(tuple(int(v) for v in middle * np.exp(0.05 * rng.standard_normal(50))) for middle in middles)


def latency_row(samples_ns: Sequence[Sequence[int]], precision: str = "int8", **more: Any) -> Document:
    """A row of latency with these samples."""
    row = ScenarioRow(
        format="tflite",
        precision=precision,
        runtime="litert",
        threads=1,
        size_bytes=1000,
        n=sum(map(len, samples_ns)),
        effective_precision=precision,
        runtime_version="2.3.0",
        p50_ms=float(np.median(np.concatenate(samples_ns))) / 1e6 if samples_ns else None,
        load_ms=tuple(10.0 for _ in samples_ns),
        first_ms=tuple(2.0 for _ in samples_ns),
        samples_ns=tuple(map(tuple, samples_ns)),
    )
    return asdict(replace(row, **more))


def accuracy_row(predictions: Sequence[int], **more: Any) -> Document:
    """A row of accuracy that said these labels."""
    row = AccuracyRow(
        format="tflite",
        precision="int8",
        runtime="litert",
        threads=1,
        size_bytes=1000,
        n=len(predictions),
        predictions=tuple(predictions),
    )
    return asdict(replace(row, **more))


def pipeline_row(cpu_ms: Sequence[float], **more: Any) -> Document:
    """A contender with so much CPU per frame in its rounds."""
    row = PipelineRow(name="fer-edge run", n=len(cpu_ms), cpu_ms_per_frame_rounds=tuple(cpu_ms))
    return asdict(replace(row, **more))


def document(rows: Sequence[Document], kind: str = "latency", minute: float = 0.0, **changes: Any) -> Document:
    """A whole result. changes: of the environment, where they name one of its fields, else of the result."""
    ours = {name: value for name, value in changes.items() if name in Environment.__dataclass_fields__}
    moments = {name: asdict(changes.pop(name, QUIET)) for name in ("before", "after")}
    found: Document = {
        "schema_version": 1,
        "kind": kind,
        "complete": True,
        "time": (START + timedelta(minutes=minute)).isoformat(),
        "options": {"bundle": "default", "rounds": 3, "min_seconds": 2.0, "min_runs": 200},
        "bundle": {"name": "tiny", "path": "/x/tiny", "sha256": "a" * 64, "labels": LABELS, "preprocess": {}},
        "environment": {**asdict(replace(BOARD, **ours)), **moments},
        "notes": [],
        "rows": list(rows),
    }
    if kind == "accuracy":
        found["data"] = {"source": "faces", "split": "test", "n": 0, "sha256": "b" * 64, "targets": []}
    return {**found, **{name: value for name, value in changes.items() if name not in ours}}


def accuracy_document(targets: Sequence[int], predictions: Sequence[int], **changes: Any) -> Document:
    """One artifact on pictures with these labels."""
    data = {"source": "faces", "split": "test", "n": len(targets), "sha256": "b" * 64, "targets": list(targets)}
    return document([accuracy_row(predictions)], "accuracy", **{"data": data, **changes})


def put(path: Path, found: Document) -> str:
    """Write it; returns where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return str(path)


def compared(folder: Path, base: Document, new: Document, *fail_on: str, **options: Any) -> Comparison:
    """Two results, by way of their files."""
    (found,) = run(Plan(put(folder / "base.json", base), put(folder / "new.json", new), fail_on, **options))
    return found


def latency(middle_ms: float, seed: int, count: int = 10, spread: float = STEADY, **changes: Any) -> Document:
    """One row of so many rounds around a middle."""
    return document([latency_row(rounds(middle_ms, count, seed, spread))], minute=seed, **changes)


def accuracy(right: Sequence[int], n: int = 200, **changes: Any) -> Document:
    """Right on the pictures with these numbers, which all show label 0."""
    predictions = [0 if k in set(right) else 1 for k in range(n)]
    return accuracy_document([0] * n, predictions, **changes)
