"""Batch normalisation by PyTorch's own kernel: Keras makes it of many operations there."""

from __future__ import annotations

from types import MethodType
from typing import Any

import keras

from fer_train.learning.network import every_layer


def fuse(model: keras.Model) -> None:
    """Let the batch normalisations of a network that trains under PyTorch be computed by one kernel each.

    What they compute stays the same to rounding, but for the running variance, which PyTorch estimates without bias
    (n / (n - 1)). Nothing changes under another backend, nor in what is saved.
    """
    if keras.backend.backend() != "torch":
        return
    for layer in every_layer(model):
        if type(layer) is keras.layers.BatchNormalization and layer.trainable and layer.scale and layer.center:
            object.__setattr__(layer, "call", MethodType(_normalised, layer))


def _normalised(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: ANN401 - Keras' signature
    import torch  # noqa: PLC0415 - of this backend alone

    if inputs.device.type == "meta" or mask is not None:  # shapes are being asked for, or some of it does not count
        return type(layer).call(layer, inputs, training=training, mask=mask)
    axis = layer.axis % inputs.ndim
    normalised = torch.nn.functional.batch_norm(
        inputs.movedim(axis, 1),
        layer.moving_mean.value,
        layer.moving_variance.value,
        layer.gamma.value,
        layer.beta.value,
        training=bool(training),
        momentum=1.0 - layer.momentum,
        eps=layer.epsilon,
    )
    return normalised.movedim(1, axis)
