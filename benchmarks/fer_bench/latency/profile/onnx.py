"""The profile of ONNX Runtime: what its own profiling writes down of each node."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fer_bench.latency.opening import onnx_session
from fer_bench.latency.profile.operators import Operator
from fer_edge.runtimes.ort import OPEN_BATCH
from fer_edge.types import Array

SOURCE = "ONNX Runtime's own profiling"
ENDING = "_kernel_time"
_COMPUTES = {"float": "float32", "float16": "float16", "uint8": "uint8", "int8": "int8"}


def operators(data: Sequence[bytes], threads: int, tensor: Array, runs: tuple[int, int]) -> list[Operator]:
    """Every node that was executed, in order; runs: how many to leave out, and how many to look at."""
    aside, counted = runs
    with tempfile.TemporaryDirectory() as folder:
        session = onnx_session(
            data[0], threads, {OPEN_BATCH: 1}, enable_profiling=True, profile_file_prefix=str(Path(folder, "profile"))
        )
        name = session.get_inputs()[0].name
        for _ in range(aside + counted):
            session.run(None, {name: tensor})
        return of_events(json.loads(Path(session.end_profiling()).read_text(encoding="utf-8")), aside)


def of_events(events: Sequence[Mapping[str, Any]], aside: int) -> list[Operator]:
    """Operators from the events of a trace; the first `aside` runs are left out."""
    nodes: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event["name"]).endswith(ENDING):
            nodes.setdefault(str(event["name"]).removesuffix(ENDING), []).append(event)
    return [_operator(name, found, aside) for name, found in nodes.items()]


def _operator(name: str, events: Sequence[Mapping[str, Any]], aside: int) -> Operator:
    about = events[0]["args"]
    kinds = [kind for entry in about.get("input_type_shape", [])[:1] for kind in entry]
    return Operator(
        name=name,
        kind=about["op_name"],
        kernel=str(about["provider"]).removesuffix("ExecutionProvider"),
        computes=_COMPUTES.get(kinds[0]) if kinds else None,
        us=float(median(event["dur"] for event in (events[aside:] or events))),
    )
