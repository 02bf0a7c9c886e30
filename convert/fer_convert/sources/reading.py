"""Reading a model file of any kind, and taking it apart: ONNX graph, float32 .tflite file, outputs.

What a file says is not believed: no pickled data, no code that travels in it (Keras' Lambda layers hold byte code), one
input, one output, the shape that the preprocessing makes, as many outputs as labels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_convert import frameworks
from fer_convert.formats.tflite import converted
from fer_convert.graph import onnx_graph, to_tensorflow
from fer_edge.errors import ExitCode, FerEdgeError, UsageError, first_line
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Array, Image
from fer_train.backend import hushed

Kind = Literal["keras", "h5", "savedmodel", "onnx", "tflite"]
BATCH = 64


class ModelRefused(FerEdgeError):  # noqa: N818 - says what happened to the model
    """The source is not a model that can be converted, or does not fit its recipe."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Wanted:
    """What a model is expected to be. from_flags: the command line said so, and may err."""

    file: Path
    kind: Kind
    preprocess: PreprocessSpec
    labels: tuple[str, ...]
    from_flags: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its input, batch 1."""
        return self.preprocess.shape


@dataclass(frozen=True)
class Taken:
    """graph and tflite: serialized, or b"" with the reason why there is none. outputs: float32 (N, labels)."""

    outputs: Array
    graph: bytes = b""
    tflite: bytes = b""
    graph_reason: str = ""
    tflite_reason: str = ""


@dataclass(frozen=True)
class Opened:
    """A model that can be run: inputs and outputs as it states them (None or 0 where open), and itself.

    function: of one TensorFlow tensor, None for a graph that is no TensorFlow function.
    """

    inputs: list[tuple[int | None, ...]]
    outputs: list[tuple[int | None, ...]]
    predict: Callable[[Array], Array]
    function: Callable[[Any], Any] | None = None
    graph: Any = None
    tflite: bytes = b""


def take(wanted: Wanted, faces: Image) -> Taken:
    """Read, check, run on `faces` (crops as `Preprocess.pixels` makes them), and say again in ONNX and TFLite.

    Raises ModelRefused for a file that is not right, UsageError where it does not fit what the command line said.
    """
    return taken(READERS[wanted.kind](wanted), wanted, faces)


def answers(wanted: Wanted, faces: Image, specs: Sequence[PreprocessSpec]) -> list[Array]:
    """What the model says of the faces under each specification, float32 (N, labels); colours turned where it asks."""
    opened = READERS[wanted.kind](wanted)
    fits(opened, wanted)
    found = []
    for spec in specs:
        turned = faces if spec.color == wanted.preprocess.color else np.ascontiguousarray(faces[..., ::-1])
        found.append(_outputs(opened, Preprocess(spec), turned))
    return found


def taken(opened: Opened, wanted: Wanted, faces: Image) -> Taken:
    """See `take`, of a model that is open."""
    fits(opened, wanted)
    outputs = _outputs(opened, Preprocess(wanted.preprocess), faces)
    graph, graph_reason = _said(lambda: _graph(opened, wanted))
    tflite, tflite_reason = _said(lambda: _tflite(opened, wanted, graph))
    return Taken(outputs, graph, tflite, graph_reason, tflite_reason)


def fits(opened: Opened, wanted: Wanted) -> None:
    """One input of the preprocessing's shape, one output per label."""
    file, labels = wanted.file, wanted.labels
    for kind, shapes in (("input", opened.inputs), ("output", opened.outputs)):
        if len(shapes) != 1:
            raise ModelRefused(f"{file} has {len(shapes)} {kind}s; an expression model has one")
    takes, gives = opened.inputs[0], opened.outputs[0]
    pairs = zip(takes[1:], wanted.shape[1:], strict=False)
    if len(takes) != len(wanted.shape) or any(have not in (None, 0, want) for have, want in pairs):
        raise _misfit(wanted, f"{file} takes {takes}, but the preprocessing makes {wanted.shape}")
    if len(gives) != 2 or gives[1] not in (None, 0, len(labels)):
        raise _misfit(
            wanted, f"{file} gives {gives[1:]} values, but there are {len(labels)} labels: {', '.join(labels)}"
        )


def _misfit(wanted: Wanted, text: str) -> FerEdgeError:
    return UsageError(text) if wanted.from_flags else ModelRefused(text)


