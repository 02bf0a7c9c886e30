"""From frame to observation: the parts in their order, and on a real clip what they cover and what they save."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.detectors.weights import read_weights
from fer_edge.detectors.whole import Whole
from fer_edge.detectors.yunet import YuNet, open_yunet
from fer_edge.pipeline import PipelineOptions, build_pipeline
from fer_edge.turns import TurnOptions
from fer_edge.types import Box, Expression, Face, Frame, Image, Observation
from support.painted import HAPPY, LABELS, SAD, WALL, PaintedDetector, ToldClassifier, background, frames, paint
from support.shared import media, yunet

FACE = Box(300, 120, 60, 72)
SCENE = paint(background(), FACE)
DIMMED = np.maximum(SCENE, 25) - np.uint8(25)


def play(
    pictures: list[Image], classifier: ToldClassifier | None = None, options: PipelineOptions | None = None
) -> list[Observation]:
    pipeline = build_pipeline(classifier or ToldClassifier(), PaintedDetector(), options)
    return [pipeline.step(frame) for frame in frames(pictures)]


def test_a_frame_becomes_an_observation() -> None:
    frame = Frame(SCENE, 1.5, WALL, 7, "clip.mp4")
    observation = build_pipeline(ToldClassifier(), PaintedDetector()).step(frame)
    assert (observation.seq, observation.captured_s, observation.wall) == (7, 1.5, WALL)
    assert (observation.width_px, observation.height_px, observation.origin) == (640, 360, "clip.mp4")
    assert (observation.searched, observation.left) == ("full", ())


def test_the_face_has_its_id_its_place_and_its_expression() -> None:
    (face,) = play([SCENE])[0].faces
    assert (face.track_id, face.score) == (1, 0.9)
    assert face.box.iou(FACE) > 0.9
    assert face.expression.probabilities == pytest.approx(HAPPY.probabilities)
    assert (face.expression.label, face.raw) == ("happy", HAPPY)


def test_the_classifier_is_told_who_found_the_face() -> None:
    classifier = ToldClassifier()
    play([SCENE], classifier)
    assert classifier.cropped[0][1] == "painted"


def test_every_stage_is_timed() -> None:
    stages = play([SCENE])[0].stages_ms
    assert list(stages) == ["detect", "track", "classify", "smooth"]
    assert all(value >= 0.0 for value in stages.values())


def test_a_face_that_moves_keeps_its_id_and_is_followed_in_every_frame() -> None:
    moved = [FACE.shifted(4 * i, 2 * i) for i in range(60)]
    observed = play([paint(background(), box) for box in moved])
    for observation, box in zip(observed, moved, strict=True):
        assert [face.track_id for face in observation.faces] == [1]
        assert observation.faces[0].box.iou(box) > 0.6


def test_most_frames_are_not_searched() -> None:
    observed = play([SCENE] * 90)
    assert sum(observation.searched == "none" for observation in observed) >= 55


def test_a_face_is_classified_every_tenth_of_a_second() -> None:
    classifier = ToldClassifier()
    observed = play([SCENE] * 30, classifier, PipelineOptions(turns=TurnOptions(changed=0.0)))
    assert classifier.faces == 10
    assert [observation.faces[0].raw is not None for observation in observed[:6]] == [True, False, False] * 2


def test_a_face_that_does_not_change_is_classified_once_a_second() -> None:
    classifier = ToldClassifier()
    observed = play([SCENE] * 90, classifier)
    assert classifier.faces == 3
    assert [i for i, observation in enumerate(observed) if observation.faces[0].raw] == [0, 30, 60]


def test_a_face_that_changes_is_classified_when_its_turn_comes() -> None:
    classifier = ToldClassifier()
    observed = play([SCENE] * 10 + [DIMMED] * 10, classifier)
    assert [i for i, observation in enumerate(observed) if observation.faces[0].raw] == [0, 12]


def test_what_did_not_change_weighs_as_much_as_if_it_had_been_classified_again() -> None:
    def happiness(options: PipelineOptions) -> list[float]:
        """How happy it is held for while it is sad for most of a second, and then is not."""
        classifier = ToldClassifier(SAD)
        pipeline = build_pipeline(classifier, PaintedDetector(), options)
        found = []
        for i, frame in enumerate(frames([SCENE] * 21 + [DIMMED] * 6)):
            classifier.say = HAPPY if i >= 21 else SAD
            found.append(pipeline.step(frame).faces[0].expression.probabilities[0])
        return found

    rare = happiness(PipelineOptions())
    assert rare[-1] > rare[0]
    assert rare == pytest.approx(happiness(PipelineOptions(turns=TurnOptions(changed=0.0))))


def test_between_times_a_face_keeps_its_expression() -> None:
    assert all(observation.faces[0].expression.label == "happy" for observation in play([SCENE] * 30))


def test_a_face_can_be_classified_in_every_frame() -> None:
    classifier = ToldClassifier()
    pipeline = build_pipeline(
        classifier, PaintedDetector(), PipelineOptions(turns=TurnOptions(every_s=0.0, changed=0.0))
    )
    for frame in frames([SCENE] * 10):
        pipeline.step(frame)
    assert classifier.faces == 10


def test_a_new_face_is_classified_in_its_first_frame() -> None:
    for observation in play([SCENE] * 5 + [paint(SCENE, Box(60, 60, 50, 60))] * 20):
        for face in observation.faces:
            assert face.expression.probabilities


def test_a_lasting_change_of_expression_is_told() -> None:
    classifier = ToldClassifier(HAPPY)
    pipeline = build_pipeline(classifier, PaintedDetector())
    labels = []
    for i, frame in enumerate(frames([SCENE] * 45 + [DIMMED] * 45)):
        classifier.say = SAD if i >= 45 else HAPPY
        labels.append(pipeline.step(frame).faces[0].expression.label)
    changed = labels.index("sad")
    assert 45 < changed < 45 + 15
    assert labels == ["happy"] * changed + ["sad"] * (90 - changed)


def test_the_threshold_for_uncertain_is_the_classifiers_own() -> None:
    assert play([SCENE], ToldClassifier(HAPPY, uncertain_below=0.95))[0].faces[0].expression.label is None


def test_a_face_that_leaves_is_told_and_forgotten() -> None:
    pipeline = build_pipeline(ToldClassifier(), PaintedDetector())
    observed = [pipeline.step(frame) for frame in frames([SCENE] * 10 + [background()] * 60)]
    assert [observation.left for observation in observed if observation.left] == [(1,)]
    assert observed[-1].faces == ()
    assert (len(pipeline.turns), pipeline.smoother._held, pipeline.smoother._states) == (0, {}, {})


def test_after_a_cut_nobody_is_the_same() -> None:
    observed = play([SCENE] * 5 + [paint(background(seed=1), FACE)] * 5)
    assert observed[5].left == (1,)
    assert [face.track_id for face in observed[5].faces] == [2]


def test_where_the_clock_goes_back_all_tracks_end() -> None:
    pipeline = build_pipeline(ToldClassifier(), PaintedDetector())
    for frame in frames([SCENE] * 10):
        pipeline.step(frame)
    observation = pipeline.step(Frame(SCENE, 0.05, WALL, 10))
    assert observation.left == (1,)
    assert [face.track_id for face in observation.faces] == [2]


def test_a_frame_without_faces_asks_nothing_of_the_model() -> None:
    classifier = ToldClassifier()
    (observation,) = play([background()], classifier)
    assert observation.faces == ()
    assert classifier.faces == 0


def test_a_picture_that_is_a_face_is_taken_whole() -> None:
    classifier = ToldClassifier()
    pipeline = build_pipeline(classifier, Whole())
    (face,) = pipeline.step(Frame(background(48, 48), 0.0, WALL, 0)).faces
    assert face.box == Box(0, 0, 48, 48)
    assert classifier.cropped == [(Box(0, 0, 48, 48), "whole")]


# --- pictures on their own


def test_pictures_on_their_own_count_their_faces_from_one() -> None:
    pipeline = build_pipeline(ToldClassifier(), PaintedDetector())
    two = paint(SCENE, Box(60, 60, 50, 60))
    for picture, count in ((two, 2), (SCENE, 1), (two, 2)):
        found = pipeline.still(Frame(picture, 0.0, WALL, 0))
        assert [face.track_id for face in found.faces] == list(range(1, count + 1))


def test_a_picture_on_its_own_is_not_smoothed() -> None:
    classifier = ToldClassifier(HAPPY)
    pipeline = build_pipeline(classifier, PaintedDetector())
    pipeline.still(Frame(SCENE, 0.0, WALL, 0))
    classifier.say = SAD
    (face,) = pipeline.still(Frame(SCENE, 0.0, WALL, 1)).faces
    assert face.expression == face.raw == SAD


def test_a_picture_on_its_own_is_searched_larger_than_a_frame() -> None:
    detector = PaintedDetector()
    observation = build_pipeline(ToldClassifier(), detector).still(Frame(background(1280, 720), 0.0, WALL, 0, "a.jpg"))
    assert detector.searched == [(640, 360)]
    assert (observation.searched, observation.origin, list(observation.stages_ms)) == (
        "full",
        "a.jpg",
        ["detect", "classify"],
    )


def test_pictures_between_frames_leave_the_tracks_alone() -> None:
    pipeline = build_pipeline(ToldClassifier(), PaintedDetector())
    for frame in frames([SCENE] * 4):
        pipeline.step(frame)
        pipeline.still(Frame(background(seed=5), 0.0, WALL, 0))
    assert [face.track_id for face in pipeline.step(Frame(SCENE, 0.2, WALL, 9)).faces] == [1]


# --- a real clip


class Counted:
    """YuNet, with the pixels that it searched."""

    name = "yunet"

    def __init__(self, detector: YuNet) -> None:
        self._detector = detector
        self.pixels = 0

    def detect(self, image: Image) -> list[Face]:
        self.pixels += image.shape[0] * image.shape[1]
        return self._detector.detect(image)


def clip(name: str) -> list[Frame]:
    capture = cv2.VideoCapture(str(media(name)))
    found: list[Frame] = []
    while True:
        ok, picture = capture.read()
        if not ok:
            return found
        captured_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        found.append(Frame(np.asarray(picture, dtype=np.uint8), captured_s, WALL, len(found)))


def wanted(detector: YuNet, frame: Frame) -> list[Box]:
    """The faces that a search of the frame at 640 px finds with a score of 0.8."""
    height, width = frame.image.shape[:2]
    size = (640, round(height * 640 / width))
    image = np.asarray(cv2.resize(frame.image, size), dtype=np.uint8)
    faces = detector.detect(image)
    return [face.box.scaled(width / size[0], height / size[1]) for face in faces if face.score >= 0.8]


@pytest.mark.parametrize(
    ("name", "check_every", "least_cover", "most_pixels"),
    [  # frames checked share no divisor with the schedule's period of three, so looks and gaps are both among them
        ("short_hamilton_clip.mp4", 4, 0.97, 0.30),
        ("head-pose-face-detection-female-and-male.gif", 4, 0.97, 0.40),
        ("face-demographics-walking.gif", 1, 0.90, 0.50),
        ("classroom.gif", 4, 0.97, 0.50),
    ],
)
def test_a_real_clip_is_covered_at_a_fraction_of_the_searching(
    name: str, check_every: int, least_cover: float, most_pixels: float
) -> None:
    detector = open_yunet(read_weights(yunet()))
    counted = Counted(detector)
    pipeline = build_pipeline(ToldClassifier(Expression((0.8, 0.1, 0.1), LABELS[0])), counted)
    total = covered = every_frame = 0
    for frame in clip(name):
        observation = pipeline.step(frame)
        every_frame += 320 * round(320 * observation.height_px / observation.width_px)
        if frame.seq % check_every:
            continue
        boxes = wanted(detector, frame)
        total += len(boxes)
        covered += sum(any(box.iou(face.box) >= 0.4 for face in observation.faces) for box in boxes)
    assert covered / total >= least_cover
    assert counted.pixels / every_frame <= most_pixels
