"""The device's pipeline on the emulated board, frame by frame, with a mark at every stage.

python count_frames.py BUNDLE RUNTIME PRECISION SOURCE FRAMES [WEIGHTS]    one JSON object: what was in the frames

Frames are made or decoded between marks, and so not counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from arm64.marks import CLASSIFIER, DETECTOR, NET, OUTSIDE, REST, mark, mark_nothing
from fer_edge.assembly import set_process_limits
from fer_edge.bundle import Bundle
from fer_edge.cameras.opening import open_camera
from fer_edge.classifier import Classifier, open_classifier
from fer_edge.detectors import FaceDetector
from fer_edge.detectors.opening import open_detector
from fer_edge.pipeline import FaceClassifier, build_pipeline
from fer_edge.runtimes import Runtime
from fer_edge.types import Frame

TIMEOUT_S = 60.0


class Marked:
    """Something whose methods begin a stage, and when they end the stage goes on in which they were called."""

    within = [REST]

    def __init__(self, inner: object, stage: int) -> None:
        self._inner, self._stage = inner, stage

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._marked(found) if callable(found) else found

    def _marked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            mark(self._stage)
            self.within.append(self._stage)
            made = method(*values, **named)
            self.within.pop()
            mark(self.within[-1])
            return made

        return call


def frames(source: str, count: int) -> Iterator[Frame]:
    """The first of a source, which keeps its own time."""
    camera = open_camera(source)
    for _ in range(count):
        frame = camera.read(TIMEOUT_S)
        if frame is None:
            return
        yield frame


def main() -> int:
    """Count the frames of a source."""
    bundle, runtime, precision, source, limit, *weights = sys.argv[1:]
    set_process_limits()
    ready = open_classifier(Bundle.open(Path(bundle)), runtime=runtime, precision=precision)
    net = Marked(ready.runtime, NET)
    classifier = Marked(Classifier(ready.bundle, ready.artifact, cast("Runtime", net)), CLASSIFIER)
    detector = Marked(open_detector(weights=Path(weights[0]) if weights else None), DETECTOR)
    pipeline = build_pipeline(cast("FaceClassifier", classifier), cast("FaceDetector", detector))
    seen = {"frames": 0, "faces": 0}
    mark_nothing()
    for frame in frames(source, int(limit)):
        mark(REST)
        observation = pipeline.step(frame)
        mark(OUTSIDE)
        seen["frames"] += 1
        seen["faces"] += len(observation.faces)
    sys.stdout.write(json.dumps({**seen, "detector": detector.name}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
