"""Convolutions, pooling, normalisation and dense layers of an ONNX graph, channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert.graph.layout import Order, Value, flat_rows, plain
from fer_convert.graph.operators import Node
from fer_convert.graph.windows import Window, window
from fer_edge.types import Array

LOWEST = float(np.finfo(np.float32).min)


def _convolution(node: Node) -> Value:
    weights, bias = node.needed(1), node.constant(2)
    if weights.ndim != 4:
        raise node.refuse(f"has a kernel of {weights.ndim - 2} axes")
    groups = int(node.attributes.get("group", 1))
    frame = _window(node, (weights.shape[2], weights.shape[3]))
    picture, padding = _padded(node, frame, 0.0)
    channels = int(picture.shape[-1])
    if groups == 1:
        out = _dense(node, picture, weights, frame, padding)
    elif groups == channels and weights.shape[1] == 1:
        out = _depthwise(node, picture, weights, frame, padding)
    else:
        parts = zip(node.tf.split(picture, groups, axis=-1), np.split(weights, groups), strict=True)
        out = node.tf.concat([_dense(node, part, share, frame, padding) for part, share in parts], axis=-1)
    return Value(out if bias is None else node.tf.nn.bias_add(out, bias), Order.LAST)


def _dense(node: Node, picture: Any, weights: Array, frame: Window, padding: str) -> Any:  # noqa: ANN401 - a tensor
    kernel = np.ascontiguousarray(weights.transpose(2, 3, 1, 0))
    return node.tf.nn.conv2d(picture, kernel, frame.strides, padding, dilations=frame.dilations)


def _depthwise(node: Node, picture: Any, weights: Array, frame: Window, padding: str) -> Any:  # noqa: ANN401 - a tensor
    channels = int(picture.shape[-1])
    apart = weights.reshape(channels, -1, *weights.shape[2:])
    kernel = np.ascontiguousarray(apart.transpose(2, 3, 0, 1))
    strides = (1, *frame.strides, 1)
    return node.tf.nn.depthwise_conv2d(picture, kernel, strides, padding, dilations=frame.dilations)


def _transposed(node: Node) -> Value:
    """Where ONNX pads, the output is cropped."""
    weights, bias = node.needed(1), node.constant(2)
    picture = node.last()
    if int(node.attributes.get("group", 1)) != 1 or node.attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise node.refuse("has groups or automatic padding")
    size = (int(picture.shape[1]), int(picture.shape[2]))
    frame = window({**node.attributes, "pads": (0, 0, 0, 0)}, (weights.shape[2], weights.shape[3]), size)
    extra = tuple(int(side) for side in node.attributes.get("output_padding", (0, 0)))
    top, left, bottom, right = (int(side) for side in node.attributes.get("pads", (0, 0, 0, 0)))
    if frame.dilations != (1, 1) or bottom < extra[0] or right < extra[1]:
        raise node.refuse("is dilated, or is padded at its end beyond its kernel")
    full = [(side - 1) * step + span for side, step, span in zip(size, frame.strides, frame.kernel, strict=True)]
    kernel = np.ascontiguousarray(weights.transpose(2, 3, 1, 0))
    count = node.tf.shape(picture)[0] if picture.shape[0] is None else int(picture.shape[0])
    shape = (count, *full, weights.shape[1])
    out = node.tf.nn.conv2d_transpose(picture, kernel, shape, frame.strides, "VALID")
    bottom, right = full[0] - bottom + extra[0], full[1] - right + extra[1]
    if (top, left, bottom, right) != (0, 0, *full):
        out = out[:, top:bottom, left:right, :]
    return Value(out if bias is None else node.tf.nn.bias_add(out, bias), Order.LAST)


def _max_pool(node: Node) -> Value:
    frame = _window(node, _kernel(node))
    picture, padding = _padded(node, frame, LOWEST)
    return Value(
        node.tf.nn.pool(picture, frame.kernel, "MAX", strides=frame.strides, padding=padding, dilations=frame.dilations)
        if frame.dilations != (1, 1)
        else node.tf.nn.max_pool2d(picture, frame.kernel, frame.strides, padding),
        Order.LAST,
    )


def _average_pool(node: Node) -> Value:
    """TensorFlow's SAME leaves out what lies beyond the edge; ONNX does so unless told to count it."""
    frame = _window(node, _kernel(node))
    counted = bool(node.attributes.get("count_include_pad", 0))
    if any(frame.pads) and not counted and not frame.same(_size(node)):
        raise node.refuse("averages over an edge that it does not count")
    if counted:
        picture, padding = _padded(node, frame, 0.0, may_be_same=False)
    else:
        picture, padding = _padded(node, frame, 0.0)
    return Value(node.tf.nn.avg_pool2d(picture, frame.kernel, frame.strides, padding), Order.LAST)