def _outputs(opened: Opened, preprocess: Preprocess, faces: Image) -> Array:
    parts = (preprocess.tensor(faces[i : i + BATCH]) for i in range(0, len(faces), BATCH))
    rows = [opened.predict(part) for part in parts]
    return np.concatenate(rows).astype(np.float32)


def _graph(opened: Opened, wanted: Wanted) -> bytes:
    graph = opened.graph
    if graph is None:
        graph = onnx_graph.from_function(opened.function, wanted.shape)
    return onnx_graph.serialized(graph)


def _tflite(opened: Opened, wanted: Wanted, graph: bytes) -> bytes:
    if opened.tflite:
        return opened.tflite
    function = opened.function
    if function is None:
        model = frameworks.onnx().load_from_string(graph)
        function = to_tensorflow.function(model, frameworks.tensorflow())
    return converted(function, wanted.shape)


def _said(say: Callable[[], bytes]) -> tuple[bytes, str]:
    """What was made, and why nothing was."""
    try:
        return say(), ""
    except Exception as error:  # noqa: BLE001 - converters raise what their passes raise
        return b"", first_line(error)


def _keras(wanted: Wanted) -> Opened:
    return of_keras(keras_model(wanted.file), wanted.file)


def keras_model(file: Path) -> Any:  # noqa: ANN401 - a Keras model
    """A `.keras` file in float32, read in safe mode and without its optimizer; raises ModelRefused."""
    keras = frameworks.keras()
    try:
        with hushed():
            model = keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - zipfile, h5py and Keras raise a dozen kinds for a bad file
        raise ModelRefused(f"{file} is not a Keras model that can be loaded: {first_line(error)}") from None
    return as_float32(model, file, keras)


def of_keras(model: Any, file: Path) -> Opened:  # noqa: ANN401 - a model of Keras 3 or of tf_keras
    """A Keras model, whole."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise ModelRefused(f"{file} has no fixed inputs and outputs; build it as a functional or sequential model")

    def predict(tensors: Array) -> Array:
        return np.asarray(model(tensors, training=False))

    return Opened(
        [tuple(value.shape) for value in inputs],
        [tuple(value.shape) for value in outputs],
        predict,
        function=lambda face: model(face, training=False),
    )


def _h5(wanted: Wanted) -> Opened:
    """Keras 2's own reader, for Keras 3 does not know the words of every older file; it must hold no code."""
    tf_keras = frameworks.tf_keras()
    _without_code(wanted.file)
    try:
        with hushed():
            model = tf_keras.models.load_model(wanted.file, compile=False)
    except Exception as error:  # noqa: BLE001 - see _keras
        raise ModelRefused(f"{wanted.file} is not a Keras model that can be loaded: {first_line(error)}") from None
    return of_keras(model, wanted.file)


def _without_code(file: Path) -> None:
    """Refuse an HDF5 model whose layers hold byte code, which Keras 2 would run."""
    import h5py  # noqa: PLC0415 - comes with TensorFlow

    try:
        with h5py.File(file, "r") as opened:
            text = opened.attrs.get("model_config")
    except Exception as error:  # noqa: BLE001 - h5py raises OSError, KeyError, RuntimeError and more for a bad file
        raise ModelRefused(f"{file} is not a Keras model that can be loaded: {first_line(error)}") from None
    if text is None:
        raise ModelRefused(f"{file} holds weights without a model; save the whole model")
    try:
        config = json.loads(text if isinstance(text, str) else bytes(text))
    except ValueError:
        raise ModelRefused(f"{file} is not a Keras model that can be loaded: its configuration is not JSON") from None
    if _mentions(config, "Lambda"):
        raise ModelRefused(f"{file} has a Lambda layer, whose code would run here; build the model without it")


def _mentions(config: Any, kind: str) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(config, dict):
        return config.get("class_name") == kind or any(_mentions(value, kind) for value in config.values())
    return isinstance(config, list) and any(_mentions(value, kind) for value in config)


