"""DeepFace 0.0.9x as a peer: `DeepFace.analyze` for the emotion alone, told in percent."""

from __future__ import annotations

from typing import Any

_loaded: dict[str, Any] = {}


def load(detector: str) -> None:
    """Everything slow: the imports; the weights come with the first picture."""
    from deepface import DeepFace  # noqa: PLC0415 - this is what takes long

    _loaded.update(analyze=DeepFace.analyze, detector=detector)


def classify(crop: Any) -> dict[str, float]:  # noqa: ANN401 - an array
    """The crop is the face: nothing is searched in it."""
    return _analyzed(crop, "skip")[0]["emotion"]


def faces(frame: Any) -> list[tuple[Any, dict[str, float]]]:  # noqa: ANN401 - an array
    """Where it finds nothing it gives the whole picture, with a confidence of 0."""
    found = [face for face in _analyzed(frame, _loaded["detector"]) if face["face_confidence"] > 0]
    return [([face["region"][key] for key in "xywh"], face["emotion"]) for face in found]


def _analyzed(picture: Any, detector: str) -> list[dict[str, Any]]:  # noqa: ANN401 - an array
    return _loaded["analyze"](
        picture, actions=["emotion"], detector_backend=detector, enforce_detection=False, silent=True
    )
