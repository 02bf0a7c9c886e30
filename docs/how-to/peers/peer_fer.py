"""`fer` 25.10 as a peer: its public `detect_emotions`, with the Haar cascade that it takes when nothing is said."""

from __future__ import annotations

from typing import Any

PADDING_PX = 10
"""What `fer` adds to a face on every side before it classifies it, unless told otherwise."""

_loaded: list[Any] = []


def load() -> None:
    """Everything slow: the imports, and the models."""
    from fer.fer import FER  # noqa: PLC0415 - this is what takes long

    _loaded.append(FER())


def classify(crop: Any) -> dict[str, float]:  # noqa: ANN401 - an array
    """A crop has the margin it should have: what `fer` would add is taken off first, so it sees the whole."""
    height, width = crop.shape[:2]
    inner = (PADDING_PX, PADDING_PX, width - 2 * PADDING_PX, height - 2 * PADDING_PX)
    return _loaded[0].detect_emotions(crop, face_rectangles=[inner])[0]["emotions"]


def faces(frame: Any) -> list[tuple[Any, dict[str, float]]]:  # noqa: ANN401 - an array
    """As its own examples do for each frame of a clip."""
    return [(face["box"], face["emotions"]) for face in _loaded[0].detect_emotions(frame)]
