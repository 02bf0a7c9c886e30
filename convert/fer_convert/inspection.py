"""What would be slow on a device though it is right: pieces off a runtime's fast path, and stray transpositions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fer_convert import frameworks
from fer_convert.formats import Files
from fer_edge.bundle import Format
from fer_train.backend import hushed

XNNPACK = "DELEGATE"
"""What LiteRT calls a piece of the graph that XNNPACK has taken over."""
FREE_TRANSPOSITIONS = 1
"""At the input, where channels move in front."""


def notes(format_: Format, files: Files) -> tuple[str, ...]:
    """Sentences about an artifact's graph; empty when there is nothing to say."""
    found = {"tflite": _of_tflite, "onnx": _of_onnx}.get(format_)
    return tuple(found(next(iter(files.values())))) if found else ()


def _of_tflite(data: bytes) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - optional

    with hushed():
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
        operators = [str(op["op_name"]) for op in interpreter._get_ops_details()]  # noqa: SLF001 - its only list
    found = []
    pieces = operators.count(XNNPACK)
    if pieces != 1:
        found.append(_pieces(pieces, operators))
    return found + _transpositions(operators.count("TRANSPOSE"))


def _pieces(pieces: int, operators: list[str]) -> str:
    if not pieces:
        return "XNNPACK runs none of it: every operator takes LiteRT's own kernel"
    return (
        f"XNNPACK runs it in {pieces} pieces, with {_kinds(operators)} among its operators; between pieces data moves"
    )


def _kinds(operators: list[str]) -> str:
    rare = [kind for kind, _ in Counter(operators).most_common() if kind not in COMMON]
    return ", ".join(sorted(rare)) or "nothing unusual"


COMMON = frozenset(
    {XNNPACK, "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN"}
    | {"RESHAPE", "PAD", "CONCATENATION", "TRANSPOSE_CONV", "SOFTMAX", "RELU", "RELU6"}
)
"""Which XNNPACK has in every precision."""


def _of_onnx(data: bytes) -> list[str]:
    model: Any = frameworks.onnx().load_from_string(data)
    return _transpositions(sum(node.op_type == "Transpose" for node in model.graph.node))


def _transpositions(count: int) -> list[str]:
    if count <= FREE_TRANSPOSITIONS:
        return []
    return [f"it has {count} transpositions; one at the input is needed at most"]
