"""Ranges, evened channels, corrected biases and the ranking of layers do what their names say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from convert.test_graph import CHANNELS, SHAPE, SIZE, graph, ints, weights
from fer_convert.formats.onnx import quantized
from fer_convert.graph import onnx_graph
from fer_convert.quantize import channelwise, correct, equalise, observe, sensitivity
from fer_convert.quantize.calibration import Calibration
from fer_convert.quantize.chains import Graph
from fer_convert.quantize.kernels import widened
from fer_convert.quantize.ranges import METHODS, Histogram, Method, choose, histograms, steps
from fer_edge.types import Array

FACES = np.concatenate([weights(*SHAPE) for _ in range(30)])
LARGE = 1000.0


def histogram(values: Array) -> Histogram:
    return histograms(lambda: [{"x": values}])["x"]


@pytest.mark.parametrize("method", ["percentile", "mse", "entropy"])
def test_a_lonely_value_far_out_is_left_outside(method: Method) -> None:
    values = np.append(np.random.default_rng(0).normal(size=200_000), 60.0).astype(np.float32)
    low, high = choose(histogram(values), method)
    assert high < 0.9 * 60.0
    assert -7 < low < -2


@pytest.mark.parametrize("method", METHODS)
def test_values_that_fill_their_range_keep_it(method: Method) -> None:
    low, high = choose(histogram(np.linspace(-1.0, 3.0, 100_001, dtype=np.float32)), method)
    assert (low, high) == pytest.approx((-1.0, 3.0), abs=0.05)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("values", [np.linspace(2, 5, 1000), -np.linspace(2, 5, 1000), np.zeros(10)])
def test_zero_is_always_told_exactly(method: Method, values: Array) -> None:
    limits = choose(histogram(values.astype(np.float32)), method)
    assert limits[0] <= 0.0 <= limits[1]
    scale, zero = steps(limits)
    assert scale > 0
    assert 0 <= zero <= 255


def test_values_that_are_not_finite_have_no_range() -> None:
    assert histograms(lambda: [{"x": np.array([1.0, np.inf], dtype=np.float32)}]) == {}


def net(kind: str, loud: float = 1.0) -> Any:
    """A net in which channel 2 between two layers is `loud` times as large, at no change of what comes out."""
    first, second = weights_of((CHANNELS, CHANNELS, 3, 3), 1), weights_of((6, CHANNELS, 3, 3), 2)
    bias = weights_of((CHANNELS,), 3)
    middle = weights_of((CHANNELS, 1, 3, 3), 4)
    dense = weights_of((CHANNELS * 4 * 4, 5), 5)
    first[2], bias[2] = first[2] * loud, bias[2] * loud
    if kind == "depthwise":
        middle[2] /= loud
    elif kind == "flattened":
        dense.reshape(CHANNELS, 16, 5)[2] /= loud
    else:
        second[:, 2] /= loud
    known = {"a": first, "b": bias, "c": second, "m": middle, "d": dense, "s": ints(1, -1)}
    pooled = {"kernel_shape": [2, 2], "strides": [2, 2]}
    start = [
        helper.make_node("Conv", ["x", "a", "b"], ["1"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("Relu", ["1"], ["2"]),
    ]
    ends = {
        "plain": [helper.make_node("Conv", ["2", "c"], ["y"], name="second")],
        "pooled": [
            helper.make_node("MaxPool", ["2"], ["3"], **pooled),
            helper.make_node("Conv", ["3", "c"], ["y"], name="second"),
        ],
        "depthwise": [
            helper.make_node("Conv", ["2", "m"], ["3"], group=CHANNELS, name="second"),
            helper.make_node("Relu", ["3"], ["4"]),
            helper.make_node("Conv", ["4", "c"], ["y"], name="third"),
        ],
        "flattened": [
            helper.make_node("MaxPool", ["2"], ["3"], **pooled),
            helper.make_node("Reshape", ["3", "s"], ["4"]),
            helper.make_node("Gemm", ["4", "d"], ["y"], name="second"),
        ],
    }
    nodes = start + ends[kind]
    return onnx_graph.simplified(
        graph(nodes, {k: v for k, v in known.items() if any(k in n.input for n in nodes)}), SHAPE
    )


def weights_of(shape: tuple[int, ...], seed: int) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=shape), dtype=np.float32)


def said(model: Any) -> Array:
    session = observe.session_of(model)
    return np.concatenate([session.run(None, {"face": FACES[i : i + 1]})[0] for i in range(len(FACES))])


def error(model: Any) -> float:
    """What eight bits do to the outputs, as a share of their size."""
    limits = Calibration(FACES).of_graph(model, "it", "minmax")
    wanted = said(model)
    return float(np.abs(said(quantized(model, limits)) - wanted).mean() / np.abs(wanted).mean())


KINDS = ["plain", "pooled", "depthwise", "flattened"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_loud_channel_ruins_eight_bits_and_evening_out_mends_it(kind: str) -> None:
    quiet, loud = net(kind), net(kind, LARGE)
    even = equalise.equalised(loud, FACES)
    np.testing.assert_allclose(said(even), said(loud), rtol=1e-3, atol=1e-3)
    assert error(loud) > 3 * error(quiet)
    assert error(even) < 1.5 * error(quiet)


def test_a_net_without_pairs_is_returned_as_it_is() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["r"]),
        helper.make_node("Conv", ["r", "v"], ["y"]),
    ]
    model = onnx_graph.simplified(graph(nodes, {"w": weights(4, 4, 1, 1), "v": weights(4, 4, 1, 1)}), SHAPE)
    assert Graph(model).chains() == []
    assert equalise.equalised(model, FACES) is model


def test_a_corrected_bias_takes_back_the_shift_of_the_mean() -> None:
    generator = np.random.default_rng(0)
    rough = (generator.uniform(0.3, 0.49, size=(6, CHANNELS, 3, 3)) / 127).astype(np.float32)
    rough[:, 0, 0, 0] = 1.0
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Conv", ["r", "w"], ["y"], pads=[1, 1, 1, 1], name="only"),
    ]
    model = onnx_graph.simplified(graph(nodes, {"w": rough}), SHAPE)
    better = correct.corrected(model, FACES)
    shift = {name: shift_of(each, model) for name, each in (("plain", model), ("corrected", better))}
    assert shift["corrected"] < 0.2 * shift["plain"]


def shift_of(model: Any, original: Any) -> float:
    """How far the mean of the outputs is off when only the weights are rounded."""
    import onnx  # noqa: PLC0415 - beside the test that needs it

    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    (node,) = onnx_graph.weighted(rounded)
    for initializer in rounded.graph.initializer:
        if initializer.name == node.input[1]:
            values = correct.rounded(node, onnx.numpy_helper.to_array(initializer)).astype(np.float32)
            initializer.CopyFrom(onnx.numpy_helper.from_array(values, initializer.name))
    return float(np.abs(said(rounded).mean(axis=(0, 2, 3)) - said(original).mean(axis=(0, 2, 3))).mean())


def test_the_layer_that_eight_bits_hurt_most_is_first(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["1"], name="fine"),
        helper.make_node("Conv", ["1", "b"], ["2"], name="rough"),
        helper.make_node("GlobalAveragePool", ["2"], ["3"]),
        helper.make_node("Flatten", ["3"], ["y"]),
    ]
    rough = weights(5, CHANNELS, 1, 1)
    rough[:, 0] *= 300
    model = onnx_graph.simplified(graph(nodes, {"a": weights(CHANNELS, CHANNELS, 1, 1), "b": rough}), SHAPE)
    limits = Calibration(FACES).of_graph(model, "it", "minmax")
    told: list[str] = []
    layers = sensitivity.ranked(model, FACES, limits, quantized, told.append)
    assert [layer.name.split("/")[-1] for layer in layers] == ["rough", "fine"]
    assert layers[0].divergence > layers[1].divergence >= 0
    assert len(told) == 2
    lines = sensitivity.as_csv(layers).splitlines()
    assert lines[0] == "layer,kind,weights,divergence,labels_changed"
    assert len(lines) == 3


def test_activations_are_seen_by_name_and_picture_by_picture() -> None:
    model = net("plain")
    batches = list(observe.of_graph(model, FACES[:3])())
    assert len(batches) == 3
    assert {"face", "scores"} <= batches[0].keys()
    assert batches[0]["face"].shape == (1, CHANNELS, SIZE, SIZE)


Change = Callable[[Any, Array], Any]


@pytest.mark.parametrize("change", [equalise.equalised, correct.corrected])
def test_the_original_stays_as_it_is(change: Change) -> None:
    model = net("plain", LARGE)
    before = onnx_graph.serialized(model)
    change(model, FACES)
    assert onnx_graph.serialized(model) == before


# --- what kernels take


def test_ranges_that_kernels_take_are_left_as_they_are() -> None:
    limits = {"a": (-1.0, 2.0), "b": (0.0, 0.01), "sum": (-1.0, 4.0)}
    assert widened(limits, [("sum", ("a", "b"))]) == {**limits, "b": (0.0, pytest.approx(0.01))}


def test_a_dead_tensor_gets_the_range_of_a_common_one() -> None:
    limits = {"a": (-1.0, 2.0), "b": (0.0, 4.0), "dead": (0.0, 1e-12), "last": (0.0, 5.0), "first": (0.0, 1.0)}
    assert widened(limits, [])["dead"] == (0.0, 3.0)


def test_a_quiet_summand_is_widened_to_what_an_addition_takes() -> None:
    limits = {"quiet": (-1e-4, 3e-4), "loud": (0.0, 4.0), "sum": (-0.5, 4.0)}
    low, high = widened(limits, [("sum", ("loud", "quiet"))])["quiet"]
    assert high - low == pytest.approx(4.5 / 512)
    assert high == pytest.approx(-3 * low)
    assert widened({}, [("sum", ("loud", "quiet"))]) == {}


# --- normalisations by channel


def normalised(*, shift: bool) -> Any:
    """A convolution, a rectifier, a normalisation, pooling; then a dense layer, a normalisation, a dense layer."""
    known = {
        "a": weights_of((CHANNELS, CHANNELS, 3, 3), 1),
        "f": weights_of((1, CHANNELS, 1, 1), 2),
        "s": weights_of((1, CHANNELS, 1, 1), 3),
        "d": weights_of((CHANNELS, 6), 4),
        "e": weights_of((6,), 5),
        "g": weights_of((6,), 6),
        "h": weights_of((6,), 7),
        "o": weights_of((6, 5), 8),
    }
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["1"], name="first"),
        helper.make_node("Relu", ["1"], ["2"]),
        helper.make_node("Mul", ["2", "f"], ["3"], name="by"),
        helper.make_node("Add", ["3", "s"], ["4"]) if shift else helper.make_node("Identity", ["3"], ["4"]),
        helper.make_node("GlobalAveragePool", ["4"], ["5"]),
        helper.make_node("Flatten", ["5"], ["6"]),
        helper.make_node("Gemm", ["6", "d", "e"], ["7"]),
        helper.make_node("Relu", ["7"], ["8"]),
        helper.make_node("Mul", ["8", "g"], ["9"]),
        helper.make_node("Add", ["9", "h"], ["10"]),
        helper.make_node("MatMul" if shift else "Gemm", ["10", "o"], ["y"], name="last"),
    ]
    return onnx_graph.simplified(graph(nodes, known), SHAPE)


@pytest.mark.parametrize("shift", [True, False])
def test_a_normalisation_becomes_a_convolution_of_its_own(*, shift: bool) -> None:
    model = normalised(shift=shift)
    found = channelwise.channelwise(model)
    kinds = [node.op_type for node in found.graph.node]
    assert "Mul" not in kinds
    assert kinds.count("Conv") == 3
    np.testing.assert_allclose(said(found), said(model), rtol=1e-4, atol=1e-4)


def test_a_net_without_such_normalisations_is_returned_as_it_is() -> None:
    model = net("plain")
    assert channelwise.channelwise(model) is model


def test_a_normalisation_whose_result_is_taken_twice_stays_exact() -> None:
    known = {"f": weights_of((1, CHANNELS, 1, 1), 2), "s": weights_of((1, CHANNELS, 1, 1), 3)}
    nodes = [
        helper.make_node("Relu", ["x"], ["1"]),
        helper.make_node("Mul", ["f", "1"], ["2"]),
        helper.make_node("Add", ["2", "s"], ["3"]),
        helper.make_node("Add", ["2", "3"], ["y"]),
    ]
    model = onnx_graph.simplified(graph(nodes, known), SHAPE)
    found = channelwise.channelwise(model)
    assert [node.op_type for node in found.graph.node] == ["Relu", "Conv", "Add", "Add"]
    np.testing.assert_allclose(said(found), said(model), rtol=1e-5, atol=1e-5)