def _saved_model(wanted: Wanted) -> Opened:
    tf = frameworks.tensorflow()
    try:
        with hushed():
            loaded = tf.saved_model.load(str(wanted.file))
            signature = loaded.signatures["serving_default"]
    except KeyError:
        raise ModelRefused(f"{wanted.file} has no signature serving_default") from None
    except Exception as error:  # noqa: BLE001 - see _keras
        raise ModelRefused(f"{wanted.file} is not a SavedModel that can be loaded: {first_line(error)}") from None
    (_, takes), gives = signature.structured_input_signature, signature.structured_outputs
    name = next(iter(takes), "")
    output = next(iter(gives), "")

    def function(face: Any) -> Any:  # noqa: ANN401 - a tensor
        return signature(**{name: face})[output]

    function.loaded = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    return Opened(
        [_sides(value.shape) for value in takes.values()],
        [_sides(value.shape) for value in gives.values()],
        lambda tensors: np.asarray(function(tf.constant(tensors))),
        function=function,
    )


def _onnx(wanted: Wanted) -> Opened:
    onnx = frameworks.onnx()
    try:
        model = onnx.load(str(wanted.file), load_external_data=False)
        onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - protobuf's and the checker's
        raise ModelRefused(f"{wanted.file} is not an ONNX model that can be loaded: {first_line(error)}") from None
    if onnx_graph.operators(model) & onnx_graph.QUANTIZED:
        raise ModelRefused(f"{wanted.file} is quantized already; give the float model it was made from")
    stored = {each.name for each in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    opened = Opened(
        [onnx_graph.shape_of(value) for value in inputs],
        [onnx_graph.shape_of(value) or (0, len(wanted.labels)) for value in model.graph.output],
        lambda tensors: tensors,
    )
    fits(opened, wanted)
    graph = onnx_graph.simplified(model, wanted.shape)
    return Opened(opened.inputs, opened.outputs, _one_by_one(graph), graph=graph)


def _tflite_file(wanted: Wanted) -> Opened:
    from fer_edge.runtimes import open_runtime  # noqa: PLC0415 - its engine

    data = wanted.file.read_bytes()
    try:
        with hushed():
            runtime = open_runtime([data], "tflite")
    except FerEdgeError as error:
        raise ModelRefused(f"{wanted.file} is not a TFLite model that can be loaded: {error}") from None
    if runtime.input.dtype != "float32" or runtime.effective_precision != "float32":
        raise ModelRefused(
            f"{wanted.file} takes {runtime.input.dtype} and computes in {runtime.effective_precision}; "
            "give the float32 model it was made from"
        )
    opened = Opened(
        [runtime.input.shape],
        [output.shape for output in runtime.outputs],
        lambda tensors: np.concatenate([runtime.infer(tensors[i : i + 1])[0] for i in range(len(tensors))]),
        tflite=data,
    )
    fits(opened, wanted)
    graph = onnx_graph.from_tflite(wanted.file, wanted.shape)
    return Opened(opened.inputs, opened.outputs, opened.predict, graph=graph, tflite=data)


def _one_by_one(graph: Any) -> Callable[[Array], Array]:  # noqa: ANN401 - an onnx.ModelProto
    from fer_edge.runtimes import open_runtime  # noqa: PLC0415 - its engine

    runtime = open_runtime([onnx_graph.serialized(graph)], "onnx")
    return lambda tensors: np.concatenate([runtime.infer(tensors[i : i + 1])[0] for i in range(len(tensors))])


def _sides(shape: Any) -> tuple[int | None, ...]:  # noqa: ANN401 - a tf.TensorShape
    return tuple(shape.as_list()) if shape.rank is not None else ()


def as_float32(model: Any, file: Path, keras: Any) -> Any:  # noqa: ANN401 - untyped library
    """The same weights in layers that compute in float32; a model trained in mixed precision is built anew."""
    if all(layer.compute_dtype == "float32" for layer in _layers(model)):
        return model
    try:
        with hushed():
            fresh = keras.models.model_from_json(json.dumps(_float32_policies(json.loads(model.to_json()))))
            fresh.set_weights(model.get_weights())
    except Exception as error:  # noqa: BLE001 - whatever a layer's own configuration raises
        raise ModelRefused(
            f"{file} computes in a mixed precision and has no float32 twin: {first_line(error)}"
        ) from None
    return fresh


def _layers(model: Any) -> Any:  # noqa: ANN401 - untyped library
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def _float32_policies(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy":
            return {**value, "config": {"name": "float32"}}
        return {key: _float32_policies(item) for key, item in value.items()}
    return [_float32_policies(item) for item in value] if isinstance(value, list) else value


READERS: dict[Kind, Callable[[Wanted], Opened]] = {
    "keras": _keras,
    "h5": _h5,
    "savedmodel": _saved_model,
    "onnx": _onnx,
    "tflite": _tflite_file,
}
