"""Pairs of layers in an ONNX graph between which a channel's scale may be moved without changing what comes out.

Between the two stand only operators that commute with a positive factor per channel: rectifiers, pooling, means, and
what moves axes. The first layer's rows are divided by the factor, the second's columns multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.graph.onnx_graph import attributes, constants, shape_of
from fer_edge.types import Array

POOLING = frozenset({"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"})
SAME_SHAPE = frozenset({"Relu", "LeakyRelu", "PRelu", "Identity", "Dropout"})
MOVING = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})
LAYERS = frozenset({"Conv", "Gemm", "MatMul"})
Ids = NDArray[np.int64]
"""At each place of a tensor, the number of the first layer's channel that it comes from."""


@dataclass(frozen=True)
class Chain:
    """Two layers. between: the tensor that the second takes. columns: the channel of each of the second's inputs.

    shifts: constants added on the way, which are scaled with the first layer's rows.
    """

    first: Any
    second: Any
    between: str
    columns: Ids
    shifts: tuple[str, ...]


class Graph:
    """An ONNX graph with its ways forward. model: onnx.ModelProto with shapes inferred."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - an onnx.ModelProto
        """See the class."""
        self.model = model
        self.constants = constants(model)
        self.shapes = {value.name: shape_of(value) for value in (*model.graph.value_info, *model.graph.output)}
        self._consumers: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in set(node.input):
                self._consumers.setdefault(name, []).append(node)
        self._ends = {value.name for value in model.graph.output}

    def only_consumer(self, name: str) -> Any:  # noqa: ANN401 - an onnx.NodeProto
        """The one node that takes a tensor; None where there are others, or it leaves the graph."""
        found = self._consumers.get(name, [])
        return found[0] if len(found) == 1 and name not in self._ends else None

    def layer(self, node: Any) -> bool:  # noqa: ANN401 - an onnx.NodeProto
        """Whether a node is a layer with constant weights of its own."""
        if node.op_type not in LAYERS or node.input[1] not in self.constants:
            return False
        return len(self._consumers[node.input[1]]) == 1

    def chains(self) -> list[Chain]:
        """All pairs, in the order of the graph."""
        found = (self._chain(node) for node in self.model.graph.node if self.layer(node))
        return [chain for chain in found if chain is not None]

    def _chain(self, first: Any) -> Chain | None:  # noqa: ANN401 - an onnx.NodeProto
        name: str = first.output[0]
        shifts: list[str] = []
        ids = self._fresh(name)
        node = self.only_consumer(name)
        while node is not None and ids is not None:
            if self.layer(node) and node.input[0] == name:
                columns = _columns(node, ids, self.constants[node.input[1]])
                return None if columns is None else Chain(first, node, name, columns, tuple(shifts))
            shift = self._shift(node, name, ids)
            if shift:
                shifts.append(shift)
                ids = self._fresh(node.output[0]) if ids.ndim == 4 else ids
            else:
                ids = self._through(node, name, ids)
            name = node.output[0]
            node = self.only_consumer(name)
        return None

    def _fresh(self, name: str) -> Ids | None:
        """Channels of a tensor (1, C, ...); None where its shape is not known."""
        shape = self.shapes.get(name, ())
        if len(shape) < 2 or 0 in shape or shape[0] != 1:
            return None
        channels = np.arange(shape[1]).reshape(1, -1, *(1,) * (len(shape) - 2))
        return np.ascontiguousarray(np.broadcast_to(channels, shape))

    def _through(self, node: Any, name: str, ids: Ids) -> Ids | None:  # noqa: ANN401 - an onnx.NodeProto
        kind = node.op_type
        if kind in SAME_SHAPE and node.input[0] == name:
            return ids
        if kind in POOLING and ids.ndim == 4:
            return self._fresh(node.output[0])
        if kind == "ReduceMean" and ids.ndim == 4 and sorted(axis % 4 for axis in self._axes(node)) == [2, 3]:
            return self._fresh(node.output[0])
        if kind in MOVING and node.input[0] == name:
            return self._moved(node, ids)
        return None

    def _moved(self, node: Any, ids: Ids) -> Ids | None:  # noqa: ANN401 - an onnx.NodeProto
        if node.op_type == "Transpose":
            return np.transpose(ids, attributes(node)["perm"])
        shape = self.shapes.get(node.output[0], ())
        return ids.reshape(shape) if shape and 0 not in shape else None

    def _shift(self, node: Any, name: str, ids: Ids) -> str:  # noqa: ANN401 - an onnx.NodeProto
        """The constant that an addition adds to each channel, "" where it is something else."""
        if node.op_type != "Add" or ids.ndim != 2:
            return ""
        other = next((each for each in node.input if each != name), "")
        known = self.constants.get(other)
        fits = known is not None and known.size == ids.shape[1] and np.array_equal(ids[0], np.arange(ids.shape[1]))
        return other if fits and len(self._consumers[other]) == 1 else ""

    def _axes(self, node: Any) -> list[int]:  # noqa: ANN401 - an onnx.NodeProto
        if len(node.input) > 1:
            return [int(axis) for axis in self.constants.get(node.input[1], ())]
        return [int(axis) for axis in attributes(node).get("axes", ())]


def depthwise(node: Any, weights: Array) -> bool:  # noqa: ANN401 - an onnx.NodeProto
    """Whether each channel is filtered by itself, one output for each."""
    groups = int(attributes(node).get("group", 1))
    return node.op_type == "Conv" and groups > 1 and groups == weights.shape[0] and weights.shape[1] == 1


def rows(node: Any, weights: Array) -> Array:  # noqa: ANN401 - an onnx.NodeProto
    """The weights with the output channel in front; a view."""
    if node.op_type == "Conv" or (node.op_type == "Gemm" and attributes(node).get("transB")):
        return weights
    return np.transpose(weights)


def columns(node: Any, weights: Array) -> Array:  # noqa: ANN401 - an onnx.NodeProto
    """The weights with the input channel in front; a view."""
    if depthwise(node, weights):
        return weights
    return np.moveaxis(rows(node, weights), 1, 0)


def _columns(node: Any, ids: Ids, weights: Array) -> Ids | None:  # noqa: ANN401 - an onnx.NodeProto
    """The channel of each input of a layer; None where a channel's places are mixed, or its groups are."""
    if node.op_type == "Conv":
        if ids.ndim != 4 or (ids != ids[:, :, :1, :1]).any():
            return None
        if int(attributes(node).get("group", 1)) > 1 and not depthwise(node, weights):
            return None
        return ids[0, :, 0, 0]
    return ids[0] if ids.ndim == 2 and not attributes(node).get("transA") else None
