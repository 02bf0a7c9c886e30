"""YuNet (Wu, Peng and Yu 2023): in ONNX Runtime with our own decoder, else in OpenCV's `FaceDetectorYN`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.weights import FoundWeights
from fer_edge.errors import BundleRefused, RuntimeUnavailable, UsageError
from fer_edge.runtimes import ENGINES, Runtime, open_runtime
from fer_edge.types import Array, Box, Face, Image

NAME = "yunet"
SCORE_THRESHOLD = 0.5
"""OpenCV Zoo's wrapper takes 0.6, its demo and `FaceDetectorYN` 0.9. Lower here, because the schedule looks closely at
what is unsure and believes that: a far face with 0.5 in the reduced frame has 0.8 and more in a close-up."""
NMS_IOU = 0.3
"""As in OpenCV Zoo: of two boxes that overlap more, the better one stays."""
TOP_K = 5000
"""As in OpenCV Zoo: candidates kept before the suppression, best first."""

_STRIDES = (8, 16, 32)
_DIVISOR = 32
_OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES)
_MAX_SIZES = 6
"""Picture sizes for which a buffer or net is kept, the last used: of the full frame, of one close-up, of two, …"""
_OPENCV_LEAST_PX = _DIVISOR + 1
"""OpenCV 4.14 reads memory that it never wrote when a padded side is a single cell of the last stride: smaller pictures
are enlarged by black, to two cells."""

T = TypeVar("T")
Rows = NDArray[np.float32]
"""(N, 15): x, y, width, height, five landmarks as (x, y), score; pixels; as `FaceDetectorYN` gives them."""


class _Engine(Protocol):
    """What runs the net. name: "onnxruntime" or "opencv"."""

    name: str

    def rows(self, image: Image) -> Rows:
        """Faces in a picture."""


class YuNet:
    """The detector. engine: what runs it; version: of the weights ("unknown" if they are not known by their hash)."""

    name = NAME

    def __init__(self, engine: _Engine, version: str) -> None:
        """Use `open_yunet`."""
        self._engine, self.engine, self.version = engine, engine.name, version

    def detect(self, image: Image) -> list[Face]:
        """Faces in a picture (uint8 (H, W, 3) blue-green-red) of about 10 px or more, best first, with landmarks."""
        return [_face(row) for row in self._engine.rows(image).tolist()]


def open_yunet(weights: FoundWeights, *, engine: str | None = None, threads: int = 1) -> YuNet:
    """Load the weights and try them once.

    engine: "onnxruntime" or "opencv"; None takes the first if it is installed and the weights leave the picture's size
    open (2023mar fixes it, which OpenCV alone gets around). threads: of ONNX Runtime; OpenCV's are the process' own
    matter (`cv2.setNumThreads`). Raises BundleRefused when the file is not YuNet, RuntimeUnavailable, or UsageError.
    """
    if engine not in {None, "onnxruntime", "opencv"}:
        raise UsageError(f"YuNet runs in onnxruntime or opencv, not in {engine!r}")
    opened = None if engine == "opencv" else _open_own(weights, engine, threads)
    detector = YuNet(opened or _OpenCv(weights), weights.version)
    _prove(detector, weights)
    return detector


def _open_own(weights: FoundWeights, engine: str | None, threads: int) -> _Own | None:
    """ONNX Runtime, or None when it is not asked for and does not fit."""
    if engine is None and not any(each.installed for each in ENGINES if each.name == "onnxruntime"):
        return None
    try:
        runtime = open_runtime([weights.data], "onnx", runtime="onnxruntime", threads=threads)
    except BundleRefused as error:
        raise BundleRefused(f"{weights.path}: {error}") from None
    if sorted(spec.name for spec in runtime.outputs) != sorted(_OUTPUTS):
        raise BundleRefused(f"{weights.path} is not YuNet: its outputs are not cls, obj, bbox and kps at three strides")
    if 0 in runtime.input.shape[2:]:
        return _Own(runtime)
    if engine is None:
        return None
    size = "x".join(map(str, runtime.input.shape[2:]))
    raise RuntimeUnavailable(f"{weights.path} takes {size} pictures only in onnxruntime: take 2026may, or opencv")


def _prove(detector: YuNet, weights: FoundWeights) -> None:
    """Run once on nothing: a file that is some other net shows it here, not in the first frame."""
    try:
        detector.detect(np.zeros((_DIVISOR, _DIVISOR, 3), dtype=np.uint8))
    except (cv2.error, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise BundleRefused(f"{weights.path} is not YuNet: {reason}") from None


class _Own:
    """Any runtime that takes pictures of any size; the blob is written in place, the outputs are decoded here."""

    def __init__(self, runtime: Runtime) -> None:
        self.name = runtime.name
        self._runtime = runtime
        names = [spec.name for spec in runtime.outputs]
        self._order = [names.index(name) for name in _OUTPUTS]
        self._blobs: OrderedDict[tuple[int, int], _Blob] = OrderedDict()

    def rows(self, image: Image) -> Rows:
        blob = self._blob(image)
        outputs = self._runtime.infer(blob.write(image))
        return suppress(decode([outputs[i] for i in self._order], blob.width))

    def _blob(self, image: Image) -> _Blob:
        height, width = (-(-side // _DIVISOR) * _DIVISOR for side in image.shape[:2])
        return _kept(self._blobs, (height, width), lambda: _Blob(height, width))


class _Blob:
    """A reused float32 (1, 3, height, width) buffer, 0-255, blue-green-red, black beyond the picture."""

    def __init__(self, height: int, width: int) -> None:
        self.width = width
        self._data = np.zeros((1, 3, height, width), dtype=np.float32)
        self._written = (height, width)

    def write(self, image: Image) -> NDArray[np.float32]:
        size = (image.shape[0], image.shape[1])
        if size != self._written:
            self._data.fill(0.0)
            self._written = size
        np.copyto(self._data[0, :, : size[0], : size[1]], image.transpose(2, 0, 1))
        return self._data


class _OpenCv:
    """`cv2.FaceDetectorYN`, which pads, decodes and suppresses in C++.

    One net per size: to change a net's size there and back costs half a full search.
    """

    name = "opencv"

    def __init__(self, weights: FoundWeights) -> None:
        self._weights = weights
        self._nets: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def rows(self, image: Image) -> Rows:
        down, across = (max(0, _OPENCV_LEAST_PX - side) for side in image.shape[:2])
        if down or across:
            image = np.pad(image, ((0, down), (0, across), (0, 0)))
        size = (image.shape[1], image.shape[0])
        found = _kept(self._nets, size, lambda: self._open(size)).detect(image)[1]
        return np.zeros((0, 15), dtype=np.float32) if found is None else np.asarray(found, dtype=np.float32)

    def _open(self, size: tuple[int, int]) -> Any:  # noqa: ANN401 - OpenCV 4 and 5 type it differently
        model, config = np.frombuffer(self._weights.data, dtype=np.uint8), np.zeros(0, dtype=np.uint8)
        try:
            return cv2.FaceDetectorYN.create("onnx", model, config, size, SCORE_THRESHOLD, NMS_IOU, TOP_K)
        except cv2.error as error:
            reason = str(error).strip().splitlines()[-1]
            raise BundleRefused(f"{self._weights.path}: OpenCV does not take this model: {reason}") from None


def _kept(cache: OrderedDict[tuple[int, int], T], key: tuple[int, int], make: Callable[[], T]) -> T:
    """What is kept for a size, made when missing; of more than `_MAX_SIZES` the one not used for longest goes."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > _MAX_SIZES:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


