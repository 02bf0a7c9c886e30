"""What the translations of ONNX operators have in common: a node with its inputs, and the word for what cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fer_convert.graph.layout import Value, last, plain
from fer_edge.errors import ExitCode, FerEdgeError
from fer_edge.types import Array


class Unsupported(FerEdgeError):  # noqa: N818 - what the graph is
    """An operator, or a use of one, that has no translation."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Node:
    """One node of an ONNX graph. inputs: None where an optional one is left out. tf: the module tensorflow."""

    kind: str
    name: str
    inputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    tf: Any

    @property
    def first(self) -> Value:
        """The first input, which every operator has."""
        found = self.inputs[0]
        if found is None:
            raise Unsupported(f"{self.kind} {self.name} has no input")
        return found

    def optional(self, index: int) -> Value | None:
        """An input, None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> Array | None:
        """An input that must be known beforehand; None where it is left out."""
        found = self.optional(index)
        if found is None:
            return None
        if not found.constant:
            raise Unsupported(f"{self.kind} {self.name} has an input {index} that is computed; it must be a constant")
        constant: Array = found.tensor
        return constant

    def needed(self, index: int) -> Array:
        """A constant input that may not be left out."""
        found = self.constant(index)
        if found is None:
            raise Unsupported(f"{self.kind} {self.name} lacks its input {index}")
        return found

    def integers(self, name: str, index: int) -> list[int] | None:
        """What newer opsets give as an input and older ones as an attribute; None where neither is there."""
        if name in self.attributes:
            return [int(value) for value in self.attributes[name]]
        found = self.constant(index)
        return None if found is None else [int(value) for value in found.reshape(-1)]

    def last(self) -> Any:  # noqa: ANN401 - a tensor
        """The first input, channels last."""
        return last(self.first, self.tf)

    def plain(self) -> Any:  # noqa: ANN401 - a tensor
        """The first input in ONNX's order."""
        return plain(self.first, self.tf)

    def refuse(self, why: str) -> Unsupported:
        """The error that says so."""
        return Unsupported(f"{self.kind} {self.name} {why}, which has no way to TFLite here")
