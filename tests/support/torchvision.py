"""ResNet-18 by torchvision's names, with random tensors, and what it computes in float64 by numpy alone."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPSILON = 1e-5
"""torch's own for batch normalisation."""


class Ops(Protocol):
    """What a residual net is made of, on (N, C, H, W)."""

    def conv(self, x: Any, kernel: Any, stride: int, pad: int) -> Any: ...
    def norm(self, x: Any, scale: Any, shift: Any, mean: Any, var: Any) -> Any: ...
    def relu(self, x: Any) -> Any: ...
    def pool(self, x: Any) -> Any: ...


def tensors(width: int, blocks: tuple[int, ...], bottleneck: bool, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """A state dict as torchvision writes it, head included."""
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[Any]] = {}

    def conv(name: str, norm: str, before: int, after: int, kernel: int) -> None:
        fan = before * kernel * kernel
        found[f"{name}.weight"] = rng.normal(0, np.sqrt(2 / fan), (after, before, kernel, kernel))
        for part, low, high in (("weight", 0.5, 1.0), ("bias", -0.5, 0.5), ("running_mean", -0.5, 0.5)):
            found[f"{norm}.{part}"] = rng.uniform(low, high, after)
        found[f"{norm}.running_var"] = rng.uniform(0.5, 2.0, after)
        found[f"{norm}.num_batches_tracked"] = np.array(7)

    conv("conv1", "bn1", 3, width, 7)
    before = width
    for stage, count in enumerate(blocks):
        inner = width * 2**stage
        after = 4 * inner if bottleneck else inner
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            shapes = [(before, inner, 1), (inner, inner, 3), (inner, after, 1)]
            for i, shape in enumerate(shapes if bottleneck else [(before, inner, 3), (inner, inner, 3)], start=1):
                conv(f"{name}.conv{i}", f"{name}.bn{i}", *shape)
            if before != after:
                conv(f"{name}.downsample.0", f"{name}.downsample.1", before, after, 1)
            before = after
    found["fc.weight"], found["fc.bias"] = rng.normal(size=(1000, before)), rng.normal(size=1000)
    return {name: value.astype(np.int64 if value.ndim == 0 else np.float32) for name, value in found.items()}


def pooled(ops: Ops, state: dict[str, Any], x: Any) -> Any:
    """The mean of the last stage over the picture, (N, C), as torchvision's `forward` has it before `fc`."""

    def conv_norm(x: Any, conv: str, norm: str, stride: int) -> Any:
        kernel = state[f"{conv}.weight"]
        x = ops.conv(x, kernel, stride, kernel.shape[-1] // 2)
        return ops.norm(x, *(state[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")))

    x = ops.pool(ops.relu(conv_norm(x, "conv1", "bn1", 2)))
    for name in sorted({key.rsplit(".", 2)[0] for key in state if key.endswith(".conv1.weight")}):
        convs = sum(key.startswith(f"{name}.conv") for key in state)
        halves = name.endswith(".0") and not name.startswith("layer1")
        halving = convs - 1  # the 3x3 convolution: the first of two, the second of three
        y = x
        for i in range(1, convs + 1):
            y = conv_norm(y, f"{name}.conv{i}", f"{name}.bn{i}", 2 if halves and i == halving else 1)
            y = ops.relu(y) if i < convs else y
        if f"{name}.downsample.0.weight" in state:
            x = conv_norm(x, f"{name}.downsample.0", f"{name}.downsample.1", 2 if halves else 1)
        x = ops.relu(x + y)
    return x.mean((2, 3))


class Numpy:
    """The definition of each operation, written out."""

    def conv(self, x: Array, kernel: Array, stride: int, pad: int) -> Array:
        """Every window times the kernel."""
        windows = self._windows(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), kernel.shape[-1], stride)
        return np.asarray(np.einsum("nchwij,ocij->nohw", windows, kernel.astype(np.float64), optimize=True))

    def norm(self, x: Array, scale: Array, shift: Array, mean: Array, var: Array) -> Array:
        """With the statistics of training."""
        scale, shift, mean, var = (value.astype(np.float64)[:, None, None] for value in (scale, shift, mean, var))
        return (x - mean) / np.sqrt(var + EPSILON) * scale + shift

    def relu(self, x: Array) -> Array:
        """Nothing below zero."""
        return np.maximum(x, 0.0)

    def pool(self, x: Array) -> Array:
        """The largest of 3x3, beyond the edge nothing."""
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        return np.asarray(self._windows(padded, 3, 2).max((4, 5)))

    def _windows(self, x: Array, side: int, stride: int) -> Array:
        return np.lib.stride_tricks.sliding_window_view(x, (side, side), (2, 3))[:, :, ::stride, ::stride]
