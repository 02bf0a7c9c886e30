"""One picture from its file, whole or not at all."""

from __future__ import annotations

import hashlib
import os

import cv2
import numpy as np

from fer_edge.types import Image
from fer_train.data.entries import Source, Unusable

MAX_PICTURE_BYTES = 64 << 20
"""Of a file: a face is a few kB, an unpacked photograph of 20 megapixels just fits."""
JPEG_START, JPEG_END, JPEG_SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA


def decode(source: Source) -> Image:
    """uint8 (H, W, 3) blue-green-red, or (H, W) grey for a picture that is there already; raises Unusable."""
    if not isinstance(source, str):
        return source
    raw = _read(source)
    if raw.startswith(JPEG_START) and _is_cut_off(raw):
        raise Unusable("the file is cut off")  # OpenCV would give the picture with grey for what is missing
    try:
        picture = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise Unusable("not a readable picture")
    return np.asarray(picture, dtype=np.uint8)


def fingerprint(picture: Image) -> int:
    """64 bits of the SHA-256 over a picture's pixels, and its shape.

    Among a million different pictures two have the same with a probability of 3e-8.
    """
    height, width = int(picture.shape[0]), int(picture.shape[1])
    digest = hashlib.sha256(np.ascontiguousarray(picture).data).digest()
    return int.from_bytes(digest[:8], "little") ^ (height << 32 | width)  # a black 2 x 8 is no black 4 x 4


def _read(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY)  # Path.open takes longer than the decoding of a small face
        try:
            size = os.fstat(file).st_size
            raw = os.read(file, size) if size <= MAX_PICTURE_BYTES else b""
        finally:
            os.close(file)
    except OSError as error:
        raise Unusable(f"the file cannot be read ({error.strerror})") from None
    if size > MAX_PICTURE_BYTES:
        raise Unusable(f"the file has more than {MAX_PICTURE_BYTES >> 20} MiB")
    if not raw:
        raise Unusable("the file is empty")
    return raw


def _is_cut_off(raw: bytes) -> bool:
    """Whether a JPEG has no end: no end-of-image marker after its first scan (ITU-T T.81, B.1.1).

    In the scan's own data the marker cannot occur; before it, a thumbnail in the metadata may have one.
    """
    if raw.endswith(JPEG_END):
        return False
    at = len(JPEG_START)
    while raw[at : at + 1] == b"\xff" and at + 4 <= len(raw):
        if raw[at + 1] == JPEG_SCAN:
            return raw.find(JPEG_END, at) < 0
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return True
