"""How much each layer suffers from eight bits when it alone has them, so that the worst can be left in float."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_convert.graph.onnx_graph import constants, weighted
from fer_convert.quantize import observe
from fer_convert.quantize.ranges import Range
from fer_edge.postprocess import Calibration as Outputs
from fer_edge.postprocess import probabilities
from fer_edge.types import Array

FACES = 100
TINY = 1e-9
Quantize = Callable[[Any, dict[str, Range], frozenset[str]], Any]
"""Graph, ranges, and the nodes that stay in float."""


@dataclass(frozen=True)
class Layer:
    """What eight bits in this layer alone do to the outputs.

    divergence: mean Kullback-Leibler divergence from the float model's, in nats; changed: share of labels that change.
    """

    name: str
    kind: str
    weights: int
    divergence: float
    changed: float


def ranked(
    model: Any,  # noqa: ANN401 - an onnx.ModelProto
    tensors: Array,
    limits: dict[str, Range],
    quantize: Quantize,
    say: Callable[[str], None],
) -> list[Layer]:
    """All layers, the most sensitive first. tensors: float32 (N, ...), calibration faces; limits: of activations."""
    faces, sizes = tensors[:FACES], {name: array.size for name, array in constants(model).items()}
    wanted = _said(model, faces)
    names = frozenset(node.name for node in model.graph.node)
    layers, found = weighted(model), []
    for i, node in enumerate(layers):
        given = _said(quantize(model, limits, names - {node.name}), faces)
        divergence = float((wanted * np.log((wanted + TINY) / (given + TINY))).sum(axis=1).mean())
        changed = float((wanted.argmax(axis=1) != given.argmax(axis=1)).mean())
        found.append(Layer(node.name, node.op_type, sizes[node.input[1]], divergence, changed))
        say(f"  layer {i + 1} of {len(layers)}: {node.name}, divergence {divergence:.2g}")
    return sorted(found, key=lambda layer: -layer.divergence)


def as_csv(layers: Sequence[Layer]) -> str:
    """One line per layer, the most sensitive first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("layer", "kind", "weights", "divergence", "labels_changed"))
    for layer in layers:
        writer.writerow((layer.name, layer.kind, layer.weights, f"{layer.divergence:.6g}", f"{layer.changed:.4f}"))
    return text.getvalue()


def _said(model: Any, faces: Array) -> Array:  # noqa: ANN401 - an onnx.ModelProto
    """Probabilities (N, labels)."""
    session = observe.session_of(model)
    name = session.get_inputs()[0].name
    rows = np.concatenate([session.run(None, {name: faces[i : i + 1]})[0] for i in range(len(faces))])
    kind = "probabilities" if rows.min() >= 0.0 and np.abs(rows.sum(axis=1) - 1.0).max() < 1e-3 else "logits"
    return probabilities(rows.astype(np.float64), Outputs(kind))
