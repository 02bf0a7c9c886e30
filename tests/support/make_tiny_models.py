"""Makes the models under `tests/support/models`: run it in the full environment, commit what it writes.

    PYTHONPATH=tests python -m support.make_tiny_models

The network is the smallest of the kind that ships (convolution, batch norm, ReLU, global average, dense), trained for
some seconds on the drawings of `shapes.py`. Needs TensorFlow, ONNX and ONNX Runtime; the tests that use it do not.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from fer_edge.labels import FER2013
from fer_edge.preprocess import Preprocess
from support.shapes import shape
from support.tiny import MODELS, SPEC

FILTERS = (6, 12, 12)
PER_LABEL = 150
EPOCHS = 30
MAX_FILE_BYTES = 20_000
OPSET = 17
IR_VERSION = 8
CALIBRATION_SEEDS = range(1000, 1020)


def pictures(seeds: range) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Every label once per seed: float32 (N, 48, 48, 1) as the models take it, and the labels' indices."""
    crops = [shape(label, seed) for seed in seeds for label in FER2013]
    targets = np.tile(np.arange(len(FER2013)), len(seeds))
    return Preprocess(SPEC).tensor(crops).astype(np.float32), targets


def network() -> Any:
    """Float32 (N, 48, 48, 1) to seven logits."""
    x = inputs = keras.Input((48, 48, 1), name="face")
    for filters in FILTERS:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(len(FER2013), name="logits")(x))


def train() -> Any:
    """A trained network; says how well it does on drawings it has not seen."""
    keras.utils.set_random_seed(7)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    tensors, targets = pictures(range(PER_LABEL))
    model.fit(tensors, targets, batch_size=64, epochs=EPOCHS, verbose=0)
    print("accuracy on unseen drawings", model.evaluate(*pictures(range(5000, 5050)), verbose=0)[1])
    return model


def tflite(model: Any, *, int8: bool) -> bytes:
    """Float32, or full int8 with per-channel weights and int8 at both ends."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        tensors, _ = pictures(CALIBRATION_SEEDS)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[np.newaxis]] for row in tensors)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def onnx_model(model: Any) -> onnx.ModelProto:
    """The same network with batch norm folded; takes NHWC like the TFLite files."""
    nodes = [helper.make_node("Transpose", ["face"], ["x0"], perm=[0, 3, 1, 2])]
    weights = []
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for i, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
        gamma, beta, mean, variance = (np.asarray(value) for value in norm.get_weights())
        factor = gamma / np.sqrt(variance + norm.epsilon)
        kernel = np.asarray(convolution.get_weights()[0]).transpose(3, 2, 0, 1) * factor[:, None, None, None]
        bias = beta - mean * factor
        weights += [numpy_helper.from_array(kernel.astype(np.float32), f"k{i}")]
        weights += [numpy_helper.from_array(bias.astype(np.float32), f"b{i}")]
        # TensorFlow's "same" with an even size and stride 2 pads only right and below.
        nodes.append(
            helper.make_node("Conv", [f"x{i}", f"k{i}", f"b{i}"], [f"y{i}"], strides=[2, 2], pads=[0, 0, 1, 1])
        )
        nodes.append(helper.make_node("Relu", [f"y{i}"], [f"x{i + 1}"]))
    kernel, bias = (np.asarray(value, dtype=np.float32) for value in model.get_layer("logits").get_weights())
    weights += [numpy_helper.from_array(kernel, "dense"), numpy_helper.from_array(bias, "offset")]
    nodes.append(helper.make_node("GlobalAveragePool", [f"x{len(norms)}"], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "dense", "offset"], ["logits"]))
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 48, 48, 1])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(FER2013)])
    graph = helper.make_graph(nodes, "tiny", [face], [logits], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made)
    return made


class Drawings(CalibrationDataReader):  # type: ignore[misc]
    """Hands the calibration drawings to ONNX Runtime one by one."""

    def __init__(self) -> None:
        self._rows = iter(pictures(CALIBRATION_SEEDS)[0])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next picture as a batch of one, or None."""
        row = next(self._rows, None)
        return None if row is None else {"face": row[np.newaxis]}


def main() -> None:
    """Train, convert, write, and refuse a file that is too large to commit."""
    MODELS.mkdir(exist_ok=True)
    model = train()
    (MODELS / "tiny-float32.tflite").write_bytes(tflite(model, int8=False))
    (MODELS / "tiny-int8.tflite").write_bytes(tflite(model, int8=True))
    onnx.save(onnx_model(model), MODELS / "tiny-float32.onnx")
    quantize_static(
        MODELS / "tiny-float32.onnx",
        MODELS / "tiny-int8.onnx",
        Drawings(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    for path in sorted(MODELS.iterdir()):
        size = path.stat().st_size
        print(path.name, size, "bytes")
        if size > MAX_FILE_BYTES:
            raise SystemExit(f"{path.name} has {size} bytes, more than {MAX_FILE_BYTES}")


if __name__ == "__main__":
    main()
