"""Bias correction: rounding a layer's weights shifts the mean of its sums; the bias takes the shift back.

Nagel et al. (2019): the shift of an output channel is the sum over inputs of (rounded weight - weight) * mean input,
with the mean taken over calibration faces.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.quantize import observe
from fer_convert.quantize.chains import Graph, depthwise, rows
from fer_edge.types import Array

LARGEST = 127
"""Weights are stored from -127 to 127, with a step per output channel."""
FACES = 100


def corrected(model: Any, tensors: Array) -> Any:  # noqa: ANN401 - onnx.ModelProto
    """The graph with the biases of its layers corrected; tensors: float32 (N, ...), calibration faces."""
    onnx = frameworks.onnx()
    better = onnx.ModelProto()
    better.CopyFrom(model)
    graph = Graph(better)
    layers = [node for node in better.graph.node if graph.layer(node)]
    means = _means(model, {node.input[0] for node in layers}, tensors[:FACES])
    for node in layers:
        weights = graph.constants[node.input[1]]
        _add(better, node, -_shift(node, weights, means[node.input[0]]))
    return better


def rounded(node: Any, weights: Array) -> Array:  # noqa: ANN401 - an onnx.NodeProto
    """The weights as eight bits tell them."""
    stored = weights.astype(np.float64)
    front = rows(node, stored)
    reach = np.abs(front).reshape(len(front), -1).max(axis=1).reshape(-1, *(1,) * (front.ndim - 1))
    step = np.maximum(reach, np.finfo(np.float32).tiny) / LARGEST
    front[...] = np.round(front / step) * step
    return stored


def _means(model: Any, names: set[str], tensors: Array) -> dict[str, Array]:  # noqa: ANN401 - onnx.ModelProto
    """Means by channel, of tensors (1, C, H, W), or by place, of tensors (1, K)."""
    found: dict[str, Any] = dict.fromkeys(names, 0.0)
    for batch in observe.of_graph(model, tensors)():
        for name in names:
            value = batch[name][0].astype(np.float64)
            found[name] = found[name] + (value.mean(axis=(1, 2)) if value.ndim == 3 else value)
    return {name: np.asarray(total / len(tensors)) for name, total in found.items()}


def _shift(node: Any, weights: Array, mean: Array) -> Array:  # noqa: ANN401 - an onnx.NodeProto
    """By output channel, float64."""
    error = rows(node, rounded(node, weights) - weights.astype(np.float64))
    if error.ndim == 2:
        return np.asarray(error @ mean)
    taps = error.sum(axis=(2, 3))
    if depthwise(node, weights):
        return np.asarray(taps[:, 0] * mean)
    groups = len(mean) // taps.shape[1]
    parts = zip(np.split(taps, groups), np.split(mean, groups), strict=True)
    return np.concatenate([part @ share for part, share in parts])


def _add(model: Any, node: Any, change: Array) -> None:  # noqa: ANN401 - onnx.ModelProto and onnx.NodeProto
    """Add to the layer's bias, making one where there is none; a bare matrix product has no place for it."""
    onnx = frameworks.onnx()
    if node.op_type == "MatMul":
        return
    name = node.input[2] if len(node.input) > 2 else ""
    stored = {initializer.name: initializer for initializer in model.graph.initializer}
    if name:
        before = onnx.numpy_helper.to_array(stored[name])
        after = (before.reshape(-1).astype(np.float64) + change).astype(np.float32).reshape(before.shape)
        stored[name].CopyFrom(onnx.numpy_helper.from_array(after, name))
        return
    name = f"{node.name}/bias"
    del node.input[2:]
    node.input.append(name)
    model.graph.initializer.append(onnx.numpy_helper.from_array(change.astype(np.float32), name))
