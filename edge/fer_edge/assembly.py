"""Puts the parts together from the settings: classifier, detector, pipeline, camera."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import cv2

from fer_edge.bundle import Bundle
from fer_edge.cameras import Camera
from fer_edge.cameras.opening import open_camera
from fer_edge.cameras.v4l2 import CameraOptions
from fer_edge.classifier import Classifier, choices, load
from fer_edge.clock import Clock
from fer_edge.config import Settings
from fer_edge.detectors import FaceDetector
from fer_edge.detectors.opening import open_detector
from fer_edge.errors import BundleRefused
from fer_edge.pipeline import Pipeline, build_pipeline
from fer_edge.preprocess import WHOLE
from fer_edge.system.memory import limit_arenas
from fer_edge.trial.choosing import first_that_runs

log = logging.getLogger(__name__)

OPENCV_THREADS = 1
"""The pictures are small: more threads cost more CPU than they save."""


def set_process_limits() -> None:
    """Settings of the whole process, made once at its start."""
    cv2.setNumThreads(OPENCV_THREADS)
    limit_arenas()


def make_classifier(settings: Settings) -> Classifier:
    """The model, verified; raises BundleRefused for one that is not among those that may be used."""
    bundle = Bundle.open(settings.model)
    if settings.model_sha256 and bundle.sha256 not in settings.model_sha256:
        raise BundleRefused(f"{bundle.path} has SHA-256 {bundle.sha256}, which is not among model_sha256")
    wanted = choices(bundle, runtime=settings.runtime, format_=settings.format, precision=settings.precision)
    engine, artifact = first_that_runs(bundle, wanted, settings.threads) if settings.trial else wanted[0]
    return load(bundle, artifact, runtime=engine.name, threads=settings.threads)


def make_detector(settings: Settings) -> FaceDetector:
    """The face detector."""
    weights = Path(settings.detector.weights) if settings.detector.weights else None
    return open_detector(settings.detector.name, weights=weights, threads=settings.detector.threads)


def make_pipeline(settings: Settings, classifier: Classifier) -> Pipeline:
    """From frame to observation. Says so when the bundle does not know how this detector draws its boxes."""
    detector = make_detector(settings)
    manifest = classifier.bundle.manifest
    if detector.name not in {WHOLE, *manifest.preprocess.crop}:
        log.warning(
            "bundle %s has no crop contract for %s: faces are cut to the size of its boxes, which costs accuracy; "
            "fit one with fer-train crop",
            manifest.name,
            detector.name,
        )
    return build_pipeline(classifier, detector, settings.pipeline)


def camera_opener(settings: Settings, clock: Clock) -> Callable[[], Camera]:
    """What opens the source, now and again after it was lost. The demo plays at its own speed unless told otherwise."""
    camera = settings.camera
    pace = settings.source == "demo" if camera.pace is None else camera.pace
    options = CameraOptions(width_px=camera.width_px, height_px=camera.height_px, fps=camera.fps)
    return lambda: open_camera(settings.source, clock, pace=pace, options=options)
