"""What an ONNX graph computes value by value, and over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fer_convert.graph.layout import TO_FIRST, Order, Value, alike
from fer_convert.graph.operators import Node

Translation = Callable[[Node], Value]
Formula = Callable[[Node, Any], Any]


def _each(formula: Formula) -> Translation:
    """A function of one value: the order does not matter."""

    def apply(node: Node) -> Value:
        value = node.first
        return Value(formula(node, value.tensor), value.order, value.chw)

    return apply


def _both(name: str) -> Translation:
    """A function of two or more operands that broadcast."""

    def apply(node: Node) -> Value:
        tensors, model = alike([value for value in node.inputs if value is not None], node.tf)
        out = tensors[0]
        for tensor in tensors[1:]:
            out = getattr(node.tf, name)(out, tensor)
        return Value(out, model.order, model.chw)

    return apply


def _mean(node: Node) -> Value:
    total = _both("add")(node)
    return Value(total.tensor / np.float32(len(node.inputs)), total.order, total.chw)


def _clip(node: Node) -> Value:
    low, high = (_limit(node, name, index) for name, index in (("min", 1), ("max", 2)))
    value, tf = node.first, node.tf
    if (low, high) == (0.0, 6.0):
        return Value(tf.nn.relu6(value.tensor), value.order, value.chw)
    out = value.tensor
    if low is not None:
        out = tf.nn.relu(out) if low == 0.0 else tf.maximum(out, np.float32(low))
    if high is not None:
        out = tf.minimum(out, np.float32(high))
    return Value(out, value.order, value.chw)


def _limit(node: Node, name: str, index: int) -> float | None:
    if name in node.attributes:
        return float(node.attributes[name])
    found = node.constant(index)
    return None if found is None else float(found.reshape(-1)[0])


def _prelu(node: Node) -> Value:
    (picture, slope), model = alike([node.first, Value(node.needed(1))], node.tf)
    tf = node.tf
    return Value(tf.nn.relu(picture) - slope * tf.nn.relu(-picture), model.order, model.chw)


def _over_axes(name: str) -> Translation:
    """A reduction; `axes` are an attribute in older opsets and an input in newer ones."""

    def apply(node: Node) -> Value:
        value, keep = node.first, bool(node.attributes.get("keepdims", 1))
        rank = len(value.shape)
        axes = node.integers("axes", 1) or list(range(rank))
        axes = sorted(axis % rank for axis in axes)
        reduce = getattr(node.tf, name)
        if value.order is Order.LAST and (keep or axes == [2, 3]):
            out = reduce(value.tensor, axis=[TO_FIRST[axis] for axis in axes], keepdims=keep)
            return Value(out, Order.LAST if keep else Order.PLAIN)
        return Value(reduce(node.plain(), axis=axes, keepdims=keep))

    return apply


def _softmax(node: Node) -> Value:
    return Value(node.tf.nn.softmax(node.plain(), axis=int(node.attributes.get("axis", -1))))


def _log_softmax(node: Node) -> Value:
    return Value(node.tf.nn.log_softmax(node.plain(), axis=int(node.attributes.get("axis", -1))))


def _attribute(node: Node, name: str, default: float) -> Any:  # noqa: ANN401 - a float32 scalar
    return np.float32(node.attributes.get(name, default))


def _leaky(node: Node, x: Any) -> Any:  # noqa: ANN401 - a tensor
    return node.tf.nn.leaky_relu(x, alpha=float(_attribute(node, "alpha", 0.01)))


def _elu(node: Node, x: Any) -> Any:  # noqa: ANN401 - a tensor
    alpha = float(_attribute(node, "alpha", 1.0))
    if alpha == 1.0:
        return node.tf.nn.elu(x)
    return node.tf.nn.relu(x) + np.float32(alpha) * (node.tf.exp(-node.tf.nn.relu(-x)) - 1.0)


def _hard_sigmoid(node: Node, x: Any) -> Any:  # noqa: ANN401 - a tensor
    slope, offset = _attribute(node, "alpha", 0.2), _attribute(node, "beta", 0.5)
    if np.isclose(slope, 1 / 6) and offset == np.float32(0.5):
        return node.tf.nn.relu6(x + 3.0) * np.float32(1 / 6)
    return node.tf.minimum(node.tf.nn.relu(slope * x + offset), np.float32(1.0))


def _gelu(node: Node, x: Any) -> Any:  # noqa: ANN401 - a tensor
    return node.tf.nn.gelu(x, approximate=node.attributes.get("approximate", b"none") == b"tanh")


OPERATORS: dict[str, Translation] = {
    "Identity": _each(lambda _, x: x),
    "Dropout": _each(lambda _, x: x),
    "Relu": _each(lambda node, x: node.tf.nn.relu(x)),
    "LeakyRelu": _each(_leaky),
    "Elu": _each(_elu),
    "Selu": _each(lambda node, x: node.tf.nn.selu(x)),
    "Sigmoid": _each(lambda node, x: node.tf.sigmoid(x)),
    "HardSigmoid": _each(_hard_sigmoid),
    "HardSwish": _each(lambda node, x: x * node.tf.nn.relu6(x + 3.0) * np.float32(1 / 6)),
    "Softplus": _each(lambda node, x: node.tf.nn.softplus(x)),
    "Softsign": _each(lambda node, x: node.tf.nn.softsign(x)),
    "Mish": _each(lambda node, x: x * node.tf.tanh(node.tf.nn.softplus(x))),
    "Gelu": _each(_gelu),
    "Tanh": _each(lambda node, x: node.tf.tanh(x)),
    "Erf": _each(lambda node, x: node.tf.math.erf(x)),
    "Exp": _each(lambda node, x: node.tf.exp(x)),
    "Log": _each(lambda node, x: node.tf.math.log(x)),
    "Sqrt": _each(lambda node, x: node.tf.sqrt(x)),
    "Reciprocal": _each(lambda _, x: 1.0 / x),
    "Neg": _each(lambda node, x: node.tf.negative(x)),
    "Abs": _each(lambda node, x: node.tf.abs(x)),
    "Clip": _clip,
    "PRelu": _prelu,
    "Add": _both("add"),
    "Sub": _both("subtract"),
    "Mul": _both("multiply"),
    "Div": _both("divide"),
    "Pow": _both("pow"),
    "Max": _both("maximum"),
    "Min": _both("minimum"),
    "Sum": _both("add"),
    "Mean": _mean,
    "ReduceMean": _over_axes("reduce_mean"),
    "ReduceSum": _over_axes("reduce_sum"),
    "ReduceMax": _over_axes("reduce_max"),
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
}
