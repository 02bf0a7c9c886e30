"""Files with an open batch: any number of faces at once, and one at a time on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

from convert.test_graph import CHANNELS, graph, ints, weights
from fer_convert import cli
from fer_convert.formats import tflite
from fer_convert.frameworks import tensorflow
from fer_convert.graph import batch, onnx_graph, to_tensorflow
from fer_edge.bundle import Bundle
from fer_edge.classifier import open_classifier
from fer_edge.runtimes import ov
from fer_edge.types import Array
from fer_train.backend import hushed

FACES = 3
SIZE = 9
FOLDED = [
    helper.make_node("Conv", ["x", "w"], ["maps"]),
    helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
    helper.make_node("Reshape", ["means", "flat"], ["squeezed"]),
    helper.make_node("Gemm", ["squeezed", "gate"], ["gates"]),
    helper.make_node("Reshape", ["gates", "spread"], ["excited"]),
    helper.make_node("Mul", ["maps", "excited"], ["gated"]),
    helper.make_node("Reshape", ["gated", "all"], ["features"]),
    helper.make_node("Gemm", ["features", "head"], ["y"]),
]
"""Squeeze and excitation and a dense layer: three shapes that say how many faces there are."""
CONSTANTS = {
    "w": weights(6, CHANNELS, 3, 3),
    "flat": ints(1, -1),
    "gate": weights(6, 6),
    "spread": ints(1, 6, 1, 1),
    "all": ints(1, 6 * 49),
    "head": weights(6 * 49, 7),
}


def several(*shape: int) -> Array:
    return weights(FACES, *shape)


def onnx_answers(model: bytes, tensor: Array) -> Array:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: tensor})[0])


def tflite_answers(model: bytes, tensor: Array) -> Array:
    with hushed():
        interpreter = Interpreter(model_content=model)
        takes, gives = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.resize_tensor_input(takes["index"], tensor.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(takes["index"], tensor)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(gives["index"]))


def openvino_answers(xml: bytes, weights_: bytes, tensor: Array) -> Array:
    core = ov.library().Core()
    compiled = core.compile_model(core.read_model(model=xml, weights=weights_), "CPU")
    return np.asarray(compiled(tensor)[0])


def test_shapes_that_say_one_face_are_said_again_in_onnx_and_in_tflite() -> None:
    fixed, faces = graph(FOLDED, CONSTANTS), several(CHANNELS, SIZE, SIZE)
    alone = np.concatenate([onnx_answers(fixed.SerializeToString(), faces[i : i + 1]) for i in range(FACES)])
    free = batch.opened(fixed, faces)
    assert onnx_answers(onnx_graph.serialized(free), faces) == pytest.approx(alone, rel=1e-4, abs=2e-3)
    data = tflite.converted(to_tensorflow.function(free, tensorflow()), (None, CHANNELS, SIZE, SIZE))
    assert tflite_answers(data, faces) == pytest.approx(alone, rel=1e-4, abs=2e-3)


def test_a_graph_that_mixes_faces_stays_closed() -> None:
    mixing = [helper.make_node("Conv", ["x", "w"], ["maps"]), helper.make_node("ReduceMean", ["maps", "axes"], ["y"])]
    fixed = graph(mixing, {"w": weights(6, CHANNELS, 3, 3), "axes": ints(0, 2, 3)}, opset=18)
    with pytest.raises(onnx_graph.GraphRefused, match="one face at a time"):
        batch.opened(fixed, several(CHANNELS, SIZE, SIZE))


@pytest.fixture(scope="module")
def free(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a conversion that asked for it."""
    out = tmp_path_factory.mktemp("open") / "tiny"
    assert cli.main([str(run), "--out", str(out), "--calibrate", str(data), "--batch", "dynamic"]) == 0
    return out


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("format_", ["tflite", "onnx", "openvino"])
def test_every_artifact_takes_several_faces_and_serves_the_device_as_it_is(
    free: Path, format_: str, precision: str
) -> None:
    classifier = open_classifier(Bundle.open(free), format_=format_, precision=precision)
    assert classifier.runtime.input.shape == (1, 48, 48, 1)
    faces = classifier.preprocess.tensor(np.random.default_rng(0).integers(0, 256, (FACES, 48, 48), dtype=np.uint8))
    alone = np.concatenate([classifier.runtime.infer(faces[i : i + 1])[0] for i in range(FACES)])
    parts = [file.name for file in classifier.artifact.files]
    files = [(free / name).read_bytes() for name in parts]
    ways: dict[str, Any] = {"tflite": tflite_answers, "onnx": onnx_answers, "openvino": openvino_answers}
    together = ways[format_](*files, faces)
    assert together.shape == (FACES, 7)
    step = 1 if alone.dtype == np.int8 else 1e-4 * float(np.ptp(alone)) if precision == "float32" else 0.05
    assert np.abs(together.astype(float) - alone.astype(float)).max() <= step
