"""Normalisations that stand after a rectifier: in eight bits, convolutions of one weight per channel.

Older nets normalise after the activation, where no convolution takes the factors in. What is left is a multiplication
and an addition whose constants share one step over all channels, and two roundings: in one net 44 dB became 22 at the
first. Where a dense layer follows, converters fold the factors into its weights, which then differ too much to share a
step. As a depthwise 1x1 convolution every channel has a step of its own and the sum is rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.quantize.chains import Graph
from fer_edge.types import Array


def channelwise(model: Any) -> Any:  # noqa: ANN401 - onnx.ModelProto
    """The graph with its normalisations so; the very same object where it has none."""
    onnx = frameworks.onnx()
    found = onnx.ModelProto()
    found.CopyFrom(model)
    changed = False
    while (change := _first(Graph(found))) is not None:
        _apply(found, *change)
        changed = True
    return onnx.shape_inference.infer_shapes(found) if changed else model


def _first(graph: Graph) -> tuple[list[Any], Array, Array] | None:
    """The first normalisation, a multiplication or both it and an addition: its nodes, factors and shifts."""
    for node in graph.model.graph.node:
        by = _constant(graph, node, "Mul")
        if by is not None:
            after = graph.only_consumer(node.output[0])
            shift = None if after is None else _constant(graph, after, "Add")
            return ([node], by, np.zeros_like(by)) if shift is None else ([node, after], by, shift)
    return None


def _constant(graph: Graph, node: Any, kind: str) -> Array | None:  # noqa: ANN401 - an onnx.NodeProto
    """What a node of this kind does to each channel, float32 (C,); None where it is something else."""
    known = [graph.constants[name] for name in node.input if name in graph.constants]
    if node.op_type != kind or len(known) != 1:
        return None
    shape = graph.shapes.get(_tensor(graph, node), ())
    if len(shape) not in (2, 4) or shape[1] == 1 or known[0].size != shape[1]:
        return None
    ending = (shape[1], 1, 1) if len(shape) == 4 else (shape[1],)
    return known[0].reshape(-1).astype(np.float32) if known[0].shape[-len(ending) :] == ending else None


def _tensor(graph: Graph, node: Any) -> str:  # noqa: ANN401 - an onnx.NodeProto
    return str(next(name for name in node.input if name not in graph.constants))


def _apply(model: Any, nodes: list[Any], factors: Array, shifts: Array) -> None:  # noqa: ANN401 - onnx.ModelProto
    """Put a depthwise 1x1 convolution in their place, between two changes of shape where there are no sides."""
    onnx = frameworks.onnx()
    graph = Graph(model)
    name, out = _tensor(graph, nodes[0]), nodes[-1].output[0]
    label, flat = nodes[0].name or nodes[0].output[0], len(graph.shapes[name]) == 2
    shapes = {"sides": [-1, len(factors), 1, 1], "flat": [-1, len(factors)]} if flat else {}
    known = {"weights": factors.reshape(-1, 1, 1, 1), "shifts": shifts}
    known |= {key: np.asarray(shape, dtype=np.int64) for key, shape in shapes.items()}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, f"{label}/{key}") for key, value in known.items()
    )
    takes, gives = (f"{label}/in", f"{label}/out") if flat else (name, out)
    inputs = [takes, f"{label}/weights", f"{label}/shifts"]
    made = [onnx.helper.make_node("Conv", inputs, [gives], name=label, group=len(factors), kernel_shape=[1, 1])]
    if flat:
        made.insert(0, onnx.helper.make_node("Reshape", [name, f"{label}/sides"], [takes], name=takes))
        made.append(onnx.helper.make_node("Reshape", [gives, f"{label}/flat"], [out], name=gives))
    place = list(model.graph.node).index(nodes[0])
    for each in nodes:
        model.graph.node.remove(each)
    for each in reversed(made):
        model.graph.node.insert(place, each)
