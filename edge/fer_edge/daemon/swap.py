"""A new model while the daemon runs: proven, tried beside the old one on live faces, taken over, or left alone.

The bundle's place on disk is looked at every few seconds. What lies there anew is opened and proves itself (hashes,
golden outputs) in a thread of its own; then it says for some live faces what it would have said, after the model in
charge has. Only then it takes over, between two frames. A model that fails soon after is taken back.
"""

from __future__ import annotations

import logging
import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.bundle import MANIFEST
from fer_edge.classifier import Classifier
from fer_edge.clock import Clock, perf_s
from fer_edge.errors import BundleRefused, FerEdgeError, InferenceFailed
from fer_edge.events import Event, plain
from fer_edge.health import Health
from fer_edge.pipeline import Pipeline
from fer_edge.types import Frame, Observation, TrackedFace

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""Between two looks at the bundle's place. What lies there must be the same at two looks before it is opened."""
TRIAL_FACES = 30
"""Live faces that a new model is tried on, half a minute of one person."""
SLOWER = 2.0
"""Times the old model's median time that the new one's may take."""
SLOWER_MS = 5.0
"""Or so much more, for where both are fast."""
FLAT = 1e-4
"""A model whose probabilities differ less than this over all trial faces does not look at them."""
PROBATION_FRAMES = 300
"""After taking over; a frame that fails in this time brings the old model back."""
MODEL = "model"
"""The part of health that speaks of this."""


@dataclass
class _Trial:
    """A new model and how it did beside the old one: milliseconds of both, and its probabilities."""

    classifier: Classifier
    new_ms: list[float] = field(default_factory=list)
    old_ms: list[float] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def verdict(self) -> str | None:
        """Why it may not take over; None when it may."""
        new_ms, old_ms = statistics.median(self.new_ms), statistics.median(self.old_ms)
        if new_ms > max(SLOWER * old_ms, old_ms + SLOWER_MS):
            return f"it takes {new_ms:.1f} ms for a face, the model in charge {old_ms:.1f} ms"
        if float(np.ptp(np.asarray(self.rows), axis=0).max()) < FLAT:
            return f"it says the same of {len(self.rows)} different faces"
        return None


