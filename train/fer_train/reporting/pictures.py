"""Pictures inside a page: encoded as PNG, and as addresses that need no file beside it."""

from __future__ import annotations

import base64

import cv2

from fer_edge.types import Image


def as_png(image: Image) -> bytes:
    """Encode uint8 (H, W, 3) blue-green-red or (H, W) grey."""
    return cv2.imencode(".png", image)[1].tobytes()


def as_data_uri(image: Image) -> str:
    """The same as `data:image/png;base64,...`."""
    return "data:image/png;base64," + base64.b64encode(as_png(image)).decode()
