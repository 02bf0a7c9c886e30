"""The open batch: a graph that was fixed to one face takes any number of them.

Shapes that say 1 for the batch are said again as "as it comes": ONNX writes 0 for a side that is copied. Whether a
graph allows that is not guessed: it is run on several faces at once, which must get what each gets alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.graph.onnx_graph import GraphRefused, attributes, constants, serialized
from fer_edge.errors import first_line
from fer_edge.runtimes.ort import OPEN_BATCH
from fer_edge.types import Array
from fer_train.backend import hushed

SEVERAL = 3
TOLERANCE = 1e-4
"""Of the outputs' spread: other sums in another order."""


def opened(model: Any, tensors: Array) -> Any:  # noqa: ANN401 - an onnx.ModelProto
    """A copy of a graph with an open batch.

    tensors: two faces or more as the graph takes them, float32. Raises GraphRefused where it is tied to one face.
    """
    onnx = frameworks.onnx()
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = OPEN_BATCH
    _reshapes(copy, onnx)
    del copy.graph.value_info[:]
    try:
        copy = onnx.shape_inference.infer_shapes(copy)
    except Exception as error:  # noqa: BLE001 - its own classes derive from Exception alone
        raise _tied(first_line(error)) from None
    _prove(model, copy, tensors[:SEVERAL])
    return copy


def _reshapes(model: Any, onnx: Any) -> None:  # noqa: ANN401 - an onnx.ModelProto and its module
    """Give every Reshape to (1, ...) its own shape, (0, ...)."""
    known = constants(model)
    for i, node in enumerate(model.graph.node):
        if node.op_type != "Reshape" or node.input[0] in known:
            continue
        wanted = known.get(node.input[1])
        if wanted is None or wanted.size == 0 or wanted[0] != 1 or attributes(node).get("allowzero"):
            continue
        name = f"open_shape_{i}"
        shape = np.concatenate([np.zeros(1, dtype=np.int64), wanted[1:].astype(np.int64)])
        model.graph.initializer.append(onnx.numpy_helper.from_array(shape, name))
        node.input[1] = name


def _prove(fixed: Any, free: Any, tensors: Array) -> None:  # noqa: ANN401 - onnx.ModelProto
    """Several faces at once get what each gets alone."""
    rows = np.concatenate([_run(fixed, tensors[i : i + 1]) for i in range(len(tensors))])
    try:
        together = _run(free, tensors)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's own classes derive from Exception alone
        raise _tied(first_line(error)) from None
    if together.shape != rows.shape or np.abs(together - rows).max() > TOLERANCE * max(float(np.ptp(rows)), 1.0):
        raise _tied(f"{len(tensors)} faces at once do not get what each gets alone")


def _run(model: Any, tensor: Array) -> Array:  # noqa: ANN401 - an onnx.ModelProto
    """Outputs of ONNX Runtime without the device's adapter, which closes the batch again."""
    import onnxruntime  # noqa: PLC0415 - heavy

    with hushed():
        session = onnxruntime.InferenceSession(serialized(model), providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {session.get_inputs()[0].name: tensor})[0])


def _tied(why: str) -> GraphRefused:
    return GraphRefused(f"the model is tied to one face at a time, so its batch cannot be open: {why}")
