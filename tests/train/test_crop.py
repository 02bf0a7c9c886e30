"""The crop contract: fitted exactly where a detector is exact, robustly where it is not, and right on real faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.detectors import FaceDetector
from fer_edge.detectors.opening import open_detector
from fer_edge.errors import ConfigError, InputError, OutputError, UsageError
from fer_edge.preprocess import CropContract, PreprocessSpec
from fer_edge.types import Box, Face, Image
from fer_train import crop, data
from fer_train.data import Dataset
from support import shared

LABELS = ("a", "b")
VIEW = crop.View(face_px=40, border=0.5)
SQUARE = Box(20, 20, 40, 40)
"""Where `VIEW` puts the picture: a border of 20 px around 40 px."""
RIGHT = Box(25, 30, 32, 32)
"""A box whose contract is margin 1/4, dx -1/32, dy -6/32."""
FRAME = (480, 640)


@dataclass
class Scripted:
    """Answers the n-th picture with the n-th list of faces, over and over, and keeps what it saw."""

    answers: list[list[Face]]
    name: str = "scripted"
    seen: Image | None = None
    asked: int = 0

    def detect(self, image: Image) -> list[Face]:
        self.seen = image
        self.asked += 1
        return self.answers[(self.asked - 1) % len(self.answers)]


def face(box: Box, score: float = 0.9) -> Face:
    return Face(box, score)


def pictures(count: int, channels: int = 1) -> Image:
    """Flat pictures of 8 x 8, each of its own level."""
    levels = np.arange(count, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    return levels if channels == 1 else levels[..., None].repeat(channels, 3)


def dataset(images: Image) -> Dataset:
    targets = np.arange(len(images), dtype=np.int64) % len(LABELS)
    return Dataset(images, targets, LABELS, ("x",) * len(images), "fer2013:/somewhere/private/faces")


def test_the_contract_of_an_exact_detector_gives_back_the_square() -> None:
    fitted = crop.fit(Scripted([[face(RIGHT)]]), pictures(40), VIEW)
    cut = fitted.contract.apply(RIGHT)
    assert (cut.x, cut.y, cut.w, cut.h) == pytest.approx((SQUARE.x, SQUARE.y, SQUARE.w, SQUARE.h), abs=0.01)
    assert (fitted.n, fitted.found) == (40, 1.0)
    assert fitted.spread == pytest.approx((0.0, 0.0, 0.0))
    assert fitted.iou > 0.999


def test_a_fifth_of_wild_boxes_does_not_move_the_contract() -> None:
    wild = face(Box(40, 40, 20, 20))
    fitted = crop.fit(Scripted([[face(RIGHT)]] * 4 + [[wild]]), pictures(40), VIEW)
    assert fitted.contract == crop.fit(Scripted([[face(RIGHT)]]), pictures(40), VIEW).contract
    assert fitted.iou_p10 < 0.5 < fitted.iou


def test_the_share_of_pictures_without_a_face_is_told() -> None:
    assert crop.fit(Scripted([[face(RIGHT)], []]), pictures(80), VIEW).found == 0.5


def test_a_surer_box_on_an_eye_is_not_the_face() -> None:
    eye = face(Box(30, 35, 8, 8), score=0.99)
    fitted = crop.fit(Scripted([[eye, face(RIGHT)]]), pictures(40), VIEW)
    assert fitted.margin == pytest.approx(0.25)


def test_of_equally_sure_boxes_the_larger_is_the_face() -> None:
    fitted = crop.fit(Scripted([[face(Box(30, 30, 20, 20)), face(RIGHT)]]), pictures(40), VIEW)
    assert fitted.margin == pytest.approx(0.25)


def test_a_face_in_the_border_is_not_the_face() -> None:
    with pytest.raises(InputError, match="scripted found a face in 0 of 40 pictures"):
        crop.fit(Scripted([[face(Box(-10, -10, 28, 28))]]), pictures(40), VIEW)


def test_a_median_of_few_boxes_is_refused() -> None:
    with pytest.raises(InputError, match="a crop contract needs 30"):
        crop.fit(Scripted([[face(RIGHT)]]), pictures(crop.MIN_FOUND - 1), VIEW)


def test_the_detector_that_looks_at_nothing_has_no_contract() -> None:
    with pytest.raises(UsageError, match="'whole' takes pictures as they are"):
        crop.fit(Scripted([], name="whole"), pictures(40), VIEW)


@pytest.mark.parametrize("fill", ["mean", "repeat", "blur"])
def test_a_view_holds_the_picture_where_it_says(fill: crop.Fill) -> None:
    picture = np.tile(np.array([[0, 200], [200, 0]], dtype=np.uint8), (4, 4))
    shown, square = crop.show(picture, crop.View(face_px=8, border=0.5, fill=fill))
    assert shown.shape == (16, 16, 3)
    assert np.array_equal(shown[4:12, 4:12, 0], picture)
    assert (square.x, square.y, square.w) == (4, 4, 8)


def test_the_border_is_the_mean_grey() -> None:
    picture = np.repeat(np.array([[0, 200]], dtype=np.uint8), 4, axis=1).repeat(8, 0)
    shown, _ = crop.show(picture, crop.View(face_px=8))
    assert shown[0, 0].tolist() == [100, 100, 100]


def test_a_detector_sees_blue_green_red_whatever_the_model_sees() -> None:
    red = np.zeros((40, 8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    detector = Scripted([[face(Box(150, 150, 280, 280))]])
    crop.fit_all([detector], dataset(red), "rgb", lambda _: None)
    assert detector.seen is not None
    assert detector.seen[288, 288].tolist() == [0, 0, 255]


def fit_all(say: Callable[[str], None] = lambda _: None, *detectors: FaceDetector) -> crop.CropFile:
    return crop.fit_all(detectors, dataset(pictures(40)), "gray", say)


GOOD = [[face(Box(150, 150, 280, 280))]]


def test_a_detector_that_finds_nothing_is_left_out_and_told() -> None:
    told: list[str] = []
    found = fit_all(told.append, Scripted(GOOD, name="good"), Scripted([[]], name="blind"))
    assert list(found.detectors) == ["good"]
    assert told[-1].startswith("no crop contract: blind found a face in 0 of 40")


def test_the_file_does_not_name_the_machines_folders() -> None:
    assert fit_all(lambda _: None, Scripted(GOOD)).data == "faces"


def test_contracts_come_back_from_the_file(tmp_path: Path) -> None:
    found = fit_all(lambda _: None, Scripted(GOOD, name="good"))
    crop.write(tmp_path / "crop.json", found)
    assert crop.contracts(tmp_path / "crop.json") == {"good": found.detectors["good"].contract}


def test_another_detector_on_the_same_pictures_joins_the_file(tmp_path: Path) -> None:
    path = tmp_path / "crop.json"
    for name in ("one", "two"):
        crop.write(path, fit_all(lambda _: None, Scripted(GOOD, name=name)))
    assert set(crop.contracts(path)) == {"one", "two"}


def test_contracts_of_other_pictures_do_not_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "crop.json"
    crop.write(path, fit_all(lambda _: None, Scripted(GOOD, name="one")))
    other = crop.fit_all([Scripted(GOOD, name="two")], dataset(pictures(42)), "gray", lambda _: None)
    crop.write(path, other)
    assert set(crop.contracts(path)) == {"two"}


def test_a_missing_file_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"crop\.json cannot be read: .*; fer-train crop makes it"):
        crop.contracts(tmp_path / "crop.json")


def test_a_key_too_many_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "crop.json"
    crop.write(path, fit_all(lambda _: None, Scripted(GOOD, name="good")))
    document = json.loads(path.read_text(encoding="utf-8"))
    document["detectors"]["good"]["angle"] = 3
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"detectors\.good\.angle is not a known key"):
        crop.contracts(path)


def test_text_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crop.json").write_text("margin = 3", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not valid JSON"):
        crop.contracts(tmp_path / "crop.json")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone/crop\.json cannot be written"):
        crop.write(tmp_path / "gone" / "crop.json", fit_all(lambda _: None, Scripted(GOOD)))


# Real faces: YuNet on FER2013 and on photographs.

GRAY = PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,))
FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture(scope="module")
def yunet() -> FaceDetector:
    return open_detector("yunet", weights=shared.yunet())


@pytest.fixture(scope="module")
def faces() -> Image:
    """250 training pictures of FER2013, classes in equal shares."""
    return data.load(str(shared.fer2013()), FER2013, GRAY, "train", limit=250).images


@pytest.fixture(scope="module")
def fitted(yunet: FaceDetector, faces: Image) -> crop.Fitted:
    return crop.fit(yunet, faces)


def test_yunet_finds_nearly_every_training_face(fitted: crop.Fitted) -> None:
    assert fitted.found >= 0.93
    assert fitted.iou >= 0.75


@pytest.mark.parametrize("view", [crop.View(border=0.25), crop.View(face_px=224)])
def test_the_contract_hardly_depends_on_how_pictures_are_shown(
    yunet: FaceDetector, faces: Image, fitted: crop.Fitted, view: crop.View
) -> None:
    other = crop.fit(yunet, faces[::2], view)
    moved = np.subtract((other.margin, other.dx, other.dy), (fitted.margin, fitted.dx, fitted.dy))
    assert np.abs(moved).max() < 0.06


@pytest.mark.parametrize("side_px", [96, 200])
def test_pictures_put_into_a_frame_are_cut_out_where_they_lie(
    yunet: FaceDetector, fitted: crop.Fitted, side_px: int
) -> None:
    test = data.load(str(shared.fer2013()), FER2013, GRAY, "test", limit=60).images
    rng = np.random.default_rng(0)
    overlaps, moved = [], []
    for picture in test:
        frame, square = embedded(picture, side_px, rng)
        found = max(yunet.detect(frame), key=lambda each: each.score, default=None)
        if found is not None and found.box.iou(square) > 0.2:
            cut = fitted.contract.apply(found.box)
            overlaps.append(cut.iou(square))
            moved.append(np.subtract(cut.center, square.center) / side_px)
    # A box is as good as the detector; FER2013's own crops scatter by a tenth of their side.
    assert len(overlaps) >= 0.8 * len(test)
    assert np.median(overlaps) >= 0.70
    assert np.abs(np.median(moved, axis=0)).max() < 0.04


def embedded(picture: Image, side_px: int, rng: np.random.Generator) -> tuple[Image, Box]:
    """A training picture somewhere in a frame that goes from dark to light; the frame, and where the picture lies."""
    frame = np.tile(np.linspace(60, 180, FRAME[1]), (FRAME[0], 1)).astype(np.uint8)
    left, top = (int(rng.integers(0, room - side_px)) for room in (FRAME[1], FRAME[0]))
    frame[top : top + side_px, left : left + side_px] = cv2.resize(picture, (side_px, side_px))
    return np.repeat(frame[..., None], 3, axis=2), Box(left, top, side_px, side_px)


def levels(found: Face, square: Box) -> NDArray[np.float64]:
    """How deep eyes, nose and mouth lie in a square, as shares of its side."""
    ys = [(y - square.y) / square.h for _, y in found.landmarks]
    return np.array([(ys[0] + ys[1]) / 2, ys[2], (ys[3] + ys[4]) / 2])


@pytest.fixture(scope="module")
def usual_levels(yunet: FaceDetector, faces: Image) -> NDArray[np.float64]:
    """Where eyes, nose and mouth lie in FER2013's training pictures: medians."""
    rows = []
    for picture in faces:
        shown, square = crop.show(picture, crop.View())
        found = crop._the_face(yunet.detect(shown), square)
        if found is not None:
            rows.append(levels(found, square))
    return np.asarray(np.median(rows, axis=0))


@pytest.mark.parametrize(("name", "people"), [("obama-480p.jpg", 1), ("biden.jpg", 1), ("two_people.jpg", 2)])
def test_in_photographs_eyes_and_mouth_lie_where_they_lie_in_training_pictures(
    yunet: FaceDetector, fitted: crop.Fitted, usual_levels: NDArray[np.float64], name: str, people: int
) -> None:
    image = np.asarray(cv2.imread(str(shared.media(name))), dtype=np.uint8)
    found = [each for each in yunet.detect(image) if each.score >= 0.8]
    assert len(found) == people
    for each in found:
        assert levels(each, fitted.contract.apply(each.box)) == pytest.approx(usual_levels, abs=0.06)


def test_without_a_contract_they_would_not(yunet: FaceDetector, usual_levels: NDArray[np.float64]) -> None:
    image = np.asarray(cv2.imread(str(shared.media("obama-480p.jpg"))), dtype=np.uint8)
    found = yunet.detect(image)[0]
    loose = CropContract(margin=0.5).apply(found.box)
    assert levels(found, loose) != pytest.approx(usual_levels, abs=0.06)
