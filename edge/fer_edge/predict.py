"""Expressions in pictures, folders and clips: told in words, as events, as annotated copies, and as a 3 x 3 grid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2

from fer_edge.annotate import GRID_SIDE, caption, draw, grid, write_picture
from fer_edge.cameras import Camera
from fer_edge.cameras.opening import open_camera
from fer_edge.classifier import Classifier
from fer_edge.command import STDOUT
from fer_edge.errors import ExitCode, FerEdgeError, InputError, OutputError
from fer_edge.events import EventStream
from fer_edge.pipeline import Pipeline
from fer_edge.preprocess import cut
from fer_edge.sinks.jsonl import JsonLines
from fer_edge.types import Box, Frame, Image, Observation

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 10.0
DEFAULT_FPS = 25.0
CLIP_CODEC, CLIP_SUFFIX = "mp4v", ".mp4"
"""What OpenCV's own wheels can write."""


class Predictor:
    """Goes through paths one by one; what one path does wrong does not keep the others from their results."""

    def __init__(self, classifier: Classifier, pipeline: Pipeline, annotate: Path | None, events: str | None) -> None:
        """annotate: folder for marked copies. events: JSON lines, "-" for standard output (words then go to stderr)."""
        self._labels, self._preprocess = classifier.labels, classifier.preprocess
        self._pipeline, self._annotate = pipeline, annotate
        self._say: Callable[[str], None] = print if events != STDOUT else log.info
        self._sink = JsonLines(events) if events is not None else None
        self._cells: list[tuple[Image, str]] = []
        self._written: set[Path] = set()

    def run(self, paths: Sequence[str], grid_file: Path | None) -> int:
        """All paths; returns the worst exit code met."""
        worst = ExitCode.OK
        for path in paths:
            try:
                self._path(path)
            except FerEdgeError as error:
                log.error("%s", error)  # noqa: TRY400 - the sentence says it all; a traceback would hide it
                worst = max(worst, error.exit_code)
        if grid_file is not None:
            write_picture(grid_file, grid(self._cells))
            self._say(f"{grid_file}: {min(len(self._cells), GRID_SIDE**2)} faces")
        if self._sink is not None:
            self._sink.close()
        return worst

    def _path(self, path: str) -> None:
        if not Path(path).exists():  # a camera or the demo would never end
            raise InputError(f"no such file: {path}")
        with open_camera(path) as source:
            first = source.read(READ_TIMEOUT_S)
            if first is not None and not first.origin:
                self._clip(source, Path(path), first)
            elif first is not None:
                self._pictures(source, first)
            for reason in getattr(source, "skipped", ()):
                self._say(f"skipped: {reason}")

    def _pictures(self, source: Camera, first: Frame) -> None:
        """Each picture for itself: every face is new, nothing is smoothed."""
        for frame in _from(source, first):
            observation = self._pipeline.still(frame)
            self._tell(observation, EventStream(self._labels, float("inf")), frame)
            faces = ", ".join(f"{caption(face)} at {_place(face.box)}" for face in observation.faces)
            self._say(f"{frame.origin}: {faces or 'no face found'}")
            if self._annotate is not None:
                write_picture(self._target(self._annotate, Path(frame.origin)), draw(frame.image, observation))

    def _clip(self, source: Camera, path: Path, first: Frame) -> None:
        """One story: faces are followed and their expressions smoothed."""
        stream = EventStream(self._labels, float("inf"))
        writer: cv2.VideoWriter | None = None
        seen: dict[str, int] = {}
        frames = 0
        try:
            for frame in _from(source, first):
                observation = self._pipeline.step(frame)
                self._tell(observation, stream, frame)
                frames += 1
                for face in observation.faces:
                    label = face.expression.label or "uncertain"
                    seen[label] = seen.get(label, 0) + 1
                if self._annotate is not None:
                    writer = writer or self._writer(self._annotate, path, source.fps, frame)
                    writer.write(draw(frame.image, observation))
        finally:
            if writer is not None:
                writer.release()
            shares = ", ".join(f"{label} {count}" for label, count in sorted(seen.items(), key=lambda item: -item[1]))
            self._say(f"{path}: {frames} frames; faces by expression: {shares or 'no face found'}")

    def _writer(self, folder: Path, path: Path, fps: float, frame: Frame) -> cv2.VideoWriter:
        target = self._target(_made(folder), path.with_suffix(CLIP_SUFFIX))
        height, width = frame.image.shape[:2]
        writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*CLIP_CODEC), fps or DEFAULT_FPS, (width, height))
        if not writer.isOpened():
            raise OutputError(f"{target} cannot be written as a clip")
        return writer

    def _target(self, folder: Path, source: Path) -> Path:
        """Where the marked copy of a file goes: under its own name, numbered when another file of this run has that."""
        number, target = 1, folder / source.name
        while target in self._written:
            number += 1
            target = folder / f"{source.stem}-{number}{source.suffix}"
        if target.resolve() == source.resolve():
            raise OutputError(f"marked copies in {folder} would replace the originals; name another folder")
        self._written.add(target)
        return target

    def _tell(self, observation: Observation, stream: EventStream, frame: Frame) -> None:
        if self._sink is not None:
            for event in stream.events(observation):
                self._sink.emit(event)
        for face in observation.faces:
            if len(self._cells) < GRID_SIDE**2 and face.raw is not None:
                contract = self._preprocess.spec.contract(self._pipeline.search.detector.name)
                self._cells.append((cut(frame.image, contract.apply(face.box)).copy(), caption(face)))


def _from(source: Camera, first: Frame) -> Iterator[Frame]:
    """A frame that was read already, and all that follow."""
    frame: Frame | None = first
    while frame is not None:
        yield frame
        frame = source.read(READ_TIMEOUT_S)


def _made(folder: Path) -> Path:
    """The folder, made if need be; raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from None
    return folder


def _place(box: Box) -> str:
    return f"({box.x:.0f}, {box.y:.0f}) {box.w:.0f}x{box.h:.0f} px"
