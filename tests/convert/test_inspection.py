"""What would be slow on a device is told beside the figures."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import helper

from convert.test_graph import CHANNELS, graph, weights
from fer_convert import frameworks, inspection
from fer_convert.formats import tflite
from fer_convert.graph import onnx_graph

SHAPE = (1, 8, 8, CHANNELS)
KERNEL = weights(3, 3, CHANNELS, CHANNELS)


def file(between: Any) -> bytes:
    """A .tflite file of two convolutions with something between them."""
    tf = frameworks.tensorflow()

    def net(face: Any) -> Any:
        return tf.nn.conv2d(between(tf.nn.conv2d(face, KERNEL, 1, "SAME")), KERNEL, 1, "SAME")

    return tflite.converted(net, SHAPE)


def test_of_a_plain_net_there_is_nothing_to_say() -> None:
    tf = frameworks.tensorflow()
    assert inspection.notes("tflite", {"tflite": file(tf.nn.relu)}) == ()


def test_an_operator_that_xnnpack_lacks_is_named() -> None:
    tf = frameworks.tensorflow()
    (note,) = inspection.notes("tflite", {"tflite": file(lambda x: tf.cumsum(x, axis=1))})
    assert note == "XNNPACK runs it in 2 pieces, with CUMSUM among its operators; between pieces data moves"


@pytest.mark.parametrize(("count", "told"), [(1, 0), (3, 1)])
def test_stray_transpositions_are_counted(count: int, told: int) -> None:
    nodes, name = [], "x"
    for i in range(count):
        nodes.append(helper.make_node("Transpose", [name], [f"t{i}"], perm=[0, 2, 3, 1]))
        nodes.append(helper.make_node("Relu", [f"t{i}"], [f"r{i}"]))
        name = f"r{i}"
    nodes[-1].output[0] = "y"
    found = inspection.notes("onnx", {"onnx": onnx_graph.serialized(graph(nodes, {}))})
    assert [note.startswith(f"it has {count} transpositions") for note in found] == [True] * told
