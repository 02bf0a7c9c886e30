"""The profile of OpenVINO: its performance counters."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from fer_bench.latency.opening import openvino_compiled
from fer_bench.latency.profile.operators import Operator
from fer_edge.types import Array

SOURCE = "OpenVINO's own performance counters"
US_PER_S = 1e6
_COMPUTES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8"}
NOT_NODES = ("Parameter", "Result", "Constant", "Const", "Input", "Output")


def operators(data: Sequence[bytes], threads: int, tensor: Array, runs: tuple[int, int]) -> list[Operator]:
    """Every node that was executed, in order; runs: how many to leave out, and how many to look at."""
    aside, counted = runs
    request = openvino_compiled(data, threads, 1, PERF_COUNT=True).create_infer_request()
    request.get_input_tensor().data[...] = tensor
    times: dict[str, list[float]] = {}
    last = []
    for number in range(aside + counted):
        request.infer()
        last = [node for node in request.profiling_info if executed(node)]
        if number >= aside:
            for node in last:
                times.setdefault(node.node_name, []).append(node.real_time.total_seconds() * US_PER_S)
    return [operator(node, times[node.node_name]) for node in last]


def executed(node: Any) -> bool:  # noqa: ANN401 - untyped library
    """Whether it ran: the counters also list what was optimized away, and the ends of the net."""
    return str(node.status).endswith("EXECUTED") and node.node_type not in NOT_NODES


def operator(node: Any, times_us: Sequence[float]) -> Operator:  # noqa: ANN401 - untyped library
    """One node; the name of its kernel ends with what it computes in."""
    return Operator(
        name=node.node_name,
        kind=node.node_type,
        kernel=node.exec_type,
        computes=_COMPUTES.get(node.exec_type.lower().rpartition("_")[2]),
        us=float(median(times_us)),
    )
