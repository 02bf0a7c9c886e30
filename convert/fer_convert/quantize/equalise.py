"""Cross-layer equalisation: channels whose values are far smaller than their neighbours' get steps of their own size.

One tensor has one step for all channels. Where one channel reaches a thousand and the others one, the others are told
in a fraction of a step. Nagel et al. (2019) move a factor per channel from one layer into the next, which changes
nothing in float; as the weights here have a step per output channel anyway, the factor follows what was seen of the
activations on one side and the next layer's columns on the other: sqrt(range of the channel / range of its column).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.quantize import observe
from fer_convert.quantize.chains import Chain, Graph, columns, rows
from fer_edge.types import Array

LARGEST_FACTOR = 1e4
PASSES = 2
"""A layer is the second of one pair and the first of another; a second pass settles what the first moved."""
FACES = 100
"""Calibration faces whose largest values count."""
TOLERANCE = 1e-3


def equalised(model: Any, tensors: Array) -> Any:  # noqa: ANN401 - onnx.ModelProto
    """The graph with its channels evened out, or the very same object where no two layers can be.

    tensors: float32 (N, ...), calibration faces.
    """
    onnx = frameworks.onnx()
    even = onnx.ModelProto()
    even.CopyFrom(model)
    moved = False
    for _ in range(PASSES):
        graph = Graph(even)
        chains = graph.chains()
        seen = _largest(even, chains, tensors[:FACES])
        for chain in chains:
            moved |= _even(graph, chain, seen[chain.between])
        _store(even, graph.constants)
    return even if moved and _alike(model, even, tensors[:FACES]) else model


def _largest(model: Any, chains: list[Chain], tensors: Array) -> dict[str, Array]:  # noqa: ANN401 - onnx.ModelProto
    """By tensor, the largest magnitude at each of its places."""
    wanted = {chain.between for chain in chains}
    found: dict[str, Array] = {}
    for batch in observe.of_graph(model, tensors)():
        for name in wanted & batch.keys():
            size = np.abs(batch[name][0])
            found[name] = np.maximum(found[name], size) if name in found else size
    return found


def _even(graph: Graph, chain: Chain, seen: Array) -> bool:
    """Move the factors of one pair; whether there was anything to move."""
    first, second = graph.constants[chain.first.input[1]], graph.constants[chain.second.input[1]].copy()
    count = rows(chain.first, first).shape[0]
    reach = np.zeros(count)
    whole = seen.reshape(len(chain.columns), -1) if seen.ndim != 1 else seen[:, None]
    np.maximum.at(reach, chain.columns, whole.max(axis=1))
    front = columns(chain.second, second)
    weight = np.zeros(count)
    np.maximum.at(weight, chain.columns, np.abs(front).reshape(len(front), -1).max(axis=1))
    usable = (reach > 0) & (weight > 0)
    factor = np.ones(count)
    factor[usable] = np.sqrt(reach[usable] / weight[usable])
    if usable.any():
        factor[usable] = np.clip(factor[usable] / np.median(factor[usable]), 1 / LARGEST_FACTOR, LARGEST_FACTOR)
    factor = factor.astype(np.float32)
    front *= factor[chain.columns].reshape(-1, *(1,) * (front.ndim - 1))
    graph.constants[chain.second.input[1]] = second
    _divide(graph, chain, factor)
    return bool((factor != 1.0).any())


def _divide(graph: Graph, chain: Chain, factor: Array) -> None:
    """The first layer's rows, its bias and what is added on the way, by the factors."""
    name = chain.first.input[1]
    first = graph.constants[name].copy()
    ahead = rows(chain.first, first)
    ahead /= factor.reshape(-1, *(1,) * (ahead.ndim - 1))
    graph.constants[name] = first
    biases = [chain.first.input[2]] if len(chain.first.input) > 2 and chain.first.input[2] else []
    for bias in (*biases, *chain.shifts):
        known = graph.constants[bias]
        graph.constants[bias] = (known.reshape(-1) / factor).reshape(known.shape).astype(known.dtype)


def _store(model: Any, values: dict[str, Array]) -> None:  # noqa: ANN401 - an onnx.ModelProto
    onnx = frameworks.onnx()
    for initializer in model.graph.initializer:
        value = np.ascontiguousarray(values[initializer.name])
        initializer.CopyFrom(onnx.numpy_helper.from_array(value, initializer.name))


def _alike(model: Any, even: Any, tensors: Array) -> bool:  # noqa: ANN401 - onnx.ModelProto
    """Whether both say the same in float, as they must."""
    sessions = [observe.session_of(each) for each in (model, even)]
    name = sessions[0].get_inputs()[0].name
    before, after = (
        np.concatenate([session.run(None, {name: tensors[i : i + 1]})[0] for i in range(len(tensors))])
        for session in sessions
    )
    return bool(np.abs(before - after).max() <= TOLERANCE * max(1.0, float(np.abs(before).max())))
