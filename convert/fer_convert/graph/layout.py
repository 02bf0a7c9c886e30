"""How a tensor of an ONNX graph lies in memory while the graph is said again in TensorFlow's order, channels last.

ONNX has channels first, TFLite last. Translated one by one, every convolution would stand between two transpositions;
instead each tensor remembers which order it is in, and is only turned where an operator needs it otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from fer_edge.types import Array

TO_LAST = (0, 2, 3, 1)
TO_FIRST = (0, 3, 1, 2)


class Order(Enum):
    """PLAIN: as ONNX says. LAST: (N, H, W, C) where ONNX says (N, C, H, W). FLAT: such a one, flattened to (N, HWC)."""

    PLAIN = "plain"
    LAST = "last"
    FLAT = "flat"


@dataclass(frozen=True)
class Value:
    """A tensor or constant. chw: of what was flattened, for FLAT only."""

    tensor: Any
    order: Order = Order.PLAIN
    chw: tuple[int, int, int] = (0, 0, 0)

    @property
    def constant(self) -> bool:
        """Whether it is known before anything runs; constants are always PLAIN."""
        return isinstance(self.tensor, np.ndarray)

    @property
    def shape(self) -> tuple[int, ...]:
        """As ONNX says; -1 for an open batch."""
        found = sides(self.tensor)
        return tuple(found[i] for i in TO_FIRST) if self.order is Order.LAST else found


def sides(tensor: Any) -> tuple[int, ...]:  # noqa: ANN401 - a tensor or an array
    """Its shape; -1, TensorFlow's word for what is left over, where the batch is open."""
    return tuple(-1 if side is None else int(side) for side in tensor.shape)


def last(value: Value, tf: Any) -> Any:  # noqa: ANN401 - a tensor
    """The tensor in (N, H, W, C); value: four axes."""
    if value.order is Order.LAST:
        return value.tensor
    return tf.transpose(plain(value, tf), TO_LAST)


def plain(value: Value, tf: Any) -> Any:  # noqa: ANN401 - a tensor
    """The tensor in ONNX's order."""
    if value.order is Order.LAST:
        return tf.transpose(value.tensor, TO_FIRST)
    if value.order is Order.FLAT:
        channels, height, width = value.chw
        count = sides(value.tensor)[0]
        apart = tf.reshape(value.tensor, (count, height, width, channels))
        return tf.reshape(tf.transpose(apart, TO_FIRST), (count, channels * height * width))
    return value.tensor


def alike(values: list[Value], tf: Any) -> tuple[list[Any], Value]:  # noqa: ANN401 - untyped library
    """Tensors of operands in one order that suits them all, and a value that tells which; they broadcast as in ONNX."""
    model = next((value for value in values if value.order is not Order.PLAIN), None)
    if model is None or not all(_follows(value, model) for value in values):
        return [plain(value, tf) for value in values], Value(None)
    return [_turned(value, model, tf) for value in values], model


def flat_rows(weights: Array, value: Value) -> Array:
    """Weights (C * H * W, M) with their rows in the order in which a FLAT value lies."""
    channels, height, width = value.chw
    apart = weights.reshape(channels, height, width, -1)
    return np.ascontiguousarray(apart.transpose(1, 2, 0, 3).reshape(weights.shape))


def _follows(value: Value, model: Value) -> bool:
    """Whether a value can be brought into the model's order without undoing that."""
    if value.order is model.order:
        return value.order is not Order.FLAT or value.chw == model.chw
    rank = len(value.tensor.shape)
    if model.order is Order.FLAT:
        return value.constant and (value.tensor.size == 1 or (rank <= 2 and value.shape[-1] == _length(model)))
    return value.order is Order.PLAIN and (value.constant or rank == 4) and rank <= 4


def _turned(value: Value, model: Value, tf: Any) -> Any:  # noqa: ANN401 - a tensor
    if value.order is model.order:
        return value.tensor
    if not value.constant:
        return last(value, tf)
    constant: Array = value.tensor
    if constant.size == 1:
        return constant.reshape(())
    if model.order is Order.FLAT:
        return flat_rows(constant.reshape(-1, 1), model).reshape(constant.shape)
    return constant.reshape((1,) * (4 - constant.ndim) + constant.shape).transpose(TO_LAST)


def _length(value: Value) -> int:
    channels, height, width = value.chw
    return channels * height * width
