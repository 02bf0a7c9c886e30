"""From frame to observation: detect, track, classify, smooth. No threads, no waiting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar

from pydantic import Field

from fer_edge.clock import perf_s
from fer_edge.detectors import FaceDetector
from fer_edge.detectors.schedule import Found, Mode, Search, SearchOptions
from fer_edge.postprocess import Calibration
from fer_edge.smoothing import Smoother, SmootherOptions
from fer_edge.strict import StrictModel
from fer_edge.tracking import Track, Tracked, Tracker, TrackerOptions
from fer_edge.turns import TurnOptions, Turns
from fer_edge.types import Box, Expression, Frame, Image, Observation, TrackedFace

T = TypeVar("T")
Expressions = dict[int, Expression]
"""By track id."""


class FaceClassifier(Protocol):
    """What the pipeline needs of `fer_edge.classifier.Classifier`."""

    labels: tuple[str, ...]
    calibration: Calibration

    def crop(self, image: Image, box: Box, detector: str = ...) -> Image:
        """The face in a box that `detector` found, as the model sees it."""

    def expressions(self, crops: Sequence[Image]) -> list[Expression]:
        """One expression per crop."""


class PipelineOptions(StrictModel):
    """Everything that can be set between a frame and its observation.

    still_px: longer side of the picture in `Pipeline.still`, pixels.
    """

    search: SearchOptions = SearchOptions()
    tracking: TrackerOptions = TrackerOptions()
    turns: TurnOptions = TurnOptions()
    smoothing: SmootherOptions = SmootherOptions()
    still_px: Annotated[int, Field(ge=64, le=4096)] = 640


class Pipeline:
    """One source's way from frames to observations. Not thread-safe."""

    def __init__(
        self,
        classifier: FaceClassifier,
        search: Search,
        tracker: Tracker,
        smoother: Smoother,
        options: PipelineOptions | None = None,
    ) -> None:
        """Use `build_pipeline`, unless parts are to be replaced."""
        self.classifier, self.search, self.tracker, self.smoother = classifier, search, tracker, smoother
        self.options = options or PipelineOptions()
        self.turns = Turns(self.options.turns)
        self._last_s = -math.inf

    def configure(self, options: PipelineOptions) -> None:
        """Other options, from the next frame on; tracks go on."""
        self.options = options
        self.search.configure(options.search)
        self.tracker.options, self.smoother.options = options.tracking, options.smoothing
        self.turns.options = options.turns

    def step(self, frame: Frame) -> Observation:
        """All that is known after this frame; frames come in order, each once.

        When the source's clock goes back (a clip that starts again, a camera opened anew), all tracks end.
        """
        lap = _Laps()
        found = lap("detect", self._detect(frame))
        tracked = lap("track", self._track(frame, found))
        raw, still = lap("classify", self._classify(frame, tracked.tracks))
        faces = lap("smooth", self._smooth(frame, tracked, raw, still))
        return _observation(frame, faces, tracked.left, found.mode, lap.ms)

    def still(self, frame: Frame) -> Observation:
        """All that is known of a picture on its own: searched in full, not tracked, not smoothed, ids from 1."""
        lap = _Laps()
        found = lap("detect", self.search.still(frame.image, self.options.still_px))
        crops = [self._crop(frame, face.box) for face in found]
        raw = lap("classify", self.classifier.expressions(crops))
        faces = [
            TrackedFace(i, face.box, face.score, expression, expression)
            for i, (face, expression) in enumerate(zip(found, raw, strict=True), start=1)
        ]
        return _observation(frame, faces, (), "full", lap.ms)

    def _detect(self, frame: Frame) -> Found:
        return self.search.step(frame.image, self.tracker.known(frame.captured_s), frame.captured_s)

    def _track(self, frame: Frame, found: Found) -> Tracked:
        back = frame.captured_s < self._last_s
        self._last_s = frame.captured_s
        looked = found.mode != "none"
        return self.tracker.update(found.faces, frame.captured_s, looked=looked, cut=found.cut or back)

    def _crop(self, frame: Frame, box: Box) -> Image:
        return self.classifier.crop(frame.image, box, self.search.detector.name)

    def _classify(self, frame: Frame, tracks: Sequence[Track]) -> tuple[Expressions, Expressions]:
        """Of the faces whose turn it is: expressions of this frame alone, and those of faces that did not change."""
        now_s = frame.captured_s
        crops = {
            track.track_id: self._crop(frame, track.box) for track in tracks if self.turns.due(track.track_id, now_s)
        }
        seen = {track_id: self.turns.unchanged(track_id, crop, now_s) for track_id, crop in crops.items()}
        changed = [track_id for track_id, expression in seen.items() if expression is None]
        found = self.classifier.expressions([crops[track_id] for track_id in changed])
        raw = dict(zip(changed, found, strict=True))
        for track_id, expression in raw.items():
            self.turns.classified(track_id, crops[track_id], expression, now_s)
        return raw, {track_id: expression for track_id, expression in seen.items() if expression is not None}

    def _smooth(self, frame: Frame, tracked: Tracked, raw: Expressions, still: Expressions) -> list[TrackedFace]:
        self.smoother.drop(tracked.left)
        self.turns.drop(tracked.left)
        for track_id, expression in {**raw, **still}.items():
            self.smoother.update(track_id, expression, frame.captured_s)
        return [
            TrackedFace(
                track.track_id,
                track.box,
                track.score,
                self.smoother.held(track.track_id),
                raw.get(track.track_id),
            )
            for track in tracked.tracks
        ]


def build_pipeline(
    classifier: FaceClassifier, detector: FaceDetector, options: PipelineOptions | None = None
) -> Pipeline:
    """A pipeline for one source, with the classifier's own threshold for `uncertain`."""
    options = options or PipelineOptions()
    return Pipeline(
        classifier,
        Search(detector, options.search),
        Tracker(options.tracking),
        Smoother(classifier.labels, classifier.calibration.uncertain_below, options.smoothing),
        options,
    )


class _Laps:
    """Milliseconds per stage: each call takes what a stage has just made and hands it on."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._last_s = perf_s()

    def __call__(self, stage: str, made: T) -> T:
        now_s = perf_s()
        self.ms[stage] = (now_s - self._last_s) * 1e3
        self._last_s = now_s
        return made


def _observation(
    frame: Frame, faces: Sequence[TrackedFace], left: tuple[int, ...], mode: Mode, stages_ms: dict[str, float]
) -> Observation:
    height, width = frame.image.shape[:2]
    return Observation(
        seq=frame.seq,
        captured_s=frame.captured_s,
        wall=frame.wall,
        width_px=width,
        height_px=height,
        faces=tuple(faces),
        left=left,
        searched=mode,
        stages_ms=stages_ms,
        origin=frame.origin,
    )
