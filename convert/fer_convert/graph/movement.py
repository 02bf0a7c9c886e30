"""What moves the values of an ONNX graph about without changing them: axes, shapes, parts and edges."""

from __future__ import annotations

import numpy as np

from fer_convert.graph.layout import TO_FIRST, TO_LAST, Order, Value, alike, plain
from fer_convert.graph.operators import Node

END = np.iinfo(np.int64).max
"""How ONNX says that a slice has no end, or something near it."""


def _transpose(node: Node) -> Value:
    rank = len(node.first.shape)
    axes = tuple(int(axis) for axis in node.attributes.get("perm", range(rank)[::-1]))
    if axes == tuple(range(rank)):
        return node.first
    if node.first.order is Order.PLAIN and axes == TO_FIRST and not node.first.constant:
        return Value(node.first.tensor, Order.LAST)
    if node.first.order is Order.LAST and axes == TO_LAST:
        return Value(node.first.tensor)
    return Value(node.tf.transpose(node.plain(), axes))


def _reshape(node: Node) -> Value:
    """A picture that is flattened, and a channel axis that is put before or after, move nothing."""
    before = node.first.shape
    after = _sizes(before, [int(side) for side in node.needed(1)], zero_copies=not node.attributes.get("allowzero"))
    if before == after:
        return node.first
    if node.first.order is Order.LAST and len(after) == 2 and after[0] == before[0]:
        return _flattened(node)
    if len(before) == len(after) == 4 and node.first.order is Order.PLAIN and not node.first.constant:
        moved = tuple(before[axis] for axis in TO_FIRST)
        if moved == after and 1 in (before[3], before[1] * before[2]):
            return Value(node.first.tensor, Order.LAST)
    return Value(node.tf.reshape(node.plain(), after))


def _flatten(node: Node) -> Value:
    axis = int(node.attributes.get("axis", 1))
    if node.first.order is Order.LAST and axis == 1:
        return _flattened(node)
    shape = node.first.shape
    rows = int(np.prod(shape[: axis % (len(shape) + 1)]))
    return Value(node.tf.reshape(node.plain(), (rows, int(np.prod(shape)) // rows)))


def _flattened(node: Node) -> Value:
    count, channels, height, width = node.first.shape
    flat = node.tf.reshape(node.first.tensor, (count, channels * height * width))
    return Value(flat) if height * width == 1 else Value(flat, Order.FLAT, (channels, height, width))


def _squeeze(node: Node) -> Value:
    shape = node.first.shape
    axes = node.integers("axes", 1)
    ones = {i for i, side in enumerate(shape) if side == 1}
    gone = ones if axes is None else {axis % len(shape) for axis in axes}
    after = tuple(side for i, side in enumerate(shape) if i not in gone)
    if node.first.order is Order.LAST and gone == {2, 3}:
        return Value(node.tf.reshape(node.first.tensor, after))
    return Value(node.tf.reshape(node.plain(), after))


def _unsqueeze(node: Node) -> Value:
    shape, axes = list(node.first.shape), node.integers("axes", 1) or []
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    if node.first.order is Order.PLAIN and len(node.first.shape) == 2 and shape[2:] == [1, 1]:
        count, channels = node.first.shape
        return Value(node.tf.reshape(node.plain(), (count, 1, 1, channels)), Order.LAST)
    return Value(node.tf.reshape(node.plain(), shape))


def _concat(node: Node) -> Value:
    values = [value for value in node.inputs if value is not None]
    axis = int(node.attributes["axis"]) % len(values[0].shape)
    if any(value.order is Order.FLAT for value in values):
        return Value(node.tf.concat([plain(value, node.tf) for value in values], axis))
    tensors, model = alike(values, node.tf)
    return Value(node.tf.concat(tensors, TO_FIRST[axis] if model.order is Order.LAST else axis), model.order)


def _split(node: Node) -> tuple[Value, ...]:
    value = node.first
    axis = int(node.attributes.get("axis", 0)) % len(value.shape)
    sizes = node.integers("split", 1)
    parts = sizes if sizes is not None else int(node.attributes["num_outputs"])
    if value.order is Order.LAST:
        return tuple(Value(part, Order.LAST) for part in node.tf.split(value.tensor, parts, TO_FIRST[axis]))
    return tuple(Value(part) for part in node.tf.split(node.plain(), parts, axis))


def _pad(node: Node) -> Value:
    mode = node.attributes.get("mode", b"constant").decode()
    sides = node.integers("pads", 1) or []
    fill = node.constant(2)
    value = float(node.attributes.get("value", 0.0)) if fill is None else float(fill.reshape(-1)[0])
    if mode not in {"constant", "reflect"} or any(side < 0 for side in sides):
        raise node.refuse(f"pads in the mode {mode}, or crops")
    rank = len(node.first.shape)
    pads = [(sides[axis], sides[axis + rank]) for axis in range(rank)]
    if node.first.order is Order.LAST:
        pads = [pads[axis] for axis in TO_LAST]
        return Value(node.tf.pad(node.first.tensor, pads, mode, constant_values=value), Order.LAST)
    return Value(node.tf.pad(node.plain(), pads, mode, constant_values=value))


def _slice(node: Node) -> Value:
    shape = node.first.shape
    starts, ends = node.integers("starts", 1) or [], node.integers("ends", 2) or []
    axes = node.integers("axes", 3) or list(range(len(starts)))
    steps = node.integers("steps", 4) or [1] * len(starts)
    if any(step < 1 for step in steps):
        raise node.refuse("goes backwards")
    parts = [slice(None)] * len(shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        parts[axis % len(shape)] = slice(start, None if abs(end) >= END // 2 else end, step)
    if node.first.order is Order.LAST:
        return Value(node.first.tensor[tuple(parts[axis] for axis in TO_LAST)], Order.LAST)
    return Value(node.plain()[tuple(parts)])


def _sizes(before: tuple[int, ...], wanted: list[int], *, zero_copies: bool) -> tuple[int, ...]:
    """ONNX's shape words made plain: 0 copies a side, -1 takes what is left; -1 stays only for an open batch."""
    sides = [before[i] if side == 0 and zero_copies else side for i, side in enumerate(wanted)]
    if before[:1] == (-1,) and sides[:1] == [-1]:
        return (-1, *_sizes(before[1:], sides[1:], zero_copies=False))
    if -1 in sides:
        rest = int(np.prod([side for side in sides if side != -1]))
        sides[sides.index(-1)] = int(np.prod(before)) // max(rest, 1)
    return tuple(sides)


OPERATORS = {
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Pad": _pad,
    "Slice": _slice,
}
