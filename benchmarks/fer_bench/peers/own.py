"""Our own model as a peer: the snippet that puts it beside the others on the same crop, timed by the same code."""

from __future__ import annotations

from fer_edge.bundle import Bundle
from fer_edge.classifier import Classifier
from fer_edge.classifier import load as load_classifier
from fer_edge.preprocess import central_square
from fer_edge.types import Image

_loaded: list[Classifier] = []


def load(bundle: str, format: str, precision: str, runtime: str, threads: int) -> None:  # noqa: A002 - as manifests call it
    """Open the artifact as the device does, proof included."""
    opened = Bundle.open(bundle)
    artifact = opened.pick((format,), precision)
    _loaded.append(load_classifier(opened, artifact, runtime=runtime, threads=threads))


def classify(crop: Image) -> dict[str, float]:
    """{label: probability} of one face; crop: uint8 (H, W, 3) blue-green-red."""
    classifier = _loaded[0]
    (found,) = classifier.classify(crop, [central_square(crop)])
    return dict(zip(classifier.labels, found.probabilities, strict=True))
