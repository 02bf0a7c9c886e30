"""Foreign nets of a few kilobytes, for the pages that convert and measure such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LABELS = ("angry", "happy", "neutral")
SIDE_PX, CELL_PX = 64, 4


def openvino(source: Path, target: Path) -> None:
    """An ONNX file as OpenVINO's two."""
    import openvino as ov  # noqa: PLC0415 - heavy

    ov.save_model(ov.convert_model(str(source)), str(target), compress_to_fp16=False)


def colour(faces: Path, target: Path) -> None:
    """A net of RGB pictures, channels first, 0 to 1: means of cells, and a linear layer found by least squares."""
    pictures, told = [], []
    for index, label in enumerate(LABELS):
        for path in sorted((faces / label).glob("*.png")):
            pictures.append(cv2.resize(np.asarray(cv2.imread(str(path))), (SIDE_PX, SIDE_PX)) / 255.0)
            told.append(index)
    cells = SIDE_PX // CELL_PX
    means = np.stack(pictures)[..., ::-1].reshape(-1, cells, CELL_PX, cells, CELL_PX, 3).mean((2, 4))
    features = means.transpose(0, 3, 1, 2).reshape(len(told), -1) - 0.5
    ridge = features.T @ features + np.eye(features.shape[1])
    weights = np.linalg.solve(ridge, features.T @ (np.eye(len(LABELS))[told] * 8.0 - 4.0))
    _write(weights.astype(np.float32), target)


def _write(weights: NDArray[np.float32], target: Path) -> None:
    import onnx  # noqa: PLC0415 - heavy

    helper: Any = onnx.helper
    kind = onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["y"]),
    ]
    values = {"w": weights, "b": -0.5 * weights.sum(axis=0)}
    held = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    sides = helper.make_tensor_value_info("x", kind, [1, 3, SIDE_PX, SIDE_PX])
    answer = helper.make_tensor_value_info("y", kind, [1, len(LABELS)])
    graph = helper.make_graph(nodes, "net", [sides], [answer], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(target))
