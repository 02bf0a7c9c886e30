"""Sliding windows, as ONNX and as TensorFlow describe them: kernel, strides, dilations, and what is beyond the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Sizes along height and width. pads: (top, left, bottom, right)."""

    kernel: Pair
    strides: Pair
    dilations: Pair
    pads: tuple[int, int, int, int]

    @property
    def reach(self) -> Pair:
        """How many pixels a dilated kernel spans."""
        return _pair((side - 1) * step + 1 for side, step in zip(self.kernel, self.dilations, strict=True))

    def same(self, size: Pair) -> bool:
        """Whether TensorFlow's SAME pads a picture of this size in the same way."""
        return self.pads == _same_pads(size, self.reach, self.strides, low=False)


def window(attributes: dict[str, Any], kernel: Pair, size: Pair) -> Window:
    """From an ONNX node's attributes; size: height and width of its input."""
    strides = _pair(attributes.get("strides", (1, 1)))
    dilations = _pair(attributes.get("dilations", (1, 1)))
    bare = Window(kernel, strides, dilations, (0, 0, 0, 0))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        pads = _same_pads(size, bare.reach, strides, low=auto == "SAME_LOWER")
    elif auto == "VALID":
        pads = (0, 0, 0, 0)
    else:
        top, left, bottom, right = (int(side) for side in attributes.get("pads", (0, 0, 0, 0)))
        pads = (top, left, bottom, right)
    if attributes.get("ceil_mode"):
        pads = _to_the_end(bare.reach, strides, pads, size)
    return Window(kernel, strides, dilations, pads)


def _same_pads(size: Pair, reach: Pair, strides: Pair, *, low: bool) -> tuple[int, int, int, int]:
    total = [
        max((-(-side // step) - 1) * step + span - side, 0)
        for side, span, step in zip(size, reach, strides, strict=True)
    ]
    less, more = [pad // 2 for pad in total], [pad - pad // 2 for pad in total]
    first, second = (more, less) if low else (less, more)
    return first[0], first[1], second[0], second[1]


def _to_the_end(reach: Pair, strides: Pair, pads: tuple[int, int, int, int], size: Pair) -> tuple[int, int, int, int]:
    """With `ceil_mode` a last window may hang over; the pads then grow at the end until it does not."""
    grown = list(pads)
    for axis in range(2):
        room = size[axis] + pads[axis] + pads[axis + 2] - reach[axis]
        steps = -(-room // strides[axis])
        if steps * strides[axis] >= size[axis] + pads[axis]:
            steps -= 1  # a window may not begin beyond the picture
        grown[axis + 2] += max(steps * strides[axis] - room, 0)
    return grown[0], grown[1], grown[2], grown[3]


def _pair(values: Any) -> Pair:  # noqa: ANN401 - any iterable of two integers
    first, second = (int(value) for value in values)
    return first, second
