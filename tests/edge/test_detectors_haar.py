"""The Haar cascade, where OpenCV brings it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.detectors import haar
from fer_edge.detectors.haar import Haar, open_haar
from fer_edge.errors import RuntimeUnavailable
from fer_edge.types import Box, Image
from support.shared import media

needs_cascade = pytest.mark.skipif(not haar.haar_installed(), reason="this OpenCV has no Haar cascade")


def picture(name: str) -> Image:
    image = cv2.imread(str(media(name)))
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


@needs_cascade
def test_frontal_faces_of_a_real_picture_are_found_where_they_are() -> None:
    faces = sorted(open_haar().detect(picture("two_people.jpg")), key=lambda face: face.box.x)
    assert len(faces) == 2
    assert faces[0].box.iou(Box(241, 32, 143, 195)) > 0.5
    assert faces[1].box.iou(Box(787, 48, 149, 207)) > 0.5


@needs_cascade
def test_every_score_is_one_and_there_are_no_landmarks() -> None:
    (face,) = open_haar().detect(picture("obama-480p.jpg"))
    assert (face.score, face.landmarks) == (1.0, ())


@needs_cascade
def test_a_picture_without_faces_has_none() -> None:
    assert open_haar().detect(np.zeros((180, 320, 3), np.uint8)) == []


@needs_cascade
def test_a_picture_smaller_than_the_cascade_has_none() -> None:
    assert open_haar().detect(np.zeros((3, 3, 3), np.uint8)) == []


class Cascade:
    """Finds what it is told, and notes how large the picture was."""

    def __init__(self, *boxes: tuple[int, int, int, int]) -> None:
        self.boxes = np.array(boxes, dtype=np.int32) if boxes else ()
        self.shape: tuple[int, ...] = ()

    def detectMultiScale(self, gray: Image, **options: object) -> object:  # noqa: N802 - OpenCV's name
        self.shape = gray.shape
        return self.boxes


def test_a_large_picture_is_reduced_first() -> None:
    cascade = Cascade()
    assert Haar(cascade).detect(np.zeros((1080, 1920, 3), np.uint8)) == []
    assert cascade.shape == (180, 320)


def test_boxes_are_scaled_back_clamped_to_the_picture_and_largest_first() -> None:
    faces = Haar(Cascade((10, 10, 20, 20), (300, 150, 40, 40))).detect(np.zeros((360, 640, 3), np.uint8))
    assert [face.box for face in faces] == [Box(600, 300, 40, 60), Box(20, 20, 40, 40)]


def test_an_opencv_without_the_cascade_is_told_with_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(RuntimeUnavailable, match=r"put YuNet's weights into a model folder.*opencv-python-headless<5"):
        open_haar()
