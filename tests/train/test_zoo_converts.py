"""Every net converts to TFLite, and the file computes what the net does: exactly in float32, closely in int8."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from fer_convert import formats
from fer_convert.pictures import pinned
from fer_convert.quantize.calibration import Calibration
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.runtimes import open_runtime
from fer_train import zoo
from fer_train.backend import hushed
from support.sources import source_of

N = 24


@dataclass(frozen=True)
class Small:
    """A net a few channels wide, on an input as small as it takes."""

    side: int
    arguments: dict[str, Any] = field(default_factory=dict)


SMALL = {
    "buffalo_cnn": Small(16),
    "buffalo_googlenet": Small(16, {"stem": 8}),
    "buffalo_newnet": Small(24, {"widths": [4, 6, 8, 8]}),
    "buffalo_resnet": Small(40, {"widths": [8, 8, 16], "blocks": 1}),
    "buffalo_roglenet": Small(8, {"dense": 16}),
    "buffalo_unet": Small(16, {"widths": [4, 6, 8, 8]}),
    "cmu_cnn5": Small(32),
    "fernet": Small(16, {"stem": [8], "widths": [8, 8]}),
    "porto_cnn8": Small(16, {"widths": [8, 8, 8, 8], "dropout": [0.1] * 4, "dense": 16}),
    "resnet18": Small(64, {"width": 4, "blocks": [1, 1, 1, 1]}),
    "tmu_resnet50": Small(32),
    "uaslp_cnn": Small(46, {"widths": [8, 8, 8, 8], "dense": [16, 16]}),
    "uaslp_dnn": Small(8, {"dense": [16, 16]}),
}
SAME_LAYERS = {"porto_resnet50", "resnet50_features"}
"""Their layers are those of tmu_resnet50."""


def spec_of(name: str) -> PreprocessSpec:
    return PreprocessSpec(color="rgb", size=SMALL[name].side, mean=(128 / 255,) * 3, std=(0.25,) * 3)


def build(name: str) -> Any:
    """The net; ResNet-50, which takes long to convert, goes from its first halved block straight to its head."""
    import keras  # noqa: PLC0415 - takes seconds

    model = zoo.build(name, spec_of(name).shape[1:], 7, SMALL[name].arguments)
    if name != "tmu_resnet50":
        return model
    x = model.get_layer("conv3_block1_out").output
    for layer in (model.get_layer("avg_pool"), keras.layers.Dense(128, activation="relu"), model.get_layer("dropout")):
        x = layer(x)
    return keras.Model(model.input, model.get_layer("logits")(x))


@cache
def converted(name: str, precision: Any) -> tuple[Any, Any]:
    """Logits of the file and of the net for the same pictures: float64 (N, 7)."""
    import keras  # noqa: PLC0415 - takes seconds

    keras.utils.set_random_seed(1)
    spec = spec_of(name)
    model = build(name)
    rng = np.random.default_rng(0)
    faces = (
        rng.integers(0, 256, (N, 4, 4, 3), dtype=np.uint8).repeat(spec.size // 4 + 1, 1).repeat(spec.size // 4 + 1, 2)
    )
    faces = np.ascontiguousarray(faces[:, : spec.size, : spec.size])
    model(Preprocess(spec).tensor(faces), training=True)  # statistics of these pictures, as after an epoch
    source = source_of(model, spec, faces, tuple("abcdefg"))
    files = formats.make(source, "tflite", precision, Calibration(Preprocess(spec).tensor(pinned(faces))))
    with hushed():
        runtime = open_runtime(list(files.values()), "tflite")
    preprocess = Preprocess(spec, runtime.input)
    theirs = np.concatenate([runtime.infer(preprocess.tensor(face[None]))[0] for face in faces]).astype(np.float64)
    output = runtime.outputs[0]
    if output.quantized:
        theirs = (theirs - output.zero_point) * output.scale
    return theirs, np.asarray(model(Preprocess(spec).tensor(faces), training=False), dtype=np.float64)


def test_every_architecture_is_converted_here() -> None:
    assert SMALL.keys() | SAME_LAYERS == zoo.ARCHITECTURES.keys()


@pytest.mark.parametrize("name", SMALL)
def test_a_float32_file_computes_what_the_net_does(keras_ready: None, name: str) -> None:
    theirs, ours = converted(name, "float32")
    assert ours.std() > 0
    np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-3 * np.abs(ours).max())


@pytest.mark.parametrize("name", SMALL)
def test_an_int8_file_follows_the_net(keras_ready: None, name: str) -> None:
    theirs, ours = converted(name, "int8")
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.95
