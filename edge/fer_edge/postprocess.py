"""From a model's output to calibrated probabilities and a label, or to `uncertain`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Array, Expression, TensorSpec

_TINY = 1e-7
"""Floor under probabilities before their logarithm; below the step of any 8-bit output."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one artifact's numbers become probabilities.

    kind: "logits" or "probabilities". temperature: divides logits (Guo et al. 2017). uncertain_below: confidence under
    which no label is given, 0 to 1.
    """

    kind: str = "logits"
    temperature: float = 1.0
    uncertain_below: float = 0.0


def dequantize(stored: Array, spec: TensorSpec) -> NDArray[np.float64]:
    """Real values of a tensor, same shape."""
    values = np.asarray(stored, dtype=np.float64)
    return (values - spec.zero_point) * spec.scale if spec.quantized else values


def probabilities(values: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Calibrated probabilities, (N, labels), rows summing to 1, from real-valued outputs of the same shape."""
    logits = np.log(np.maximum(values, _TINY)) if calibration.kind == "probabilities" else values
    scaled = logits / calibration.temperature
    exponent = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True))


def expression(row: NDArray[np.float64], labels: Sequence[str], uncertain_below: float) -> Expression:
    """One face's result from its probabilities, (labels,)."""
    best = int(row.argmax())
    return Expression(tuple(row.tolist()), labels[best] if row[best] >= uncertain_below else None)
