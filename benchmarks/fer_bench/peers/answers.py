"""What a peer's answer means in our labels, or why it is no answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_bench.peers.adapter import NONE, nearest
from fer_bench.processes.children import ChildFailed

Probabilities = NDArray[np.float64]


def probabilities(answer: object, labels: Mapping[str, str], ours: Sequence[str]) -> Probabilities:
    """(labels of ours,), sum 1, from {their label: share}; shares of labels that we do not have are left out.

    labels: theirs to ours. Their shares need not sum to 1 (some tell percent): they are divided by their sum. Raises
    ChildFailed with a reason when it is something else, or when nothing is left of it.
    """
    if not isinstance(answer, Mapping) or not answer:
        raise ChildFailed(f"answered {_short(answer)} where {{label: probability}} was expected")
    found = np.zeros(len(ours))
    for theirs, share in answer.items():
        if theirs not in labels:
            near = nearest(str(theirs), list(labels))
            raise ChildFailed(f"answered with the label {theirs!r}, which the adapter does not map{near}")
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not math.isfinite(share) or share < 0:
            raise ChildFailed(f"answered {_short(share)} as the probability of {theirs!r}")
        if labels[theirs] in ours:
            found[ours.index(labels[theirs])] += share
    if found.sum() <= 0.0:
        raise ChildFailed(f"gave no probability to any of {', '.join(ours)}")
    return np.asarray(found / found.sum(), dtype=np.float64)


def checked(faces: object) -> list[list[float]]:
    """[[left, top, width, height], ...] from a frame's faces as a peer tells them; ChildFailed when they are none."""
    if not isinstance(faces, Sequence) or isinstance(faces, (str, bytes)):
        raise ChildFailed(f"answered {_short(faces)} where a list of faces was expected")
    return [_box(face) for face in faces]


def remarks(name: str, labels: Mapping[str, str], ours: Sequence[str]) -> list[str]:
    """What differs between their labels and ours, as sentences."""
    left_out = [theirs for theirs, label in labels.items() if label == NONE or label not in ours]
    lacking = [label for label in ours if label not in labels.values()]
    said = []
    if left_out:
        said.append(f"{name} also tells {', '.join(left_out)}: left out, the rest counts as the whole")
    if lacking:
        said.append(f"{name} does not know {', '.join(lacking)}: it is wrong on every such picture")
    return said


def _box(face: object) -> list[float]:
    box: Any = face.get("box") if isinstance(face, Mapping) else None
    good = isinstance(box, Sequence) and len(box) == 4 and all(_number(value) for value in box)
    if not good:
        raise ChildFailed(f"answered {_short(face)} where a face with its box (left, top, width, height) was expected")
    return [float(value) for value in box]


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
