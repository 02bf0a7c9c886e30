"""A source whose graph was changed: for the int8 ladder, and to open its batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fer_convert.formats import tflite
from fer_convert.frameworks import tensorflow
from fer_convert.graph import batch, to_tensorflow
from fer_convert.graph.onnx_graph import serialized
from fer_convert.sources import Source
from fer_convert.sources.reading import Taken
from fer_edge.types import Array


def altered(source: Source, graph: Any, name: str) -> Source:  # noqa: ANN401 - an onnx.ModelProto
    """A source with another graph, from which its .tflite file is made anew; name: of the change."""
    data = tflite.converted(to_tensorflow.function(graph, tensorflow()), source.shape)
    taken = Taken(source.outputs, serialized(graph), data)
    return replace(source, taken=taken, key=f"{source.key}, {name}")


def with_open_batch(source: Source, tensors: Array) -> Source:
    """The same model for any number of faces at once.

    tensors: some faces as the model takes them, float32. Raises GraphRefused or ConversionFailed where it has no graph,
    or one that is tied to a single face.
    """
    graph = batch.opened(source.graph, tensors)
    return altered(replace(source, open_batch=True), graph, "open batch")
