"""An ONNX graph said again as one TensorFlow function, channels last: the way from ONNX to TFLite.

Known are the operators of expression nets and their kin: convolutions, normalisation, activations, pooling, dense
layers, arithmetic, and what moves axes. Everything else is refused by name. See `fer_convert.graph.layout` for why no
transpositions are left inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fer_convert.graph import arithmetic, convolution, movement
from fer_convert.graph.layout import Value, plain
from fer_convert.graph.onnx_graph import attributes, constants
from fer_convert.graph.operators import Node, Unsupported

OPERATORS = {**arithmetic.OPERATORS, **convolution.OPERATORS, **movement.OPERATORS}


def function(model: Any, tf: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - ONNX's and TensorFlow's own
    """A function of one tensor, for `tf.function` to trace.

    model: onnx.ModelProto with one input, one output and constants inside. Raises Unsupported when it is traced.
    """
    known = {name: Value(array) for name, array in constants(model).items()}

    def run(face: Any) -> Any:  # noqa: ANN401 - a tensor
        values = {**known, model.graph.input[0].name: Value(face)}
        for proto in model.graph.node:
            node = _node(proto, values, tf)
            values.update(zip(proto.output, _applied(node), strict=False))
        return plain(values[model.graph.output[0].name], tf)

    return run


def _node(proto: Any, values: dict[str, Value], tf: Any) -> Node:  # noqa: ANN401 - see function
    inputs = tuple(values[name] if name else None for name in proto.input)
    return Node(proto.op_type, proto.name, inputs, attributes(proto), tf)


def _applied(node: Node) -> tuple[Value, ...]:
    apply = OPERATORS.get(node.kind)
    if apply is None:
        raise Unsupported(
            f"the ONNX operator {node.kind} ({node.name or 'unnamed'}) has no way to TFLite here; "
            f"known are {', '.join(sorted(OPERATORS))}"
        )
    found = apply(node)
    return found if isinstance(found, tuple) else (found,)
