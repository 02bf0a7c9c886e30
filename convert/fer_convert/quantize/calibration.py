"""Calibration faces as tensors, and what they make of a model's activations; each model is looked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fer_convert.progress import Say, silent
from fer_convert.quantize import observe
from fer_convert.quantize.ranges import Histogram, Method, Range, choose, histograms
from fer_edge.types import Array


@dataclass(frozen=True)
class Plan:
    """How eight bits are made. float_layers: names of nodes of the graph whose weights and sums stay in float32."""

    method: Method = "minmax"
    float_layers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Calibration:
    """tensors: float32 (N, ...), preprocessed training faces as the model's input takes them. say: told of progress."""

    tensors: Array
    say: Say = silent
    _seen: dict[str, dict[str, Histogram]] = field(default_factory=dict)

    def of_graph(self, model: Any, key: str, method: Method) -> dict[str, Range]:  # noqa: ANN401 - an onnx.ModelProto
        """Ranges of an ONNX graph's tensors; key: tells this graph from others."""
        if key not in self._seen:
            self._seen[key] = histograms(observe.of_graph(model, self.tensors, self.say))
        return {name: choose(seen, method) for name, seen in self._seen[key].items()}

    def of_tflite(self, data: bytes, key: str, method: Method) -> dict[str, Range]:
        """Ranges of a float .tflite file's tensors."""
        if key not in self._seen:
            self._seen[key] = histograms(observe.of_tflite(data, self.tensors, self.say))
        return {name: choose(seen, method) for name, seen in self._seen[key].items()}