def _global(reduce: str) -> Any:  # noqa: ANN401 - a translation
    def apply(node: Node) -> Value:
        return Value(getattr(node.tf, reduce)(node.last(), axis=(1, 2), keepdims=True), Order.LAST)

    return apply


def _batch_normalisation(node: Node) -> Value:
    scale, shift, mean, variance = (node.needed(index).astype(np.float64) for index in range(1, 5))
    gain = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    offset = (shift - mean * gain).astype(np.float32)
    if len(node.first.shape) == 4:
        return Value(node.last() * gain.astype(np.float32) + offset, Order.LAST)
    return Value(node.plain() * gain.astype(np.float32) + offset)


def _gemm(node: Node) -> Value:
    """That is alpha * A B + beta * C, with B transposed where it is asked for."""
    if node.attributes.get("transA"):
        raise node.refuse("transposes its first input")
    weights = node.needed(1)
    weights = weights.T if node.attributes.get("transB") else weights
    weights = weights * np.float32(node.attributes.get("alpha", 1.0))
    out = _product(node, weights)
    bias = node.constant(2)
    return Value(out if bias is None else out + bias.reshape(-1) * np.float32(node.attributes.get("beta", 1.0)))


def _matmul(node: Node) -> Value:
    second = node.optional(1)
    if second is not None and not second.constant:
        return Value(node.tf.matmul(node.plain(), plain(second, node.tf)))
    weights = node.needed(1)
    return Value(_product(node, weights) if weights.ndim == 2 else node.tf.matmul(node.plain(), weights))


def _product(node: Node, weights: Array) -> Any:  # noqa: ANN401 - a tensor
    """A matrix product with constant rows; what was flattened stays as it lies, and the rows are moved instead."""
    if node.first.order is Order.FLAT:
        return node.tf.matmul(node.first.tensor, flat_rows(weights, node.first))
    return node.tf.matmul(node.plain(), np.ascontiguousarray(weights))


def _kernel(node: Node) -> tuple[int, int]:
    sides = node.attributes["kernel_shape"]
    if len(sides) != 2:
        raise node.refuse(f"has windows of {len(sides)} axes")
    return int(sides[0]), int(sides[1])


def _size(node: Node) -> tuple[int, int]:
    shape = node.first.shape
    return shape[2], shape[3]


def _window(node: Node, kernel: tuple[int, int]) -> Window:
    return window(node.attributes, kernel, _size(node))


def _padded(node: Node, frame: Window, value: float, *, may_be_same: bool = True) -> tuple[Any, str]:
    """The picture, and TensorFlow's word for how it is still to be padded."""
    if not any(frame.pads):
        return node.last(), "VALID"
    if may_be_same and frame.same(_size(node)):
        return node.last(), "SAME"
    top, left, bottom, right = frame.pads
    pads = ((0, 0), (top, bottom), (left, right), (0, 0))
    return node.tf.pad(node.last(), pads, constant_values=value), "VALID"


OPERATORS = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global("reduce_mean"),
    "GlobalMaxPool": _global("reduce_max"),
    "BatchNormalization": _batch_normalisation,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
