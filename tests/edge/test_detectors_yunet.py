"""YuNet: our decoder and OpenCV's give the same faces on real pictures, and weights are what they are said to be."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_edge.detectors import yunet as module
from fer_edge.detectors.weights import read_weights
from fer_edge.detectors.yunet import NMS_IOU, SCORE_THRESHOLD, YuNet, decode, open_yunet, suppress
from fer_edge.errors import BundleRefused, ExitCode, RuntimeUnavailable, UsageError
from fer_edge.types import Image
from support.shared import media, yunet

FACES = {
    "obama-480p.jpg": 1,
    "biden.jpg": 1,
    "obama_and_biden.jpg": 3,
    "two_people.jpg": 2,
    "obama_partial_face2.jpg": 1,
}
SAME_PX = 0.01
"""Both compute in float32; they differ in the order of the sums."""


def picture(name: str, longer_px: int) -> Image:
    image = cv2.imread(str(media(name)))
    assert image is not None
    scale = longer_px / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def opened(version: str = "2026may", engine: str | None = None) -> YuNet:
    if engine != "opencv":
        pytest.importorskip("onnxruntime")
    return open_yunet(read_weights(yunet(version)), engine=engine)


def same(a: YuNet, b: YuNet, image: Image) -> None:
    ours, theirs = a.detect(image), b.detect(image)
    assert len(ours) == len(theirs)
    for face, other in zip(ours, theirs, strict=True):
        assert (face.box.x, face.box.y, face.box.w, face.box.h) == pytest.approx(
            (other.box.x, other.box.y, other.box.w, other.box.h), abs=SAME_PX
        )
        assert face.score == pytest.approx(other.score, abs=1e-4)
        assert np.asarray(face.landmarks) == pytest.approx(np.asarray(other.landmarks), abs=SAME_PX)


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("longer_px", [640, 320])
def test_our_decoder_and_opencv_find_the_same_faces(name: str, longer_px: int) -> None:
    same(opened(), opened(engine="opencv"), picture(name, longer_px))


@pytest.mark.parametrize("name", FACES)
def test_both_versions_of_the_weights_find_the_same_faces(name: str) -> None:
    same(opened("2026may"), opened("2023mar"), picture(name, 320))


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv"])
@pytest.mark.parametrize(("name", "count"), FACES.items())
def test_the_faces_of_real_pictures_are_found(name: str, count: int, engine: str) -> None:
    sure = [face for face in opened(engine=engine).detect(picture(name, 640)) if face.score >= 0.8]
    assert len(sure) == count


def test_landmarks_are_the_persons_right_eye_left_eye_nose_and_mouth() -> None:
    (face,) = opened().detect(picture("obama-480p.jpg", 640))
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_faces_come_best_first() -> None:
    scores = [face.score for face in opened().detect(picture("obama_and_biden.jpg", 640))]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv"])
def test_an_empty_picture_has_no_face(engine: str) -> None:
    assert opened(engine=engine).detect(np.zeros((120, 160, 3), np.uint8)) == []


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv"])
def test_a_picture_of_one_pixel_has_no_face(engine: str) -> None:
    assert opened(engine=engine).detect(np.zeros((1, 1, 3), np.uint8)) == []


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv"])
def test_what_was_seen_before_does_not_matter(engine: str) -> None:
    fresh, used = opened(engine=engine), opened(engine=engine)
    image = picture("obama-480p.jpg", 310)
    for size in (320, 96, 318, 200, 640, 128, 64, 400):
        used.detect(picture("two_people.jpg", size))
    same(used, fresh, image)


def test_weights_of_a_fixed_size_are_run_by_opencv() -> None:
    assert opened("2023mar").engine == "opencv"
    assert opened("2026may").engine == "onnxruntime"


def test_weights_of_a_fixed_size_are_refused_where_onnxruntime_is_asked_for() -> None:
    with pytest.raises(RuntimeUnavailable, match="takes 640x640 pictures only"):
        opened("2023mar", "onnxruntime")


def test_without_onnxruntime_opencv_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENGINES", ())
    assert open_yunet(read_weights(yunet())).engine == "opencv"


def test_an_engine_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="not in 'tensorrt'"):
        open_yunet(read_weights(yunet()), engine="tensorrt")


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, engine: str) -> None:
    _need(engine)
    path = tmp_path / "faces.onnx"
    path.write_bytes(b"this is no model")
    with pytest.raises(BundleRefused, match=r"faces\.onnx") as refusal:
        open_yunet(read_weights(path), engine=engine)
    assert refusal.value.exit_code == ExitCode.REFUSED


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv"])
def test_another_net_is_refused(tmp_path: Path, engine: str) -> None:
    _need(engine)
    path = tmp_path / "other.onnx"
    path.write_bytes(yunet().read_bytes().replace(b"cls_8", b"xyz_8"))
    with pytest.raises(BundleRefused, match=r"other\.onnx"):
        open_yunet(read_weights(path), engine=engine)


def _need(engine: str) -> None:
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")


def slow(outputs: list[NDArray[np.float32]], width: int) -> list[list[float]]:
    """The decoder as OpenCV writes it, one cell at a time."""
    rows = []
    for i, stride in enumerate((8, 16, 32)):
        cls, obj, bbox, kps = (outputs[i + 3 * kind][0].astype(np.float64) for kind in range(4))
        for cell in range(len(cls)):
            row, column = divmod(cell, width // stride)
            score = math.sqrt(cls[cell, 0] * obj[cell, 0])
            if score < SCORE_THRESHOLD:
                continue
            w, h = math.exp(bbox[cell, 2]) * stride, math.exp(bbox[cell, 3]) * stride
            x, y = (column + bbox[cell, 0]) * stride - w / 2, (row + bbox[cell, 1]) * stride - h / 2
            points = [(kps[cell, k] + (row if k % 2 else column)) * stride for k in range(10)]
            rows.append([x, y, w, h, *points, score])
    return rows


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), across=st.integers(1, 5), down=st.integers(1, 4))
def test_the_fast_decoder_is_the_slow_one(seed: int, across: int, down: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = 32 * across, 32 * down
    outputs = []
    for values, low, high in ((1, 0.0, 1.0), (1, 0.0, 1.0), (4, -1.0, 2.0), (10, -3.0, 3.0)):
        for stride in (8, 16, 32):
            cells = (width // stride) * (height // stride)
            outputs.append(rng.uniform(low, high, (1, cells, values)).astype(np.float32))
    wanted = np.asarray(slow(outputs, width)).reshape(-1, 15)
    assert decode(outputs, width) == pytest.approx(wanted, rel=1e-4, abs=1e-3)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 60))
def test_no_two_kept_boxes_overlap_and_every_dropped_one_overlaps_a_better(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, 15), np.float32)
    rows[:, :2], rows[:, 2:4], rows[:, 14] = rng.uniform(0, 60, (count, 2)), 20.0, rng.uniform(0.5, 1, count)
    kept = suppress(rows)
    for i, row in enumerate(kept):
        assert all(overlap(row, other) <= NMS_IOU for other in kept[i + 1 :])
    for row in rows:
        better = [other for other in kept if other[14] >= row[14]]
        assert any(overlap(row, other) > NMS_IOU or (row == other).all() for other in better)


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return module._face(a.tolist()).box.iou(module._face(b.tolist()).box)


@pytest.mark.parametrize(("height", "width"), [(5, 300), (32, 64), (200, 20), (32, 32)])
def test_a_picture_of_one_cell_in_height_or_width_is_the_same_in_both(height: int, width: int) -> None:
    image = np.asarray(cv2.resize(picture("two_people.jpg", 640), (width, height)), dtype=np.uint8)
    same(opened(), opened(engine="opencv"), image)
