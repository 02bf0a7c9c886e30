"""The loops to measure the daemon against, one per process: `python -m fer_bench.pipeline.loops`, JSON in and out.

Everything that is timed begins after models are loaded and tried once, as the daemon's own statistics do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_bench.pipeline.calm import Calm
from fer_bench.processes.children import Json, peak_rss_bytes, serve
from fer_edge import assembly, config
from fer_edge.bundle import Bundle
from fer_edge.classifier import open_classifier
from fer_edge.clock import SystemClock, perf_s, process_cpu_s
from fer_edge.detectors.weights import read_weights
from fer_edge.detectors.yunet import NAME, NMS_IOU, TOP_K, open_yunet
from fer_edge.errors import InputError
from fer_edge.types import Box, Image

BARE_WIDTH_PX = 320
REFERENCE_WIDTH_PX = 640
SCORE = 0.8
"""A face, for the bare loops and for the reference."""
READ_TIMEOUT_S = 10.0

Find = Callable[[Image], list[Box]]
"""Faces in a picture (uint8 (H, W, 3) blue-green-red), boxes in its own pixels."""


@dataclass(frozen=True)
class Job:
    """kind: a key of LOOPS. source: a clip. weights: YuNet's. max_frames: None is all of it. settings: `key=value`."""

    kind: str
    source: str
    model: str
    weights: str
    max_frames: int | None = None
    settings: Sequence[str] = ()


class Meter:
    """CPU and wall time of a loop; counts its frames and faces."""

    def __init__(self) -> None:
        """Start."""
        self._cpu_s, self._begin_s = process_cpu_s(), perf_s()
        self.frames = self.faces = 0

    def count(self, faces: int) -> None:
        """One frame is done."""
        self.frames += 1
        self.faces += faces

    def result(self) -> Json:
        """Stop; milliseconds of CPU are of all threads. cpu_s is of the whole process, start-up included."""
        cpu_s, seconds = process_cpu_s() - self._cpu_s, perf_s() - self._begin_s
        if not self.frames:
            raise InputError("no frame could be read")
        return {
            "frames": self.frames,
            "faces": self.faces,
            "seconds": seconds,
            "fps": self.frames / seconds,
            "cpu_ms_per_frame": 1e3 * cpu_s / self.frames,
            "cpu_s": process_cpu_s(),
            "peak_rss_bytes": peak_rss_bytes(),
        }


def by_opencv(weights: Path, width_px: int) -> Find:
    """YuNet as OpenCV runs it, on a picture of this width; loaded at the first picture's size."""
    detector = cv2.FaceDetectorYN.create(str(weights), "", (width_px, width_px), SCORE, NMS_IOU, TOP_K)

    def find(image: Image) -> list[Box]:
        small, scale = _narrowed(image, width_px)
        detector.setInputSize((small.shape[1], small.shape[0]))
        rows = detector.detect(small)[1]
        found = np.zeros((0, 15)) if rows is None else np.asarray(rows, dtype=np.float64)
        return [Box(*row[:4]).scaled(scale, scale) for row in found.tolist()]

    return find


def by_onnxruntime(weights: Path, width_px: int) -> Find:
    """YuNet as the device runs it where ONNX Runtime is installed, on a picture of this width."""
    detector = open_yunet(read_weights(weights), engine="onnxruntime")

    def find(image: Image) -> list[Box]:
        small, scale = _narrowed(image, width_px)
        return [face.box.scaled(scale, scale) for face in detector.detect(small) if face.score >= SCORE]

    return find


def bare(job: Job, find: Find) -> Json:
    """Every frame: decode, find all faces, classify each."""
    classifier = open_classifier(Bundle.open(job.model))
    _try_once(find)
    meter = Meter()
    for image in _frames(job):
        boxes = find(image)
        classifier.classify(image, boxes, NAME)
        meter.count(len(boxes))
    return {**meter.result(), "artifact": classifier.artifact.id}


def by_hand(job: Job) -> Json:
    """The daemon's own stages, called one after the other: no threads, no events."""
    flags = {"source": job.source, "model": job.model, "detector.name": NAME, "detector.weights": job.weights}
    settings = config.load(None, dict(flags), list(job.settings))
    pipeline = assembly.make_pipeline(settings, assembly.make_classifier(settings))
    with assembly.camera_opener(settings, SystemClock())() as camera:
        meter, seen = Meter(), []
        while job.max_frames is None or meter.frames < job.max_frames:
            frame = camera.read(READ_TIMEOUT_S)
            if frame is None:
                break
            seen.append(pipeline.step(frame))
            meter.count(len(seen[-1].faces))
        found = meter.result()
    calm = Calm()
    for observation in seen:
        calm.see(observation)
    return {**found, "labels": calm.answer()}


def reference(job: Job) -> Json:
    """All faces that YuNet finds in every frame at REFERENCE_WIDTH_PX, as [[[x, y, w, h], ...], ...]."""
    find = by_opencv(Path(job.weights), REFERENCE_WIDTH_PX)
    return {"boxes": [[[box.x, box.y, box.w, box.h] for box in find(image)] for image in _frames(job)]}


def _frames(job: Job) -> Iterator[Image]:
    capture = cv2.VideoCapture(job.source)
    if not capture.isOpened():
        raise InputError(f"{job.source} is not a clip that can be read")
    number = 0
    while job.max_frames is None or number < job.max_frames:
        good, image = capture.read()
        if not good:
            break
        yield np.asarray(image, dtype=np.uint8)
        number += 1
    capture.release()


def _narrowed(image: Image, width_px: int) -> tuple[Image, float]:
    """The picture brought down to this width, and by how much its boxes have to grow; small pictures stay."""
    height, width = image.shape[:2]
    if width <= width_px:
        return image, 1.0
    scale = width / width_px
    small = cv2.resize(image, (width_px, round(height / scale)), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), scale


def _try_once(find: Find) -> None:
    find(np.zeros((BARE_WIDTH_PX * 9 // 16, BARE_WIDTH_PX, 3), dtype=np.uint8))


LOOPS: dict[str, Callable[[Job], Json]] = {
    "bare-opencv": lambda job: bare(job, by_opencv(Path(job.weights), BARE_WIDTH_PX)),
    "bare-onnxruntime": lambda job: bare(job, by_onnxruntime(Path(job.weights), BARE_WIDTH_PX)),
    "by-hand": by_hand,
    "reference": reference,
}


def run(fields: Json) -> Json:
    """One loop, with the settings of the process that the daemon makes."""
    assembly.set_process_limits()
    job = Job(**fields)
    return LOOPS[job.kind](job)


if __name__ == "__main__":
    sys.exit(serve(run))
