"""What a model is fed while it is timed: the bundle's own golden pictures, or random numbers for a single file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_edge.bundle import Artifact, Bundle
from fer_edge.classifier import Classifier
from fer_edge.errors import BundleRefused
from fer_edge.preprocess import Preprocess
from fer_edge.types import Array, TensorSpec

SEED = 0
FLOATS = ("float32", "float16")
INTEGERS = ("int8", "uint8", "int16")
UNIT_RANGE = (0.0, 1.0)
"""For float inputs of files that do not say what they want."""


def golden_tensor(bundle: Bundle, artifact: Artifact, spec: TensorSpec, batch: int) -> Array:
    """A golden picture as the device turns it into a tensor, `batch` times: (batch, ...) of the input's dtype."""
    face = artifact.golden[0].image(bundle.manifest.preprocess)
    return Preprocess(bundle.manifest.preprocess, spec).tensor(np.stack([face] * batch))


def random_tensor(spec: TensorSpec, batch: int, reals: tuple[float, float] | None) -> tuple[Array, str]:
    """Evenly spread numbers of the input's dtype and shape, and what they are in words.

    Integers take all values that the dtype has, floats those of `reals`, 0 to 1 where it is None. Raises BundleRefused
    for an input that is no picture or leaves a side other than the first open.
    """
    shape = (batch, *spec.shape[1:])
    if 0 in shape or len(shape) < 2:
        raise BundleRefused(f"its input {spec.shape} leaves sides open (0) beside the first: fix its size")
    rng = np.random.default_rng(SEED)
    if spec.dtype in INTEGERS:
        limits = np.iinfo(spec.dtype)
        low, high = int(limits.min), int(limits.max)
        tensor = rng.integers(low, high, shape, dtype=spec.dtype, endpoint=True)
        return tensor, f"random {spec.dtype} in {low}..{high}, all that the input can hold"
    if spec.dtype not in FLOATS:
        raise BundleRefused(f"its input is {spec.dtype}; pictures are {', '.join((*FLOATS, *INTEGERS))}")
    low_real, high_real = reals or UNIT_RANGE
    words = f"random {spec.dtype} in {low_real:g}..{high_real:g}"
    why = "as the file says of itself" if reals else "for the file does not say what it wants"
    return rng.uniform(low_real, high_real, shape).astype(spec.dtype), f"{words}, {why}"


def declared_range(path: Path, format_: str) -> tuple[float, float] | None:
    """The real numbers that a float input wants, where fer-convert wrote it into the file and a reader is installed."""
    try:
        from fer_convert import metadata  # noqa: PLC0415 - a board may have none of the workstation's libraries
    except ImportError:
        return None
    said = metadata.read(path, format_)
    if said is None:
        return None
    bounds = [
        (pixel - mean) / std
        for mean, std in zip(said.preprocess.mean, said.preprocess.std, strict=True)
        for pixel in (0.0, 1.0)
    ]
    return min(bounds), max(bounds)


def golden_error(classifier: Classifier, artifact: Artifact) -> float:
    """Largest difference of any golden output; raises BundleRefused when it is above the artifact's tolerance."""
    spec = classifier.bundle.manifest.preprocess
    pictures = [golden.image(spec) for golden in artifact.golden]
    found = classifier.outputs(_filled(pictures, classifier.runtime.input))[: len(pictures)]
    worst = float(np.abs(found - np.asarray([golden.output for golden in artifact.golden])).max())
    if not worst <= artifact.tolerance:
        raise BundleRefused(
            f"a golden output is off by {worst:.4g}, more than the tolerance {artifact.tolerance:.4g}: "
            "the time of a wrong answer is not reported"
        )
    return worst


def _filled(pictures: Sequence[Array], spec: TensorSpec) -> list[Array]:
    """The pictures and the first of them again and again, until they fill whole batches."""
    step = max(1, spec.shape[0])
    return [*pictures, *[pictures[0]] * (-len(pictures) % step)]
