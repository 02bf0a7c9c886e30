"""YuNet in every runtime that takes its file, in float and in eight bits: CPU time by turns, and the faces it finds.

    python tests/system/yunet_runtimes.py yunet_2026may.onnx --calibrate faces.gif --judge clip.mp4

Eight bits are made by ONNX Runtime's own static quantization, with ranges from the first clip's frames; found and
besides: of the faces that ONNX Runtime finds in float (score 0.8) in the second clip's frames, in its pixels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from fer_edge.detectors.yunet import decode, suppress
from fer_edge.types import Box

SIZES = ((224, 352), (96, 96), (96, 288))
"""Height and width of a full search and of one and three close-ups, pixels."""
TURNS = 80
EVERY = 6
"""Of the frames of a clip."""
SURE = 0.8
SAME_IOU = 0.5
OPSET = 17
ORDER = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]

Net = Callable[[Any], list[Any]]


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--calibrate", required=True, metavar="CLIP")
    parser.add_argument("--judge", required=True, metavar="CLIP")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "int8.onnx")
        quantize(arguments.weights, small, arguments.calibrate)
        nets = {
            "onnxruntime float32": by_onnxruntime(arguments.weights),
            "onnxruntime int8": by_onnxruntime(small),
            "openvino float32": by_openvino(arguments.weights),
            "openvino int8": by_openvino(small),
            "opencv float32": by_opencv(arguments.weights),
        }
    times = {size: timed(nets, size) for size in SIZES}
    judged = list(frames(arguments.judge))
    wanted = [faces(nets["onnxruntime float32"], frame, SURE) for frame in judged]
    names = [f"{width} x {height}" for height, width in SIZES]
    print(f"{'CPU time, median':22}", *(f"{name:>10}" for name in names), f"{'found':>8}", f"{'besides':>8}")
    for name, net in nets.items():
        found, besides = compared(wanted, [faces(net, frame, SURE) for frame in judged])
        ratios = (times[size][name] / times[size]["onnxruntime float32"] for size in SIZES)
        print(f"{name:22}", *(f"{ratio:10.2f}" for ratio in ratios), f"{found:8.1%}", f"{besides:8d}")
    return 0


def frames(clip: str) -> Iterator[Any]:
    """Every sixth, its longer side 352 px, as the net takes it: (1, 3, H, W) float32, sides multiples of 32."""
    capture = cv2.VideoCapture(clip)
    number = 0
    while (read := capture.read())[0]:
        if number % EVERY == 0:
            scale = SIZES[0][1] / max(read[1].shape[:2])
            small = cv2.resize(read[1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            height, width = (-(-side // 32) * 32 for side in small.shape[:2])
            blob = np.zeros((1, 3, height, width), dtype=np.float32)
            blob[0, :, : small.shape[0], : small.shape[1]] = small.transpose(2, 0, 1)
            yield blob
        number += 1


def quantize(weights: Path, out: Path, clip: str) -> None:
    """Signed weights with a step per channel, unsigned activations, the nodes that say so around every layer."""

    class Frames(quantization.CalibrationDataReader):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            self._left = frames(clip)

        def get_next(self) -> dict[str, Any] | None:
            frame = next(self._left, None)
            return None if frame is None else {"input": frame}

    newer, prepared = out.with_name("newer.onnx"), out.with_name("prepared.onnx")
    onnx.save(onnx.version_converter.convert_version(onnx.load(weights), OPSET), newer)
    quant_pre_process(str(newer), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(prepared),
        str(out),
        Frames(),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv", "MaxPool", "Relu", "Add", "Resize"],
    )


def by_onnxruntime(file: Path) -> Net:
    """One thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda blob: list(session.run(ORDER, {"input": blob}))


def by_openvino(file: Path) -> Net:
    """One thread, one stream."""
    hints = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(str(file), "CPU", hints).create_infer_request()

    def run(blob: Any) -> list[Any]:
        found = request.infer([blob], share_inputs=True)
        return [found[name] for name in ORDER]

    return run


def by_opencv(file: Path) -> Net:
    """The net alone, without `FaceDetectorYN` around it; one for each size, for another size is slow to come to."""
    nets: dict[tuple[int, ...], Any] = {}

    def run(blob: Any) -> list[Any]:
        net = nets.setdefault(blob.shape, None) or cv2.dnn.readNetFromONNX(str(file))
        nets[blob.shape] = net
        net.setInput(blob)
        return list(net.forward(ORDER))

    return run


def timed(nets: dict[str, Net], size: tuple[int, int]) -> dict[str, float]:
    """Median CPU seconds of each, by turns, on noise."""
    blob = np.random.default_rng(1).uniform(0, 255, (1, 3, *size)).astype(np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    for _ in range(TURNS):
        for name, net in nets.items():
            begun = time.process_time()
            net(blob)
            seconds[name].append(time.process_time() - begun)
    return {name: float(np.median(spent[TURNS // 8 :])) for name, spent in seconds.items()}


def faces(net: Net, blob: Any, least: float) -> Any:
    """(N, 15) rows of faces that are sure enough."""
    rows = suppress(decode([np.asarray(values) for values in net(blob)], blob.shape[3]))
    return rows[rows[:, 14] >= least]


def compared(wanted: list[Any], given: list[Any]) -> tuple[float, int]:
    """The share of the wanted faces that are among the given ones, and how many more are given."""
    pairs = [(face, others) for some, others in zip(wanted, given, strict=True) for face in some]
    met = sum(any(_box(face).iou(_box(other)) >= SAME_IOU for other in others) for face, others in pairs)
    return met / max(1, len(pairs)), sum(map(len, given)) - met


def _box(row: Any) -> Box:
    return Box(*row[:4].tolist())


if __name__ == "__main__":
    sys.exit(main())
