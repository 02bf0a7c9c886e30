"""ONNX graphs: made from TensorFlow or TFLite, brought into one form, and read.

The one form: opset as it came (17 where it is ours to choose: ONNX Runtime 1.12 and OpenVINO 2022 read it), constants
inside, batch 1, batch normalisations folded into the convolutions before them, the input called `face`, the output
`scores`, no names of people and places. The same graph gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_convert import frameworks
from fer_edge.errors import ExitCode, FerEdgeError, first_line
from fer_edge.types import Array
from fer_train.backend import hushed

OPSET = 17
INPUT, OUTPUT = "face", "scores"
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
QUANTIZED = frozenset({"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger"})


class GraphRefused(FerEdgeError):  # noqa: N818 - what happened to the graph
    """A graph that is not an expression model's, or cannot be made or read."""

    exit_code = ExitCode.REFUSED


def from_function(function: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - untyped libraries
    """The graph of a TensorFlow function of one float32 tensor of this shape; raises GraphRefused."""
    tf, tf2onnx = frameworks.tensorflow(), frameworks.tf2onnx()
    face = tf.TensorSpec(shape, tf.float32, name=INPUT)
    try:
        with hushed():
            traced = tf.function(function, input_signature=[face], autograph=False)
            model, _ = tf2onnx.convert.from_function(traced, input_signature=[face], opset=OPSET)
    except Exception as error:  # noqa: BLE001 - the converter raises what its passes raise
        raise GraphRefused(f"the model cannot be said in ONNX: {first_line(error)}") from None
    return simplified(model, shape)


def from_tflite(path: Path, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - untyped libraries
    """The graph of a float32 .tflite file; raises GraphRefused."""
    tf2onnx = frameworks.tf2onnx()
    try:
        with hushed():
            model, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    except Exception as error:  # noqa: BLE001 - see from_function
        raise GraphRefused(f"{path} cannot be said in ONNX: {first_line(error)}") from None
    return simplified(model, shape)


def simplified(model: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - untyped libraries
    """The one form of a graph; shape: of its input, with batch 1. Raises GraphRefused."""
    onnx, onnxslim = frameworks.onnx(), frameworks.onnxslim()
    found = [value for value in model.graph.input if value.name not in {each.name for each in model.graph.initializer}]
    for kind, values in (("input", found), ("output", list(model.graph.output))):
        if len(values) != 1:
            raise GraphRefused(f"the ONNX model has {len(values)} {kind}s; an expression model has one")
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    _set_shape(next(value for value in fixed.graph.input if value.name == found[0].name), shape)
    for value in fixed.graph.output:
        value.type.tensor_type.shape.ClearField("dim")
    del fixed.graph.value_info[:]
    try:
        with hushed():
            slim = onnxslim.slim(fixed)
            slim = onnx.shape_inference.infer_shapes(slim)
    except Exception as error:  # noqa: BLE001 - see from_function
        raise GraphRefused(f"the ONNX graph cannot be simplified: {first_line(error)}") from None
    return _anonymous(_renamed(slim))


def serialized(model: Any) -> bytes:  # noqa: ANN401 - an onnx.ModelProto
    """The same bytes for the same graph."""
    return bytes(model.SerializeToString(deterministic=True))


def operators(model: Any) -> set[str]:  # noqa: ANN401 - an onnx.ModelProto
    """The kinds of nodes."""
    return {node.op_type for node in model.graph.node}


def constants(model: Any) -> dict[str, Array]:  # noqa: ANN401 - an onnx.ModelProto
    """All weights and constants by name."""
    onnx = frameworks.onnx()
    found = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            found[node.output[0]] = attributes(node)["value"]
    return found


def weighted(model: Any) -> list[Any]:  # noqa: ANN401 - an onnx.ModelProto; onnx.NodeProto
    """Convolutions and dense layers with constant weights, in order."""
    known = constants(model)
    return [node for node in model.graph.node if node.op_type in WEIGHTED and node.input[1] in known]


def attributes(node: Any) -> dict[str, Any]:  # noqa: ANN401 - an onnx.NodeProto
    """A node's attributes as Python values; tensors as numpy arrays, strings as bytes."""
    onnx = frameworks.onnx()
    found = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        found[attribute.name] = onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
    return found


def shape_of(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - an onnx.ValueInfoProto
    """Of an input or output; 0 for what is open."""
    return tuple(int(dim.dim_value) for dim in value.type.tensor_type.shape.dim)


def _set_shape(value: Any, shape: tuple[int, ...]) -> None:  # noqa: ANN401 - an onnx.ValueInfoProto
    dims = value.type.tensor_type.shape.dim
    if len(dims) not in (0, len(shape)):
        raise GraphRefused(f"the ONNX model takes {len(dims)} axes, but the preprocessing makes {shape}")
    said = [int(dim.dim_value) for dim in dims]
    if any(have not in (0, want) for have, want in zip(said[1:], shape[1:], strict=False)):
        raise GraphRefused(f"the ONNX model takes {tuple(said)}, but the preprocessing makes {shape}")
    del dims[:]
    for side in shape:
        dims.add().dim_value = side


def _renamed(model: Any) -> Any:  # noqa: ANN401 - an onnx.ModelProto
    names = {model.graph.input[0].name: INPUT, model.graph.output[0].name: OUTPUT}
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)} - set(names)
    if taken & set(names.values()):
        names.update({name: f"{name}_" for name in taken & set(names.values())})
    for i, node in enumerate(model.graph.node):
        for names_of in (node.input, node.output):
            names_of[:] = [names.get(name, name) for name in names_of]
        node.name = f"{i}/{node.name or node.op_type}"
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.name = names.get(value.name, value.name)
    return model


def _anonymous(model: Any) -> Any:  # noqa: ANN401 - an onnx.ModelProto
    model.producer_name, model.producer_version, model.doc_string, model.domain = "fer-convert", "", "", ""
    model.graph.name, model.graph.doc_string = "expression", ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        if hasattr(node, "metadata_props"):
            del node.metadata_props[:]
    return model
