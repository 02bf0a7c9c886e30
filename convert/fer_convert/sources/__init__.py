"""What is converted: a float model of any kind, taken apart into what every format is made from.

The kinds are a run folder of fer-train, `.keras`, Keras 2's `.h5` and `.hdf5`, a SavedModel folder, `.onnx` and float
`.tflite`. Each is read once (`sources.reading`), in a process of its own where the file is a stranger's
(`sources.apart`), and becomes a `Source`: an ONNX graph, a float32 .tflite file, and what the model itself says of the
pictures that it is judged by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fer_convert import frameworks
from fer_convert.formats import ConversionFailed
from fer_convert.graph import to_tensorflow
from fer_convert.sources.description import Description
from fer_convert.sources.reading import Taken
from fer_edge.types import Array


@dataclass(frozen=True)
class Source:
    """A float model taken apart.

    sha256: of its file. key: tells its graph from an altered one's. open_batch: whether the files made of it take any
    number of faces at once.
    """

    description: Description
    taken: Taken
    sha256: str
    key: str = "source"
    open_batch: bool = False

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of the input of the files made of it; None for an open batch."""
        first, *rest = self.description.preprocess.shape
        return (None if self.open_batch else first, *rest)

    @property
    def outputs(self) -> Array:
        """float32 (N, labels): what the model itself says of the pictures it was given."""
        return self.taken.outputs

    @cached_property
    def graph(self) -> Any:  # noqa: ANN401 - an onnx.ModelProto
        """The float graph; raises ConversionFailed where the model could not be said in ONNX."""
        if not self.taken.graph:
            raise ConversionFailed(self.taken.graph_reason)
        return frameworks.onnx().load_from_string(self.taken.graph)

    @property
    def tflite(self) -> bytes:
        """The float32 .tflite file; raises ConversionFailed where TensorFlow's converter did not take the model."""
        if not self.taken.tflite:
            raise ConversionFailed(self.taken.tflite_reason)
        return self.taken.tflite

    @property
    def function(self) -> Callable[[Any], Any]:
        """The graph as a TensorFlow function of one tensor."""
        return to_tensorflow.function(self.graph, frameworks.tensorflow())
