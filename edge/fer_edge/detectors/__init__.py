"""Face detectors behind one protocol."""

from __future__ import annotations

from typing import Protocol

from fer_edge.types import Face, Image


class FaceDetector(Protocol):
    """Finds faces in one picture. Not thread-safe.

    name: "yunet", "haar" or "whole"; the key of the bundle's crop contract, for each draws its boxes in its own way.
    """

    name: str

    def detect(self, image: Image) -> list[Face]:
        """Faces in a picture (uint8 (H, W, 3) blue-green-red), best first, boxes in the picture's own pixels."""
