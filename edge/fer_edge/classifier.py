"""A bundle's artifact, proven and ready: faces in a frame become expressions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_edge.bundle import Artifact, Bundle
from fer_edge.errors import BundleRefused, InferenceFailed, RuntimeRefused
from fer_edge.postprocess import Calibration, dequantize, expression, probabilities
from fer_edge.preprocess import WHOLE, Preprocess
from fer_edge.runtimes import Engine, Runtime, engine_for, engines_for, open_runtime
from fer_edge.types import Box, Expression, Image, TensorSpec

SCALE_TOLERANCE = 1e-6
"""Relative difference allowed between the manifest's scale and the runtime's: they are the same float32, printed."""

Choice = tuple[Engine, Artifact]
"""A way to run a bundle."""


class Classifier:
    """One artifact in one runtime. Not thread-safe."""

    def __init__(self, bundle: Bundle, artifact: Artifact, runtime: Runtime) -> None:
        """Use `open_classifier`, which proves what this takes on trust."""
        self.bundle, self.artifact, self.runtime = bundle, artifact, runtime
        self.labels = bundle.manifest.labels
        self.preprocess = Preprocess(bundle.manifest.preprocess, runtime.input)
        self.calibration = Calibration(artifact.output_kind, artifact.temperature, artifact.uncertain_below)

    def outputs(self, faces: Sequence[Image] | Image) -> NDArray[np.float64]:
        """Real-valued outputs (N, labels) of N crops as `Preprocess.pixels` makes them."""
        tensor = self.preprocess.tensor(faces)
        step = max(1, self.runtime.input.shape[0])
        rows = [self.runtime.infer(tensor[i : i + step])[0] for i in range(0, len(tensor), step)]
        return dequantize(np.concatenate(rows), self.runtime.outputs[0])

    def probabilities(self, faces: Sequence[Image] | Image) -> NDArray[np.float64]:
        """Calibrated probabilities (N, labels) of N crops."""
        return probabilities(self.outputs(faces), self.calibration)

    def crop(self, image: Image, box: Box, detector: str = WHOLE) -> Image:
        """The face in a box that `detector` found in `image` (uint8 (H, W, 3) blue-green-red), as the model sees it.

        A copy, uint8 (S, S) or (S, S, 3): it stays what it is when the next frame is read into the picture's memory.
        """
        pixels = self.preprocess.pixels(image, box, detector)
        return pixels.copy() if np.may_share_memory(pixels, image) else pixels

    def expressions(self, crops: Sequence[Image]) -> list[Expression]:
        """One expression per crop. Raises InferenceFailed when the outputs are not a number for each label."""
        if not crops:
            return []
        rows = self.probabilities(crops)
        if rows.shape != (len(crops), len(self.labels)) or not np.isfinite(rows).all():
            raise InferenceFailed(f"{self.artifact.id} in {self.runtime.name} gives no probabilities for a face")
        return [expression(row, self.labels, self.calibration.uncertain_below) for row in rows]

    def classify(self, image: Image, boxes: Sequence[Box], detector: str = WHOLE) -> list[Expression]:
        """One expression per box that `detector` found in `image`; errors as in `expressions`."""
        return self.expressions([self.crop(image, box, detector) for box in boxes])


def open_classifier(
    bundle: Bundle,
    *,
    runtime: str | None = None,
    format_: str | None = None,
    precision: str | None = None,
    threads: int = 1,
) -> Classifier:
    """Pick an artifact that an installed runtime can run, load it, and make it prove itself.

    runtime, format_, precision: take this one; None takes the best that there is.

    Raises RuntimeUnavailable or UsageError when nothing fits, BundleRefused when hash or tensors differ from the
    manifest, RuntimeRefused when the golden outputs do.
    """
    engine, artifact = choices(bundle, runtime=runtime, format_=format_, precision=precision)[0]
    return load(bundle, artifact, runtime=engine.name, threads=threads)


def choices(
    bundle: Bundle, *, runtime: str | None = None, format_: str | None = None, precision: str | None = None
) -> list[Choice]:
    """What `open_classifier` chooses from, best first.

    Each artifact in the best installed runtime of its format, then in the others. Raises RuntimeUnavailable or
    UsageError when there is none.
    """
    engines = engines_for(runtime)
    formats = [engine_for(format_, runtime).format] if format_ else [engine.format for engine in engines]
    artifacts = bundle.choices(tuple(dict.fromkeys(formats)), precision)
    best = {engine.format: engine for engine in reversed(engines)}
    others = [engine for engine in engines if engine is not best[engine.format]]
    found = [(best[artifact.format], artifact) for artifact in artifacts]
    return found + [(each, artifact) for artifact in artifacts for each in others if each.format == artifact.format]


def load(bundle: Bundle, artifact: Artifact, *, runtime: str | None = None, threads: int = 1) -> Classifier:
    """Load one artifact and make it prove itself; errors as in `open_classifier`."""
    loaded = open_runtime(bundle.read(artifact), artifact.format, runtime=runtime, threads=threads)
    where = f"{bundle.path}: {artifact.id} in {loaded.name}"
    if len(loaded.outputs) != 1:
        raise BundleRefused(f"{where} has {len(loaded.outputs)} outputs; an expression model has one")
    _same(artifact.input.spec, loaded.input, f"{where}: input")
    _same(artifact.output.spec, loaded.outputs[0], f"{where}: output")
    classifier = Classifier(bundle, artifact, loaded)
    _golden(classifier, where)
    return classifier


def _same(said: TensorSpec, found: TensorSpec, where: str) -> None:
    """Refuse a tensor that is not as the manifest says (its name is free)."""
    close = abs(said.scale - found.scale) <= SCALE_TOLERANCE * max(said.scale, found.scale)
    if (said.dtype, said.shape, said.zero_point) != (found.dtype, found.shape, found.zero_point) or not close:
        raise BundleRefused(f"{where} is {_words(found)} where the manifest says {_words(said)}")


def _words(spec: TensorSpec) -> str:
    quantized = f" scale {spec.scale:g} zero point {spec.zero_point}" if spec.quantized else ""
    return f"{spec.dtype} {spec.shape}{quantized}"


def _golden(classifier: Classifier, where: str) -> None:
    """Run the golden pictures and compare outputs with what the bundle's maker saw."""
    artifact = classifier.artifact
    spec = classifier.bundle.manifest.preprocess
    found = classifier.outputs([golden.image(spec) for golden in artifact.golden])
    wanted = np.asarray([golden.output for golden in artifact.golden])
    worst = float(np.abs(found - wanted).max())
    if not worst <= artifact.tolerance:
        raise RuntimeRefused(
            f"{where}: a golden output is off by {worst:.4g}, more than the tolerance {artifact.tolerance:.4g}: "
            "the preprocessing was changed or the runtime computes something else"
        )
