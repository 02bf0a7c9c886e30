"""Rows and results that were never measured, for what is said and drawn of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from fer_bench.latency.rows import ScenarioRow
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.results.rows import AccuracyRow
from fer_bench.verdict.facts import Facts

RUNTIMES = {"litert": "tflite", "onnxruntime": "onnx", "openvino": "openvino"}


def timed(precision: str, p50_ms: float, threads: int = 1, runtime: str = "litert", **more: Any) -> ScenarioRow:
    """A variant whose interval is one percent to either side, unless `width` says otherwise."""
    width = more.pop("width", 0.01 * p50_ms)
    row = ScenarioRow(
        format=RUNTIMES[runtime],
        precision=precision,
        runtime=runtime,
        threads=threads,
        size_bytes=4_000_000 if precision == "float32" else 1_000_000,
        effective_precision=precision,
        runtime_version="1.0",
        n=1000,
        p50_ms=p50_ms,
        p50_ci95_ms=(p50_ms - width, p50_ms + width),
        p90_ms=1.1 * p50_ms,
        p95_ms=1.2 * p50_ms,
        p99_ms=1.3 * p50_ms,
        load_ms=(10.0, 12.0),
        first_ms=(3.0, 4.0),
        samples_ns=tuple(tuple(spread(p50_ms, seed)) for seed in (1, 2)),
    )
    return replace(row, **more)


def spread(p50_ms: float, seed: int) -> list[int]:
    """Samples around a median, a few of them slow."""
    rng = np.random.default_rng(seed)
    return [round(value) for value in p50_ms * 1e6 * np.exp(np.abs(rng.normal(0.0, 0.1, 500)))]


def judged(precision: str, drop_pp: float | None, half: float = 0.5, **more: Any) -> AccuracyRow:
    """An artifact with this drop, `half` points to either side; None is the reference itself."""
    runtime = more.pop("runtime", "litert")
    row = AccuracyRow(
        format=RUNTIMES.get(runtime, ""),
        precision=precision,
        runtime=runtime,
        threads=1,
        size_bytes=1_000_000,
        n=1000,
        top1=0.66,
        top1_ci95=(0.63, 0.69),
        recall={"happy": 0.9, "sad": 0.5},
        recall_ci95={"happy": (0.8, 0.95), "sad": (0.4, 0.6)},
        support={"happy": 500, "sad": 500},
        macro_recall=0.7,
        ece=0.05,
    )
    if drop_pp is not None:
        span = (drop_pp - half, drop_pp + half)
        row = replace(row, reference="tflite/float32 with litert on 1 thread", drop_pp=drop_pp, drop_pp_ci95=span)
        row = replace(row, mcnemar_p=0.4, agreement=0.98)
    return replace(row, **more)


def daemon(**more: Any) -> PipelineRow:
    """The daemon, cheaper than the bare loop in every round."""
    row = PipelineRow(
        name="fer-edge run",
        n=2,
        frames=100,
        faces=80,
        cpu_ms_per_frame=2.0,
        ratio_to_bare=0.4,
        cpu_ms_per_frame_rounds=(1.9, 2.1),
        ratio_to_bare_rounds=(0.39, 0.41),
        stages_ms=stages(detect=8.9, classify=0.6),
    )
    return replace(row, **more)


def stages(**p95_ms: float) -> dict[str, dict[str, float]]:
    """By name; the p50 is a tenth, the p99 twice as much."""
    return {name: {"p50": 0.1 * p95, "p95": p95, "p99": 2 * p95} for name, p95 in p95_ms.items()}


def facts(*rows: Any, max_drop_pp: float = 1.0, **more: Any) -> Facts:
    """Rows of any kind, sorted into their parts."""
    return Facts(
        latency=[row for row in rows if isinstance(row, ScenarioRow)],
        accuracy=[row for row in rows if isinstance(row, AccuracyRow)],
        pipeline=[row for row in rows if isinstance(row, PipelineRow)],
        max_drop_pp=max_drop_pp,
        **more,
    )


def environment(**more: Any) -> dict[str, Any]:
    """A small board, quiet and cool."""
    moment = {
        "temperature_c": 45.0,
        "throttled_bits": 0,
        "throttled": [],
        "undervoltage": False,
        "clocks_mhz": [1500.0],
        "load_1min": 0.1,
    }
    return {
        "board": "Raspberry Pi 4 Model B Rev 1.5",
        "cpu": "Cortex-A72",
        "cpu_count": 4,
        "cpu_features": ["asimd"],
        "machine": "aarch64",
        "kernel": "6.6",
        "governors": ["performance"],
        "memory_bytes": 4_000_000_000,
        "python": "3.11",
        "fer_edge": "0.1.0",
        "packages": {"numpy": "1.24"},
        "git_revision": None,
        "before": moment,
        "after": dict(moment),
        **more,
    }


def result(kind: str, rows: Sequence[Any], notes: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """A result as its file has it."""
    return {
        "schema_version": 1,
        "kind": kind,
        "complete": True,
        "time": "2026-01-02T03:04:05.000Z",
        "options": {},
        "bundle": {"name": "tiny", "path": "bundles/tiny", "sha256": "0" * 64},
        "environment": environment(),
        "notes": list(notes),
        **more,
        "rows": [asdict(row) for row in rows],
    }


def pipeline(*rows: PipelineRow) -> dict[str, Any]:
    """With the keys that this kind has beside its rows."""
    extra: dict[str, Any] = {"throughput_of_hand": None, "coverage": None, "more": {}, "source": {"clip": True}}
    return result("pipeline", rows, **extra)


def everything(**parts: Mapping[str, Any]) -> dict[str, Any]:
    """A result of `all` with these parts; the others were not asked for."""
    rows: list[dict[str, Any]] = [
        {"part": name, "n": len(parts[name]["rows"]), "status": 0, "why": None, "error": None}
        if name in parts
        else {"part": name, "n": 0, "status": 0, "why": f"no {name} was asked for", "error": None}
        for name in ("latency", "accuracy", "pipeline")
    ]
    return {**result("all", ()), "options": {"max_drop_pp": 1.0}, "parts": parts, "verdict": [], "rows": rows}
