"""Quantization-aware fine-tuning: a Keras net trained on for a little while it sees its own eight bits.

Weights of convolutions and dense layers are rounded on the way forward, with a step per output channel; what other
layers give is rounded with a step per tensor, whose range follows what is seen. Gradients pass the rounding as if it
were not there (Jacob et al. 2018). Batch normalisations keep their statistics: folded into the convolution before, they
scale whole output channels and so change nothing of a rounding that has a step for each. The float weights that come
out are quantized like any others, so that every format gains.

The target is what the net itself said in float, together with the labels: a little training on labels alone would
learn, and agreement with the source is what is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fer_convert import frameworks
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Array
from fer_train.backend import hushed
from fer_train.data import Dataset

EPOCHS = 2
BATCH = 64
RATE = 2e-5
LABELS_SHARE = 0.2
"""Of the loss; the rest is the divergence from the float net."""
FOLLOW = 0.99
"""Share of the old range that is kept at every step."""
BITS = 8
MOST_PICTURES = 20_000
SEED = 0


def finetuned(model: Any, spec: PreprocessSpec, data: Dataset, say: Callable[[str], None]) -> Any:  # noqa: ANN401
    """A copy of a Keras model with weights that stand eight bits better; its outputs must be logits.

    data: training pictures. Reproducible for the same pictures on the same machine.
    """
    keras = frameworks.keras()
    keras.utils.set_random_seed(SEED)
    few = data.stratified(min(MOST_PICTURES, len(data)), SEED)
    with hushed():
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        student = _with_rounding(copy)
    _compile(student, len(data.labels))
    say(f"fine-tuning with eight bits in sight: {EPOCHS} epochs of {len(few)} pictures")
    for epoch in range(EPOCHS):
        logs = student.fit(_Batches(model, few, Preprocess(spec), epoch), verbose=0, shuffle=False).history
        say(f"  epoch {epoch + 1} of {EPOCHS}: loss {logs['loss'][0]:.4f}")
    _hand_back(student, copy)
    return copy


def _with_rounding(model: Any) -> Any:  # noqa: ANN401 - Keras models
    """A twin whose layers round, with the model's weights."""
    keras = frameworks.keras()
    kinds = _rounding_layers()
    unrounded = {layer.name for layer in model.layers if _unrounded(layer)}

    def twin(layer: Any) -> Any:  # noqa: ANN401 - Keras layers
        made = kinds["layers"].get(type(layer), type(layer)).from_config(layer.get_config())
        if isinstance(layer, keras.layers.BatchNormalization):
            made.trainable = False
        return made

    def call(layer: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Keras tensors
        out = layer(*arguments, **named)
        return out if layer.name in unrounded else kinds["activation"]()(out)

    student = keras.models.clone_model(model, clone_function=twin, call_function=call)
    for layer in model.layers:
        student.get_layer(layer.name).set_weights(layer.get_weights())
    return student


def _unrounded(layer: Any) -> bool:  # noqa: ANN401 - a Keras layer
    """Whether a layer's output is not stored in eight bits: it moves values only, or melts with the layer after it."""
    layers = frameworks.keras().layers
    if isinstance(layer, (layers.InputLayer, layers.Dropout, layers.Flatten, layers.Reshape)):
        return True
    takers = [node.operation for node in layer._outbound_nodes]  # noqa: SLF001 - Keras has no other word for it
    return bool(takers) and all(
        isinstance(taker, (layers.BatchNormalization, layers.ReLU))
        or (isinstance(taker, layers.Activation) and taker.get_config()["activation"] == "relu")
        for taker in takers
    )


def _hand_back(student: Any, model: Any) -> None:  # noqa: ANN401 - Keras models
    for layer in model.layers:
        layer.set_weights(student.get_layer(layer.name).get_weights())


def _compile(student: Any, classes: int) -> None:  # noqa: ANN401 - a Keras model
    keras = frameworks.keras()
    ops = keras.ops

    def loss(y_true: Any, logits: Any) -> Any:  # noqa: ANN401 - tensors
        labels, teacher = y_true[:, :classes], y_true[:, classes:]
        log_p = ops.log_softmax(logits, axis=-1)
        hard = -ops.sum(labels * log_p, axis=-1)
        soft = ops.sum(teacher * (ops.log(teacher + 1e-9) - log_p), axis=-1)
        return LABELS_SHARE * hard + (1.0 - LABELS_SHARE) * soft

    student.compile(optimizer=keras.optimizers.Adam(RATE), loss=loss)


def _Batches(teacher: Any, data: Dataset, preprocess: Preprocess, epoch: int) -> Any:  # noqa: ANN401, N802 - makes a class
    """Pictures, every second one mirrored, with labels and what the float net says, as Keras takes them."""
    keras = frameworks.keras()
    order = np.random.default_rng((SEED, epoch)).permutation(len(data))
    hot = np.eye(len(data.labels), dtype=np.float32)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return math.ceil(len(order) / BATCH)

        def __getitem__(self, index: int) -> tuple[Array, Array]:
            rows = order[index * BATCH : (index + 1) * BATCH]
            pictures = np.array(data.images[rows])
            mirrored = np.random.default_rng((SEED, epoch, index)).random(len(rows)) < 0.5
            pictures[mirrored] = pictures[mirrored][:, :, ::-1]
            tensor = preprocess.tensor(pictures)
            said = np.asarray(keras.ops.softmax(teacher(tensor, training=False), axis=-1))
            return tensor, np.concatenate([hot[data.targets[rows]], said], axis=1)

    return Batches()


def _rounding_layers() -> dict[str, Any]:
    """Classes that need TensorFlow to be made: by kind of layer its rounding twin, and the rounding of activations."""
    keras, tf = frameworks.keras(), frameworks.tensorflow()
    layers = keras.layers
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel

    def kernel(weights: Any) -> Any:  # noqa: ANN401 - a tensor, output channels last
        reach = tf.reduce_max(tf.abs(weights), axis=list(range(len(weights.shape) - 1))) + 1e-9
        return rounded(weights, -reach, reach, num_bits=BITS, narrow_range=True)

    class Convolution(layers.Conv2D):  # type: ignore[misc, name-defined]
        def convolution_op(self, inputs: Any, weights: Any) -> Any:  # noqa: ANN401 - tensors
            return super().convolution_op(inputs, kernel(weights))

    class Dense(layers.Dense):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any, training: Any = None) -> Any:  # noqa: ANN401, ARG002 - tensors
            out = tf.matmul(inputs, kernel(self.kernel))
            out = out if self.bias is None else out + self.bias
            return out if self.activation is None else self.activation(out)

    class Activation(layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, input_shape: Any) -> None:  # noqa: ANN401, ARG002 - a shape
            self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
            self.high = self.add_weight(shape=(), initializer="zeros", trainable=False, name="high")

        def call(self, inputs: Any, training: Any = None) -> Any:  # noqa: ANN401 - tensors
            if training:
                for kept, seen in ((self.low, tf.reduce_min(inputs)), (self.high, tf.reduce_max(inputs))):
                    seen = tf.stop_gradient(tf.cast(seen, tf.float32))  # noqa: PLW2901 - the same, without a slope
                    kept.assign(tf.where(kept == 0.0, seen, FOLLOW * kept + (1.0 - FOLLOW) * seen))
            low, high = tf.minimum(self.low.value, 0.0), tf.maximum(self.high.value, 1e-6)
            return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, num_bits=BITS)

    return {"layers": {layers.Conv2D: Convolution, layers.Dense: Dense}, "activation": Activation}
