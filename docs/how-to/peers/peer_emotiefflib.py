"""EmotiEffLib 1.x as a peer: one face at a time, through ONNX Runtime. It takes red-green-blue."""

from __future__ import annotations

from typing import Any

_loaded: list[Any] = []


def load(model: str) -> None:
    """Everything slow: the imports, the weights, the session."""
    from emotiefflib.facial_analysis import EmotiEffLibRecognizer  # noqa: PLC0415 - this is what takes long

    _loaded.append(EmotiEffLibRecognizer(engine="onnx", model_name=model, device="cpu"))


def classify(crop: Any) -> dict[str, float]:  # noqa: ANN401 - an array
    """Probabilities by the library's own names."""
    recognizer = _loaded[0]
    _, scores = recognizer.predict_emotions(crop[:, :, ::-1].copy(), logits=False)
    return {name: scores[0][i] for i, name in recognizer.idx_to_emotion_class.items()}
