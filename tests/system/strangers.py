"""Nets as they come from elsewhere, trained on FER2013 for a while, each with a file for `fer-convert --about`.

    python tests/system/strangers.py mobile  --data fer2013 --out strangers     a MobileNetV3-like .keras file
    python tests/system/strangers.py legacy  --data fer2013 --out strangers     Keras 2's .hdf5, by tf_keras
    python tests/system/strangers.py torch   --data fer2013 --out strangers     .onnx, exported by torch

The first has hard-swish and squeeze-and-excitation, which eight bits suffer from; the second is the mini-Xception of
Arriaga et al. (2017), with separable convolutions and batch normalisation, as it lies about in many a repository; the
third has channels first. `fer-convert strangers/NET --about strangers/KIND.toml ...` does the rest.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert import about, frameworks
from fer_edge.labels import FER2013
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Array
from fer_train import data as datasets

BATCH = 64
MOBILE = (  # kernel, expanded, out, squeezed, activation, stride
    (3, 16, 16, True, "relu", 1),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hard_swish", 2),
    (5, 240, 40, True, "hard_swish", 1),
    (5, 120, 48, True, "hard_swish", 1),
)
"""The first blocks of MobileNetV3-Small (Howard et al. 2019, table 2)."""
ABOUT = {
    "mobile": 'color = "gray"\nsize = 48\nmean = [0.5]\nstd = [0.25]\n',
    "legacy": 'color = "gray"\nsize = 48\nmean = [0.5]\nstd = [0.5]\n',
    "torch": 'color = "gray"\nsize = 48\nmean = [0.5]\nstd = [0.5]\nlayout = "NCHW"\n',
}


def main() -> int:
    """Train and write one net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(ABOUT))
    parser.add_argument("--data", required=True, help="FER2013 as folders")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    told = arguments.out / f"{arguments.kind}.toml"
    told.write_text(f'labels = "fer2013"\n\n[preprocess]\n{ABOUT[arguments.kind]}', encoding="utf-8")
    faces = Faces(arguments.data, about.read(told).preprocess, arguments.epochs)
    {"mobile": mobile, "legacy": legacy, "torch": torch}[arguments.kind](faces, arguments.out)
    return 0


class Faces:
    """Pictures for training, half of them mirrored anew in every epoch, and a rate that falls along a cosine."""

    def __init__(self, where: str, spec: PreprocessSpec, epochs: int) -> None:
        """Read the train and the test split."""
        self._train, self._test = (datasets.load(where, FER2013, spec, split) for split in ("train", "test"))
        self._preprocess, self._epochs = Preprocess(spec), epochs

    def epochs(self) -> Iterator[tuple[Array, Array, float]]:
        """Per epoch tensors (N, ...) float32, targets (N,), and the rate as a share of the first."""
        rng = np.random.default_rng(0)
        for epoch in range(self._epochs):
            order, images = rng.permutation(len(self._train)), self._train.images.copy()
            turned = rng.random(len(images)) < 0.5
            images[turned] = images[turned, :, ::-1]
            share = 0.5 * (1.0 + math.cos(math.pi * epoch / self._epochs))
            yield self._preprocess.tensor(images[order]), self._train.targets[order], share

    def say(self, answer: Callable[[Array], Array]) -> None:
        """Print the top-1 of what `answer` gives, (N, 7), for the test pictures."""
        found = answer(self._preprocess.tensor(self._test.images)).argmax(axis=1)
        sys.stdout.write(f"test top-1 {np.mean(found == self._test.targets):.2%} of {len(found)}\n")
        sys.stdout.flush()


def fitted(net: Any, optimizer: Any, loss: Any, faces: Faces) -> None:
    """Train a net of Keras 3 or of tf_keras."""
    rate = float(optimizer.learning_rate.numpy())
    net.compile(optimizer, loss)
    for tensors, targets, share in faces.epochs():
        optimizer.learning_rate.assign(rate * share)
        net.fit(tensors, targets, batch_size=BATCH, epochs=1, verbose=0)
        faces.say(lambda test: np.asarray(net.predict(test, batch_size=256, verbose=0)))