class Swapping:
    """A pipeline whose model can be replaced. `step` belongs to the inference thread, `tick` to the main one."""

    def __init__(
        self,
        pipeline: Pipeline,
        open_again: Callable[[str | None], Classifier],
        clock: Clock,
        health: Health,
        tell: Callable[[Event], None],
    ) -> None:
        """Nothing is watched yet.

        open_again: opens what now lies where the pipeline's model came from, in a precision (None: as configured), and
        verifies it. tell: takes events.
        """
        assert isinstance(pipeline.classifier, Classifier)  # noqa: S101 - a fake has no bundle to look at
        self.pipeline, self._charge = pipeline, pipeline.classifier
        self._open_again, self._clock, self._health, self._emit = open_again, clock, health, tell
        self._place = self._charge.bundle.path
        self._known = self._seen = signature(self._place)
        self._looked_s = clock.monotonic_s()
        self._opening: threading.Thread | None = None
        self._trial: _Trial | None = None
        self._before: Classifier | None = None
        self._probation = 0
        self._precision: str | None = None
        self._twin: Classifier | None = None

    @property
    def classifier(self) -> Classifier:
        """The model in charge."""
        return self._charge

    def step(self, frame: Frame) -> Observation:
        """See `Pipeline.step`; a frame that fails under a model on probation is thought about again by the old one."""
        if self._twin is not None:
            self._put(self._twin)
            self._twin = None
        try:
            observation = self.pipeline.step(frame)
        except (InferenceFailed, BundleRefused) as error:
            if self._before is None:
                raise
            self._take_back(self._charge, self._before, str(error))
            return self.pipeline.step(frame)
        self._probation -= 1
        if self._probation <= 0:
            self._before = None
        if self._trial is not None:
            self._try(self._trial, frame, observation)
        return observation

    def tick(self) -> None:
        """Look at the bundle's place, and begin to open what is new there."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        found, before = signature(self._place), self._seen
        self._seen = found
        if found is None or found == self._known or found != before or self._busy():
            return
        self._known = found
        self._begin()

    def prefer(self, precision: str | None) -> None:
        """Go over to another precision of the same model as soon as it is open; None: the configured one."""
        if precision == self._precision or self._busy():
            return
        self._precision = precision
        self._begin()

    def _busy(self) -> bool:
        return self._trial is not None or (self._opening is not None and self._opening.is_alive())

    def _begin(self) -> None:
        self._opening = threading.Thread(target=self._open, name="new model", daemon=True)
        self._opening.start()

    def _open(self) -> None:
        try:
            found = self._open_again(self._precision)
        except FerEdgeError as error:
            self._refuse("", str(error))
            return
        if found.bundle.sha256 == self._charge.bundle.sha256:
            self._twin = found if found.artifact.id != self._charge.artifact.id else None
            return
        if found.labels != self._charge.labels:
            self._refuse(found.bundle.sha256, "its labels are others; restart the daemon to change them")
            return
        log.info("model %s is tried beside the one in charge", found.bundle.sha256[:12])
        self._trial = _Trial(found)

    def _try(self, trial: _Trial, frame: Frame, observation: Observation) -> None:
        """Let both say what they think of the frame's faces, one after the other, and decide when that is enough."""
        for face in observation.faces:
            try:
                old_ms, _ = self._timed(self._charge, frame, face)
                new_ms, row = self._timed(trial.classifier, frame, face)
            except (InferenceFailed, BundleRefused) as error:
                self._trial = None
                self._refuse(trial.classifier.bundle.sha256, str(error))
                return
            trial.old_ms.append(old_ms)
            trial.new_ms.append(new_ms)
            trial.rows.append(row)
        if len(trial.rows) < TRIAL_FACES:
            return
        self._trial = None
        reason = trial.verdict()
        if reason is None:
            self._take_over(trial.classifier)
        else:
            self._refuse(trial.classifier.bundle.sha256, reason)

    def _timed(self, classifier: Classifier, frame: Frame, face: TrackedFace) -> tuple[float, tuple[float, ...]]:
        began_s = perf_s()
        found = classifier.classify(frame.image, [face.box], self.pipeline.search.detector.name)
        return 1000.0 * (perf_s() - began_s), found[0].probabilities

    def _take_over(self, classifier: Classifier) -> None:
        self._before, self._probation = self._charge, PROBATION_FRAMES
        self._put(classifier)
        self._health.report(MODEL, None)
        self._tell("model_changed", classifier.bundle.sha256, f"was {self._before.bundle.sha256}")

    def _take_back(self, failed: Classifier, before: Classifier, reason: str) -> None:
        self._put(before)
        self._before = None
        self._refuse(failed.bundle.sha256, f"taken back: {reason}")

    def _put(self, classifier: Classifier) -> None:
        self._charge = classifier
        self.pipeline.classifier = classifier
        self.pipeline.turns.forget()
        self.pipeline.smoother.uncertain_below = classifier.calibration.uncertain_below

    def _refuse(self, sha256: str, reason: str) -> None:
        self._health.report(MODEL, f"the new model is not used: {reason}")
        self._tell("model_refused", sha256, reason)

    def _tell(self, kind: str, sha256: str, reason: str) -> None:
        log.warning("%s %s: %s", kind.replace("_", " "), sha256[:12], reason)
        self._emit(plain(kind, self._clock.wall(), model_sha256=sha256, reason=reason))


def signature(place: Path) -> tuple[Any, ...] | None:
    """What tells one state of a bundle's place from another; None while there is none."""
    try:
        found = (place / MANIFEST if place.is_dir() else place).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
