"""What XNNPACK's int8 kernels ask of the steps of neighbouring tensors; a net with layers that died breaks it.

A convolution is refused where one step of its products is 256 steps of its output or more, an addition where one step
of a summand is less than 2^-10 of a step of the sum (xnnpack, `src/operators`). Neither happens to a tensor with values
worth telling apart: wider ranges cost nothing here, for zero is exact in any.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from fer_convert.quantize.ranges import Range

DEAD = 2.0**-20
"""Of the median tensor's width: what is narrower was zero on every calibration face, but for rounding."""
SUMMAND = 2.0**-9
"""Of the sum's width: what is narrower than that adds less than half a step, wherever it is added."""


def widened(limits: Mapping[str, Range], sums: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, Range]:
    """The ranges, with those that no kernel would take made as wide as they have to be.

    sums: the names of each addition's output, and of what it adds.
    """
    widths = [high - low for low, high in limits.values()]
    typical = statistics.median(widths) if widths else 0.0
    found = {
        name: (0.0, typical) if high - low < DEAD * typical else (low, high) for name, (low, high) in limits.items()
    }
    for output, summands in sums:
        for name in summands:
            if output in found and name in found:
                found[name] = _at_least(found[name], SUMMAND * _width(found[output]))
    return found


def sums_of(interpreter: Any) -> list[tuple[str, tuple[str, ...]]]:  # noqa: ANN401 - a LiteRT interpreter
    """The additions of a .tflite file; see `widened`."""
    names = {int(each["index"]): str(each["name"]) for each in interpreter.get_tensor_details()}
    return [
        (names[int(op["outputs"][0])], tuple(names[int(index)] for index in op["inputs"]))
        for op in interpreter._get_ops_details()  # noqa: SLF001 - its only list of operators
        if op["op_name"] in {"ADD", "SUB"}
    ]


def _at_least(limits: Range, width: float) -> Range:
    """The same range, both ends moved out alike."""
    now = _width(limits)
    if now >= width:
        return limits
    return (limits[0] * width / now, limits[1] * width / now) if now > 0 else (0.0, width)


def _width(limits: Range) -> float:
    return limits[1] - limits[0]