def mobile(faces: Faces, out: Path) -> None:
    """MobileNetV3-like, logits out."""
    keras = frameworks.keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)

    def normalised(x: Any, activation: str) -> Any:
        x = layers.BatchNormalization(momentum=0.95)(x)
        return layers.Activation(activation)(x) if activation else x

    def squeezed(x: Any) -> Any:
        width = int(x.shape[-1])
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(width // 4, 1, activation="relu")(gate)
        return layers.Multiply()([x, layers.Conv2D(width, 1, activation="hard_sigmoid")(gate)])

    face = x = keras.Input((48, 48, 1))
    x = normalised(layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x), "hard_swish")
    for kernel, expanded, width, squeeze, activation, stride in MOBILE:
        before = x
        x = normalised(layers.Conv2D(expanded, 1, use_bias=False)(x), activation)
        x = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)(x)
        x = normalised(x, activation)
        x = squeezed(x) if squeeze else x
        x = normalised(layers.Conv2D(width, 1, use_bias=False)(x), "")
        x = layers.Add()([before, x]) if stride == 1 and before.shape[-1] == width else x
    x = normalised(layers.Conv2D(288, 1, use_bias=False)(x), "hard_swish")
    x = layers.Dense(256, activation="hard_swish")(layers.GlobalAveragePooling2D()(x))
    net = keras.Model(face, layers.Dense(7)(layers.Dropout(0.2)(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fitted(net, keras.optimizers.Adam(2e-3), loss, faces)
    net.save(out / "mobile.keras")


def legacy(faces: Faces, out: Path) -> None:
    """mini-Xception, probabilities out."""
    keras: Any = frameworks.tf_keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)

    def normalised(x: Any) -> Any:
        return layers.BatchNormalization(momentum=0.95)(x)

    face = x = layers.Input((48, 48, 1))
    for _ in range(2):
        x = layers.Activation("relu")(normalised(layers.Conv2D(8, 3, use_bias=False)(x)))
    for width in (16, 32, 64, 128):
        side = normalised(layers.Conv2D(width, 1, strides=2, padding="same", use_bias=False)(x))
        x = normalised(layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x))
        x = layers.Activation("relu")(x)
        x = normalised(layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x))
        x = layers.add([layers.MaxPooling2D(3, strides=2, padding="same")(x), side])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(7, 3, padding="same")(x))
    net = keras.Model(face, layers.Activation("softmax", name="predictions")(x))
    fitted(net, keras.optimizers.legacy.Adam(2e-3), "sparse_categorical_crossentropy", faces)
    net.save(out / "legacy.hdf5", save_format="h5")


def torch(faces: Faces, out: Path) -> None:
    """Six convolutions, logits out."""
    library: Any = importlib.import_module("torch")
    nn = library.nn

    library.manual_seed(1)
    parts: list[Any] = []
    for before, after in ((1, 32), (32, 64), (64, 128)):
        for first in (before, after):
            parts += [nn.Conv2d(first, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        parts.append(nn.MaxPool2d(2))
    net = nn.Sequential(*parts, nn.Flatten(), nn.Linear(128 * 36, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 7))
    optimizer, rate = library.optim.Adam(net.parameters(), 1e-3), 1e-3

    def answer(tensors: Array) -> Array:
        net.eval()
        with library.no_grad():
            parts = [net(library.from_numpy(tensors[i : i + 256])).numpy() for i in range(0, len(tensors), 256)]
        return np.concatenate(parts)

    for tensors, targets, share in faces.epochs():
        optimizer.param_groups[0]["lr"] = rate * share
        net.train()
        for i in range(0, len(tensors), BATCH):
            optimizer.zero_grad()
            said = net(library.from_numpy(tensors[i : i + BATCH]))
            nn.functional.cross_entropy(said, library.from_numpy(targets[i : i + BATCH])).backward()
            optimizer.step()
        faces.say(answer)
    net.eval()
    example = library.zeros(1, 1, 48, 48)
    library.onnx.export(net, (example,), str(out / "torch.onnx"), dynamo=False, input_names=["x"], output_names=["y"])


if __name__ == "__main__":
    sys.exit(main())
