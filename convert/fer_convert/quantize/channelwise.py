"""Normalisations that stand after a rectifier: in eight bits, convolutions of one weight per channel.

Older nets normalise after the activation, where no convolution takes the factors in. What is left is a multiplication
and an addition whose constants share one step over all channels, and two roundings: 44 dB become 22, each time. As a
depthwise 1x1 convolution every channel has a step of its own and the sum is rounded once; before a dense layer factor
and shift vanish in its weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.quantize.chains import Graph
from fer_edge.types import Array

DENSE = ("Gemm", "MatMul")


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
        if by is None:
            continue
        after = graph.only_consumer(node.output[0])
        shift = None if after is None else _constant(graph, after, "Add")
        nodes = [node] if shift is None else [node, after]
        if len(graph.shapes[_tensor(graph, node)]) == 4 or _taken(graph, nodes[-1]):
            return nodes, by, np.zeros_like(by) if shift is None else shift
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


def _taken(graph: Graph, node: Any) -> bool:  # noqa: ANN401 - an onnx.NodeProto
    """Whether a dense layer, and nothing else, takes what a node gives, as it is."""
    dense = graph.only_consumer(node.output[0])
    if dense is None or dense.op_type not in DENSE or not graph.layer(dense) or dense.input[0] != node.output[0]:
        return False
    said = {each.name: each for each in dense.attribute}
    return not (said["transA"].i if "transA" in said else 0) and all(
        said[name].f == 1.0 for name in ("alpha", "beta") if name in said
    )


def _tensor(graph: Graph, node: Any) -> str:  # noqa: ANN401 - an onnx.NodeProto
    return str(next(name for name in node.input if name not in graph.constants))


def _apply(model: Any, nodes: list[Any], factors: Array, shifts: Array) -> None:  # noqa: ANN401 - onnx.ModelProto
    graph = Graph(model)
    name, out = _tensor(graph, nodes[0]), nodes[-1].output[0]
    if len(graph.shapes[name]) == 4:
        _convolve(model, nodes, name, (factors, shifts))
        return
    dense = graph.only_consumer(out)
    _fold(model, dense, factors, shifts)
    dense.input[0] = name
    for node in nodes:
        model.graph.node.remove(node)


def _convolve(model: Any, nodes: list[Any], name: str, by: tuple[Array, Array]) -> None:  # noqa: ANN401 - see above
    """Put a depthwise 1x1 convolution in their place."""
    onnx = frameworks.onnx()
    label, out = nodes[0].name or nodes[0].output[0], nodes[-1].output[0]
    factors, shifts = by
    for suffix, values in (("weights", factors.reshape(-1, 1, 1, 1)), ("shifts", shifts)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, f"{label}/{suffix}"))
    inputs = [name, f"{label}/weights", f"{label}/shifts"]
    node = onnx.helper.make_node("Conv", inputs, [out], name=label, group=len(factors), kernel_shape=[1, 1])
    place = list(model.graph.node).index(nodes[0])
    for each in nodes:
        model.graph.node.remove(each)
    model.graph.node.insert(place, node)


def _fold(model: Any, dense: Any, factors: Array, shifts: Array) -> None:  # noqa: ANN401 - onnx's own
    """W (x * f + s) + b is (W f) x + (W s + b)."""
    onnx = frameworks.onnx()
    stored = {each.name: each for each in model.graph.initializer}
    weights = onnx.numpy_helper.to_array(stored[dense.input[1]])
    across = any(each.name == "transB" and each.i for each in dense.attribute)
    rows = weights.T if across else weights  # (inputs, outputs)
    moved = (shifts @ rows).astype(np.float32)
    scaled = (rows * factors[:, np.newaxis]).astype(np.float32)
    stored[dense.input[1]].CopyFrom(
        onnx.numpy_helper.from_array(np.ascontiguousarray(scaled.T if across else scaled), dense.input[1])
    )
    if len(dense.input) > 2 and dense.input[2]:
        bias = onnx.numpy_helper.to_array(stored[dense.input[2]])
        stored[dense.input[2]].CopyFrom(onnx.numpy_helper.from_array((bias + moved).astype(np.float32), dense.input[2]))
        return
    name = f"{dense.name or dense.output[0]}/shifted"
    model.graph.initializer.append(onnx.numpy_helper.from_array(moved, name))
    if dense.op_type == "Gemm":
        dense.input.append(name)
        return
    bare = f"{dense.output[0]}/bare"
    add = onnx.helper.make_node("Add", [bare, name], [dense.output[0]], name=name)
    dense.output[0] = bare
    model.graph.node.insert(list(model.graph.node).index(dense) + 1, add)
