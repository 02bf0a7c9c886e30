"""A net on the emulated board: some inferences on one thread, between marks.

python count_net.py RUNTIME MODEL
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from arm64.marks import NET, OUTSIDE, mark, mark_nothing

WARM, TIMES = 3, 5
"""The first inferences also allocate."""
KINDS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int8)": "int8", "tensor(uint8)": "uint8"}
"""ONNX Runtime's names."""


def litert(path: str) -> Callable[[], Any]:
    """An inference by LiteRT; what it reads and writes is not copied."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - only what is asked for

    ready = Interpreter(model_path=path, num_threads=1)
    ready.allocate_tensors()
    for each in ready.get_input_details():
        ready.set_tensor(each["index"], noise(each["shape"], each["dtype"]))
    infer: Callable[[], Any] = ready.invoke
    return infer


def onnxruntime(path: str) -> Callable[[], Any]:
    """An inference by ONNX Runtime."""
    import onnxruntime as ort  # noqa: PLC0415 - only what is asked for

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    ready = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    tensors = {each.name: noise(each.shape, KINDS[each.type]) for each in ready.get_inputs()}
    return lambda: ready.run(None, tensors)


def openvino(path: str) -> Callable[[], Any]:
    """An inference of an IR by OpenVINO as the device package sets it up."""
    from fer_edge.runtimes.ov import open_model  # noqa: PLC0415 - only what is asked for

    ready = open_model([Path(path).read_bytes(), Path(path).with_suffix(".bin").read_bytes()], "openvino", 1)
    tensor = noise(ready.input.shape, np.dtype(ready.input.dtype))
    return lambda: ready.infer(tensor)


def noise(shape: Iterable[Any], kind: Any) -> Any:
    """The same each time; a size that is left open is 1."""
    sizes = [max(1, int(size)) if isinstance(size, (int, np.integer)) else 1 for size in shape]
    values = np.random.default_rng(0).random(sizes)
    return (values * 100).astype(kind) if np.issubdtype(kind, np.integer) else values.astype(kind)


def main() -> int:
    """Infer."""
    runtime, path = sys.argv[1:]
    infer = {"litert": litert, "onnxruntime": onnxruntime, "openvino": openvino}[runtime](path)
    for _ in range(WARM):
        infer()
    mark_nothing()
    for _ in range(TIMES):
        mark(NET)
        infer()
        mark(OUTSIDE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
