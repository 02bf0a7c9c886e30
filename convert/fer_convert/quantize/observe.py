"""What flows through a float model, tensor by tensor: an ONNX graph in ONNX Runtime, or a .tflite file in LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_convert.progress import Counted, Say, silent
from fer_edge.types import Array
from fer_train.backend import hushed

Observed = Callable[[], Iterable[dict[str, Array]]]


def of_graph(model: Any, tensors: Array, say: Say = silent) -> Observed:  # noqa: ANN401 - an onnx.ModelProto
    """All float activations of a graph, picture by picture; tensors: float32 (N, ...) as the input takes them."""
    onnx = frameworks.onnx()
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    known = {value.name for value in opened.graph.output}
    made = [name for node in opened.graph.node for name in node.output if name and name not in known]
    opened.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in made)
    session = session_of(opened)
    name = session.get_inputs()[0].name
    names = [value.name for value in session.get_outputs()]

    def run() -> Iterator[dict[str, Array]]:
        for picture in singly(tensors, say):
            values = dict(zip(names, session.run(names, {name: picture}), strict=True))
            yield {name: picture, **{key: value for key, value in values.items() if _is_float(value)}}

    return run


def session_of(model: Any) -> Any:  # noqa: ANN401 - an onnx.ModelProto; an InferenceSession
    """A graph run as it stands, node by node: nothing is fused, so that every quantization is exactly its own words."""
    import onnxruntime  # noqa: PLC0415 - heavy

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def of_tflite(data: bytes, tensors: Array, say: Say = silent) -> Observed:
    """All float activations of a .tflite file, picture by picture."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: PLC0415 - optional

    with hushed():
        interpreter = Interpreter(
            model_content=data,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    produced = [entry, *(int(i) for op in interpreter._get_ops_details() for i in op["outputs"])]  # noqa: SLF001 - its only list
    details = {int(each["index"]): each for each in interpreter.get_tensor_details()}
    wanted = {i: str(details[i]["name"]) for i in produced if details[i]["dtype"] == np.float32}

    def run() -> Iterator[dict[str, Array]]:
        for picture in singly(tensors, say):
            interpreter.set_tensor(entry, picture)
            interpreter.invoke()
            yield {name: interpreter.get_tensor(index) for index, name in wanted.items()}

    return run


def singly(tensors: Array, say: Say) -> Counted[Array]:
    """Pictures (1, ...), telling how many were looked at."""
    return Counted([tensors[i : i + 1] for i in range(len(tensors))], say, "calibration faces looked at")


def _is_float(value: Any) -> bool:  # noqa: ANN401 - whatever a node gives
    return isinstance(value, np.ndarray) and value.dtype == np.float32 and value.size > 0