def decode(outputs: Sequence[Array], width: int) -> Rows:
    """Candidates from the net's twelve outputs.

    outputs: cls, obj, bbox and kps, each at strides 8, 16 and 32, float32 (1, cells, values), cells row by row.
    width: of the padded picture, pixels. A cell's score is sqrt(cls * obj); cells below the threshold are dropped
    before anything else is computed, so that an empty picture costs three products.
    """
    found = [_stride(outputs[i::3], stride, width // stride) for i, stride in enumerate(_STRIDES)]
    return np.concatenate(found)


def _stride(outputs: Sequence[Array], stride: int, columns: int) -> Rows:
    cls, obj, bbox, kps = (values[0] for values in outputs)
    squared = cls[:, 0] * obj[:, 0]
    cells = np.flatnonzero(squared >= SCORE_THRESHOLD**2)
    rows = np.empty((len(cells), 15), dtype=np.float32)
    if not len(cells):
        return rows
    corner = np.stack((cells % columns, cells // columns), axis=1).astype(np.float32)
    box = bbox[cells]
    size = np.exp(box[:, 2:])
    rows[:, :2] = (corner + box[:, :2] - size / 2) * stride
    rows[:, 2:4] = size * stride
    rows[:, 4:14] = (kps[cells] + np.tile(corner, 5)) * stride
    rows[:, 14] = np.sqrt(np.minimum(squared[cells], 1.0))
    return rows


def suppress(rows: Rows) -> Rows:
    """Greedy non-maximum suppression: best first, each drops those that overlap it by more than `NMS_IOU`."""
    left = rows[np.argsort(-rows[:, 14], kind="stable")[:TOP_K]]
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[1:][_overlap(left[0], left[1:]) <= NMS_IOU]
    return np.asarray(kept, dtype=np.float32).reshape(-1, 15)


def _overlap(row: Rows, others: Rows) -> NDArray[np.float32]:
    """Intersection over union of one box with each of the others."""
    low = np.maximum(row[:2], others[:, :2])
    high = np.minimum(row[:2] + row[2:4], others[:, :2] + others[:, 2:4])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    overlap: NDArray[np.float32] = shared / (row[2] * row[3] + others[:, 2] * others[:, 3] - shared)
    return overlap


def _face(row: list[float]) -> Face:
    points = tuple((row[i], row[i + 1]) for i in range(4, 14, 2))
    return Face(Box(row[0], row[1], row[2], row[3]), row[14], points)
