"""Which layers stay as they are while the others are trained.

Layers are counted as in the names of nets: convolutions and dense layers, along the longest way from the input. A layer
lies as deep as there are such layers on that way up to it, itself included; branches side by side lie equally deep. So
the projection on a block's skip is not counted: it is as deep as the block's first convolution and freezes with it.

ResNet-50 has its stem at 1 and the three convolutions of its sixteen blocks at 2 to 49; the dense layer it is published
with is its fiftieth. "The first 40 of 50" are thus the stem and the stages conv2, conv3 and conv4 to the last block,
and what is trained is the stage conv5 and the head.
"""

from __future__ import annotations

import keras

from fer_edge.errors import UsageError
from fer_train.recipe import Model
from fer_train.zoo import cost, resnet

TRUNK = -1


def freeze(model: keras.Model, wanted: Model) -> int:
    """Exclude from training what `wanted.frozen` says; returns how many convolutions and dense layers that is.

    The number counts projections too. Batch normalisations up to the same depth keep their statistics: a layer that is
    not trained runs in inference mode. Raises UsageError when nothing would be left to train, and for -1 on a net
    without a known trunk. The same model and number always give the same layers.
    """
    if not wanted.frozen:
        return 0
    depth = depths(model)
    limit = _trunk_depth(model, depth) if wanted.frozen == TRUNK else wanted.frozen
    deepest = max(depth.values())
    if limit >= deepest and model.layers[-1].name != resnet.FEATURES:
        raise UsageError(
            f"model.frozen is {wanted.frozen}, but {model.name} is {deepest} layers deep and the last one has to be "
            "trained"
        )
    frozen = [layer for layer in model.layers if depth[layer.name] <= limit and layer.weights]
    for layer in frozen:
        layer.trainable = False
    return sum(map(cost.weighted, frozen))


def depths(model: keras.Model) -> dict[str, int]:
    """For every layer by name: how many convolutions and dense layers lie on the longest way up to it, with itself."""
    at: dict[int, int] = {}
    found = {}
    for layer in model.layers:  # those that feed a layer come before it
        inputs = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
        before = max((at.get(id(tensor), 0) for tensor in inputs), default=0)
        found[layer.name] = at[id(layer.output)] = before + cost.weighted(layer)
    return found


def _trunk_depth(model: keras.Model, depth: dict[str, int]) -> int:
    end = resnet.trunk_end(model)
    if end is None:
        raise UsageError(
            f"model.frozen = -1 keeps a trunk that is published with weights, and {model.name} has none: "
            "give a number of layers"
        )
    return next(depth[layer.name] for layer in model.layers if layer.output is end)
