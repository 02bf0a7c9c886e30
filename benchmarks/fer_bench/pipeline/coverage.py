"""How many of the faces of a reference are where tracks are: frame by frame, one track for one face."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.types import Box
from fer_train.metrics import wilson

MIN_IOU = 0.4
FACE_EVENTS = frozenset({"face_entered", "expression", "expression_changed"})


@dataclass(frozen=True)
class Coverage:
    """faces: of the reference. covered: of them with a track on them. share: with its Wilson interval, 0 to 1.

    unmatched: track boxes on no face of the reference, which may still be faces that it missed.
    """

    faces: int
    covered: int
    share: float | None
    share_ci95: tuple[float, float]
    unmatched: int


def boxes_of_events(lines: Iterable[str]) -> tuple[dict[int, list[Box]], dict[str, Any]]:
    """Track boxes by frame from a daemon's JSON lines, and its last `statistics` event ({} when there is none)."""
    boxes: dict[int, dict[int, Box]] = {}
    statistics: dict[str, Any] = {}
    for line in lines:
        event = json.loads(line)
        if event["type"] == "statistics":
            statistics = event
        elif event["type"] in FACE_EVENTS:
            # A face that entered or changed is told of twice in the same frame.
            boxes.setdefault(event["frame"], {})[event["track"]] = Box(*event["box"])
    return {frame: list(found.values()) for frame, found in boxes.items()}, statistics


def cover(reference: Sequence[Sequence[Box]], tracks: Mapping[int, Sequence[Box]]) -> Coverage:
    """Match per frame, best overlap first; reference: boxes of frame 0, 1, ..."""
    faces = sum(len(boxes) for boxes in reference)
    covered = sum(matches(boxes, tracks.get(frame, ())) for frame, boxes in enumerate(reference))
    tracked = sum(len(tracks.get(frame, ())) for frame in range(len(reference)))
    return Coverage(faces, covered, covered / faces if faces else None, wilson(covered, faces), tracked - covered)


def matches(faces: Sequence[Box], tracks: Sequence[Box]) -> int:
    """How many faces have a track of their own with at least MIN_IOU."""
    pairs = sorted(
        ((face.iou(track), i, k) for i, face in enumerate(faces) for k, track in enumerate(tracks)), reverse=True
    )
    taken_faces: set[int] = set()
    taken_tracks: set[int] = set()
    for iou, i, k in pairs:
        if iou >= MIN_IOU and i not in taken_faces and k not in taken_tracks:
            taken_faces.add(i)
            taken_tracks.add(k)
    return len(taken_faces)
