"""The operators of a net as a runtime executes them, and which of them fell off its fast path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INTEGERS = ("int8", "uint8", "int16")
FLOATS = ("float32", "float16", "bfloat16")
QUANTIZERS = frozenset(
    {
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "FakeQuantize",
        "Quantize",
        "QUANTIZE",
        "DEQUANTIZE",
    }
)
"""Turn real numbers into integers or back, as ONNX Runtime, OpenVINO and TFLite call them."""
MOVERS = frozenset({"ReorderInput", "ReorderOutput", "Reorder", "Transpose", "TRANSPOSE"})
"""Compute nothing: the same numbers in another order."""
SHAPERS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "RESHAPE", "SQUEEZE", "Convert", "CAST"})
"""Neither compute nor, as a rule, take time."""
WEIGHTED = ("conv", "gemm", "matmul", "connected")
"""Parts of the names of operators that have weights: these should compute in integers wherever they stand."""
REFERENCE_KERNEL = "ref"
"""How the names of OpenVINO's slow, general kernels begin."""


@dataclass(frozen=True)
class Operator:
    """One node as it is executed.

    kernel: what executes it, as the runtime calls that. computes: the numbers that go in, None where it computes
    nothing. us: microseconds, the median of the profiled runs; None where the runtime does not tell. delegated: whether
    a delegate took it; None in runtimes that have none.
    """

    name: str
    kind: str
    kernel: str | None = None
    computes: str | None = None
    us: float | None = None
    delegated: bool | None = None


@dataclass(frozen=True)
class Fallen:
    """An operator that is not executed as fast as its like could be."""

    name: str
    kind: str
    why: str
    us: float | None = None


def fallen(operators: Sequence[Operator]) -> list[Fallen]:
    """The operators that fell off, in their order, each with its first reason."""
    integers = _from_first_to_last([each.computes in INTEGERS and _computing(each) for each in operators])
    computing = _from_first_to_last([_computing(each) for each in operators])
    found = []
    for place, each in enumerate(operators):
        why = _always(each) or _here(each, bool(integers), place in (integers or computing))
        if why:
            found.append(Fallen(each.name, each.kind, why, each.us))
    return found


def _always(each: Operator) -> str:
    """What is slow wherever it stands."""
    if (each.kernel or "").startswith(REFERENCE_KERNEL):
        return "runs in a reference kernel"
    if each.delegated is False:
        return "was not taken by the delegate and runs in the interpreter's own kernel"
    return "only moves numbers into another layout" if each.kind in MOVERS else ""


def _here(each: Operator, integer: bool, among: bool) -> str:
    """What is slow only in the middle: before a net of integers numbers must be made integers, and reals after it."""
    if each.kind in QUANTIZERS:
        return "turns numbers into integers or back in the middle of the net" if among else ""
    weighted = any(part in each.kind.lower() for part in WEIGHTED)
    if integer and _computing(each) and each.computes in FLOATS and (weighted or among):
        return f"computes in {each.computes} in a net of integers"
    return ""


def _computing(each: Operator) -> bool:
    return each.kind not in QUANTIZERS | MOVERS | SHAPERS


def _from_first_to_last(marks: Sequence[bool]) -> range:
    places = [place for place, mark in enumerate(marks) if mark]
    return range(places[0], places[-1] + 1) if places else range(0)
