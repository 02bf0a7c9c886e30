"""An ONNX graph said again in TensorFlow computes the same, and leaves no transpositions behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_convert import frameworks
from fer_convert.formats import tflite
from fer_convert.graph import onnx_graph, to_tensorflow
from fer_convert.graph.operators import Unsupported
from fer_edge.runtimes import open_runtime
from fer_edge.types import Array
from fer_train.backend import hushed

SIZE, CHANNELS = 9, 4
SHAPE = (1, CHANNELS, SIZE, SIZE)
RNG = np.random.default_rng(5)


def weights(*shape: int) -> Array:
    return np.asarray(RNG.normal(size=shape), dtype=np.float32)


Constants = dict[str, Array]
Nodes = list[Any]


def graph(nodes: Nodes, constants: Constants, shape: tuple[int, ...] = SHAPE, opset: int = 17) -> Any:
    """From `x`, float32 of this shape, to `y`."""
    known = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    face = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(nodes, "g", [face], [out], known),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    return onnx.shape_inference.infer_shapes(model)


def one(kind: str, constants: Constants | None = None, **attributes: Any) -> Any:
    """A graph of one node, between two convolutions that see to it that it lies channels last."""
    known = constants or {}
    mixing = {"before": weights(CHANNELS, CHANNELS, 1, 1)}
    nodes = [
        helper.make_node("Conv", ["x", "before"], ["mixed"]),
        helper.make_node(kind, ["mixed", *known], ["y"], **attributes),
    ]
    return graph(nodes, {**mixing, **known})


def ints(*values: int) -> Array:
    return np.asarray(values, dtype=np.int64)


CONV = {"w": weights(6, CHANNELS, 3, 3), "b": weights(6)}
POOL: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}
ONE_OPERATOR = {
    "convolution": one("Conv", CONV, pads=[1, 1, 1, 1]),
    "convolution by steps of two, padded on both sides": one("Conv", CONV, pads=[1, 1, 1, 1], strides=[2, 2]),
    "convolution that pads itself": one("Conv", CONV, auto_pad="SAME_LOWER", strides=[2, 2]),
    "convolution without an edge": one("Conv", CONV, auto_pad="VALID"),
    "dilated convolution": one("Conv", CONV, dilations=[2, 2], pads=[2, 2, 2, 2]),
    "depthwise convolution": one("Conv", {"w": weights(8, 1, 3, 3)}, group=CHANNELS, pads=[1, 1, 1, 1]),
    "convolution in groups": one("Conv", {"w": weights(6, 2, 3, 3)}, group=2),
    "oblong convolution": one("Conv", {"w": weights(6, CHANNELS, 1, 5)}, pads=[0, 2, 0, 2]),
    "transposed convolution": one("ConvTranspose", {"w": weights(CHANNELS, 6, 2, 2), "b": weights(6)}, strides=[2, 2]),
    "cropped transposed convolution": one(
        "ConvTranspose", {"w": weights(CHANNELS, 6, 3, 3)}, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    "maximum": one("MaxPool", **POOL),
    "maximum with an edge": one("MaxPool", **POOL, pads=[1, 1, 1, 1]),
    "maximum over the end": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "mean": one("AveragePool", **POOL),
    "mean that counts the edge": one("AveragePool", **POOL, pads=[1, 1, 1, 1], count_include_pad=1),
    "mean that does not count the edge": one("AveragePool", **POOL, pads=[1, 1, 1, 1]),
    "mean of all": one("GlobalAveragePool"),
    "maximum of all": one("GlobalMaxPool"),
    "mean over sides": one("ReduceMean", axes=[2, 3], keepdims=0),
    "mean over channels": one("ReduceMean", axes=[1], keepdims=1),
    "maximum over one side": one("ReduceMax", axes=[-1], keepdims=0),
    "normalisation": one(
        "BatchNormalization",
        {"s": weights(4), "t": weights(4), "m": weights(4), "v": np.abs(weights(4)) + 0.1},
        epsilon=1e-3,
    ),
    "slope per channel": one("PRelu", {"s": weights(CHANNELS, 1, 1)}),
    "limits": one("Clip", {"low": np.float32(-0.5), "high": np.float32(0.7)}),
    "limits of six": one("Clip", {"low": np.float32(0), "high": np.float32(6)}),
    "constant per channel": one("Add", {"c": weights(1, CHANNELS, 1, 1)}),
    "constant per pixel": one("Mul", {"c": weights(SIZE, SIZE)}),
    "constant in the first place": graph([helper.make_node("Sub", ["c", "x"], ["y"])], {"c": weights(CHANNELS, 1, 1)}),
    "softmax over channels": one("Softmax", axis=1),
    "flattening": one("Flatten"),
    "flattening further on": one("Flatten", axis=2),
    "transposition": one("Transpose", perm=[0, 2, 3, 1]),
    "another transposition": one("Transpose", perm=[0, 3, 2, 1]),
    "edge": one("Pad", {"p": ints(0, 1, 2, 0, 0, 0, 1, 3), "v": np.float32(0.5)}),
    "mirror": one("Pad", {"p": ints(0, 0, 2, 1, 0, 0, 1, 2)}, mode="reflect"),
    "part": one("Slice", {"s": ints(1, -4), "e": ints(3, 2**63 - 1), "a": ints(1, 3), "t": ints(1, 2)}),
    "reshaping": one("Reshape", {"s": ints(0, 2, -1)}),
    "channel last by reshaping": graph([helper.make_node("Reshape", ["x", "s"], ["y"])], {"s": ints(1, 324, 1, 1)}),
    **{
        kind: one(kind)
        for kind in ("Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus", "Softsign")
    },
    **{kind: one(kind) for kind in ("Tanh", "Erf", "Exp", "Neg", "Abs", "Reciprocal", "LogSoftmax", "Identity")},
    "hard sigmoid of another slope": one("HardSigmoid", alpha=1 / 6, beta=0.5),
    "elu of another height": one("Elu", alpha=0.3),
}


def said(model: Any, face: Array) -> Array:
    """What ONNX Runtime says."""
    return open_runtime([model.SerializeToString()], "onnx").infer(face)[0]


def said_again(model: Any, face: Array) -> Array:
    """What TensorFlow says of the translation."""
    tf = frameworks.tensorflow()
    return np.asarray(to_tensorflow.function(model, tf)(tf.constant(face)))


@pytest.mark.parametrize("model", ONE_OPERATOR.values(), ids=ONE_OPERATOR)
def test_an_operator_computes_the_same(model: Any) -> None:
    face = weights(*SHAPE)
    wanted, found = said(model, face), said_again(model, face)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def net(flat: str) -> Any:
    """Two branches that are joined, squeezed and excited, and flattened into a dense layer by `flat`."""
    known = {
        "w1": weights(6, CHANNELS, 3, 3), "b1": weights(6), "w2": weights(6, 6, 3, 3), "w3": weights(6, 6, 1, 1),
        "d": weights(12 * SIZE * SIZE, 5) if flat != "pool" else weights(12, 5), "b": weights(5),
        "shape": ints(1, -1), "c": weights(5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["left"], pads=[1, 1, 1, 1], name="second"),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Conv", ["g", "w3"], ["e"], name="gate"),
        helper.make_node("Sigmoid", ["e"], ["s"]),
        helper.make_node("Mul", ["r", "s"], ["right"]),
        helper.make_node("Concat", ["left", "right"], ["both"], axis=1),
    ]
    if flat == "pool":
        nodes += [
            helper.make_node("ReduceMean", ["both"], ["f"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["f", "d"], ["m"]),
            helper.make_node("Add", ["m", "c"], ["y"]),
        ]
    else:
        made = {"Flatten": ["both"], "Reshape": ["both", "shape"]}
        nodes += [
            helper.make_node(flat, made[flat], ["f"]),
            helper.make_node("Relu", ["f"], ["h"]),
            helper.make_node("Gemm", ["h", "d", "b"], ["y"], alpha=0.5),
        ]
    return graph(nodes, {name: known[name] for node in nodes for name in node.input if name in known})


@pytest.mark.parametrize("flat", ["Flatten", "Reshape", "pool"])
def test_a_net_in_tflite_has_one_transposition_for_its_input_and_no_more(flat: str) -> None:
    model = onnx_graph.simplified(net(flat), SHAPE)
    face = weights(*SHAPE)
    data = tflite.converted(to_tensorflow.function(model, frameworks.tensorflow()), SHAPE)
    with hushed():
        runtime = open_runtime([data], "tflite")
    np.testing.assert_allclose(runtime.infer(face)[0], said(model, face), rtol=1e-4, atol=1e-4)
    kinds = [op["op_name"] for op in runtime._interpreter._get_ops_details()]  # type: ignore[attr-defined]
    assert kinds.count("TRANSPOSE") == 1


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(Unsupported, match=r"the ONNX operator Sinh \(unnamed\) has no way to TFLite here; known are"):
        said_again(one("Sinh"), weights(*SHAPE))


def test_a_kernel_that_is_computed_is_refused() -> None:
    model = graph([helper.make_node("Conv", ["x", "x"], ["y"], name="odd")], {})
    with pytest.raises(Unsupported, match="Conv odd has an input 1 that is computed; it must be a constant"):
        said_again(model, weights(*SHAPE))


def test_the_one_form_has_batch_one_and_known_names() -> None:
    model = graph(
        [helper.make_node("Flatten", ["x"], ["f"], doc_string="/home/me"), helper.make_node("Gemm", ["f", "w"], ["y"])],
        {"w": weights(4, 3)},
        ("batch", 4, 1, 1),  # type: ignore[arg-type]
    )
    model.producer_name = "some tool"
    found = onnx_graph.simplified(model, (1, 4, 1, 1))
    assert (found.graph.input[0].name, found.graph.output[0].name) == ("face", "scores")
    assert (onnx_graph.shape_of(found.graph.input[0]), onnx_graph.shape_of(found.graph.output[0])) == (
        (1, 4, 1, 1),
        (1, 3),
    )
    assert (found.producer_name, {node.doc_string for node in found.graph.node}) == ("fer-convert", {""})
    assert onnx_graph.serialized(found) == onnx_graph.serialized(onnx_graph.simplified(model, (1, 4, 1, 1)))


def test_normalisations_are_folded_into_the_convolution_before() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "s", "t", "m", "v"], ["y"]),
    ]
    known = {**CONV, "s": weights(6), "t": weights(6), "m": weights(6), "v": np.abs(weights(6)) + 0.1}
    assert onnx_graph.operators(onnx_graph.simplified(graph(nodes, known), SHAPE)) == {"Conv"}


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((1, 3, SIZE, SIZE), "takes"), ((1, CHANNELS), "takes 4 axes")],
)
def test_a_graph_of_another_shape_is_refused(shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(onnx_graph.GraphRefused, match=sentence):
        onnx_graph.simplified(one("Relu"), shape)
