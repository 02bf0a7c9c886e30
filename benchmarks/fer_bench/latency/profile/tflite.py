"""The profile of the TFLite interpreter: its operators and which of them a delegate took.

The Python packages (ai-edge-litert 2.3, tflite-runtime 2.14, TensorFlow 2.21) give no times per operator, so there are
none here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fer_bench.latency.opening import LITERT_MODULES, tflite_interpreter
from fer_bench.latency.profile.operators import Operator

SOURCE = "the interpreter's list of operators, which has no times"
DELEGATE = "DELEGATE"
XNNPACK = "XNNPACK"
OWN = "the interpreter's own"


def operators(data: Sequence[bytes], runtime: str, threads: int) -> list[Operator]:
    """Every operator of the model's main graph, in order, and what executes it."""
    said: list[bytes] = []
    with _heard(said):
        interpreter = tflite_interpreter(data[0], LITERT_MODULES[runtime], threads)
        interpreter.allocate_tensors()
    kinds = {detail["index"]: np.dtype(detail["dtype"]).name for detail in interpreter.get_tensor_details()}
    nodes = interpreter._get_ops_details()  # noqa: SLF001 - the interpreter's only list of operators
    return of_nodes(nodes, kinds, XNNPACK if XNNPACK.encode() in b"".join(said) else "a delegate")


def of_nodes(nodes: Sequence[Mapping[str, Any]], kinds: Mapping[int, str], delegate: str) -> list[Operator]:
    """Operators from the interpreter's nodes, among which a delegate is one; kinds: each tensor's dtype."""
    taken = delegated(nodes)
    return [
        Operator(
            name=f"{node['op_name']} {node['index']}",
            kind=node["op_name"],
            kernel=delegate if node["index"] in taken else OWN,
            computes=next((kinds.get(int(tensor)) for tensor in node["inputs"][:1]), None),
            delegated=node["index"] in taken,
        )
        for node in nodes
        if node["op_name"] != DELEGATE
    ]


def delegated(nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Indices of the nodes that delegates took: those between a delegate's outputs and its inputs."""
    makers = {int(tensor): node for node in nodes if node["op_name"] != DELEGATE for tensor in node["outputs"]}
    taken: set[int] = set()
    for delegate in (node for node in nodes if node["op_name"] == DELEGATE):
        given = {int(tensor) for tensor in delegate["inputs"]}
        wanted = [int(tensor) for tensor in delegate["outputs"]]
        while wanted:
            tensor = wanted.pop()
            maker = makers.get(tensor)
            if tensor in given or maker is None or maker["index"] in taken:
                continue
            taken.add(int(maker["index"]))
            wanted += [int(each) for each in maker["inputs"]]
    return taken


@contextmanager
def _heard(said: list[bytes]) -> Iterator[None]:
    """Catch what the interpreter's C++ says on standard error: the name of its delegate is told nowhere else."""
    with tempfile.TemporaryFile() as kept:
        real = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            kept.seek(0)
            said.append(kept.read())
