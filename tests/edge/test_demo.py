"""The built-in `demo` source: a face that detectors find, on a timeline that is known."""

from __future__ import annotations

import importlib
from dataclasses import astuple
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.cameras import features, portrait
from fer_edge.cameras.demo import (
    CYCLE_S,
    FPS,
    HEIGHT_PX,
    LOOKS,
    MORPH_S,
    TIMELINE,
    WIDTH_PX,
    DemoCamera,
    expected_label,
    look_at,
)
from fer_edge.labels import FER2013
from support.clocks import StillClock
from support.shared import yunet

FRAMES = round(CYCLE_S * FPS)
EVERY = 6
"""The detectors look at every so many frames of a cycle; each expression and each change is among them."""


@pytest.fixture(scope="module")
def camera() -> DemoCamera:
    return DemoCamera(StillClock())


def test_frames_have_the_promised_size_and_count_from_zero(camera: DemoCamera) -> None:
    with DemoCamera(StillClock()) as fresh:
        frames = [fresh.read(1.0) for _ in range(3)]
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert [frame.captured_s for frame in frames] == [0.0, 1 / FPS, 2 / FPS]
    assert {(frame.image.shape, frame.image.dtype) for frame in frames} == {
        ((HEIGHT_PX, WIDTH_PX, 3), np.dtype("uint8"))
    }


def test_the_demo_is_not_live_and_has_a_rate() -> None:
    camera = DemoCamera(StillClock())
    assert (camera.name, camera.live, camera.fps) == ("demo", False, 15.0)


def test_a_frame_is_the_same_picture_in_every_run_and_order(camera: DemoCamera) -> None:
    camera.render(100)
    assert (camera.render(7) == DemoCamera(StillClock()).render(7)).all()


def test_a_delivered_frame_is_not_touched_by_the_next_one() -> None:
    camera = DemoCamera(StillClock())
    first = camera.read(1.0)
    before = first.image.copy()
    camera.read(1.0)
    assert (first.image == before).all()


def test_no_two_frames_are_equal_not_even_while_the_expression_is_held(camera: DemoCamera) -> None:
    difference = np.abs(camera.render(10).astype(int) - camera.render(11)).mean()
    assert 0.5 < difference < 8.0


def test_another_seed_gives_other_noise() -> None:
    assert (DemoCamera(StillClock(), seed=1).render(0) != DemoCamera(StillClock(), seed=2).render(0)).any()


def test_the_demo_plays_in_real_time_when_it_is_paced() -> None:
    clock = StillClock()
    with DemoCamera(clock, pace=True) as camera:
        for _ in range(31):
            camera.read(1.0)
    assert clock.now_s - 100.0 == pytest.approx(30 / FPS)


def test_the_demo_never_waits_when_it_is_not_paced() -> None:
    clock = StillClock()
    with DemoCamera(clock) as camera:
        camera.read(1.0)
        camera.read(1.0)
    assert clock.now_s == 100.0


def test_the_timeline_begins_neutral_and_shows_at_least_four_expressions_of_fer2013() -> None:
    labels = [moment.label for moment in TIMELINE]
    assert labels[0] == "neutral"
    assert {"neutral", "happy", "surprise"} < set(labels) <= set(FER2013)
    assert all(moment.seconds >= 3.0 for moment in TIMELINE)


def test_the_cycle_lasts_as_long_as_its_moments_and_changes() -> None:
    assert pytest.approx(sum(moment.seconds + MORPH_S for moment in TIMELINE)) == CYCLE_S
    assert pytest.approx(round(CYCLE_S * FPS)) == CYCLE_S * FPS


@pytest.mark.parametrize("cycle", [0, 1, 1000])
def test_every_moment_is_expected_while_it_is_held_and_nothing_while_it_changes(cycle: int) -> None:
    start_s = cycle * CYCLE_S
    for moment in TIMELINE:
        assert expected_label(start_s + 0.01) == moment.label
        assert expected_label(start_s + moment.seconds - 0.01) == moment.label
        assert expected_label(start_s + moment.seconds + MORPH_S / 2) is None
        start_s += moment.seconds + MORPH_S


def test_a_held_face_shows_the_look_of_its_label() -> None:
    start_s = 0.0
    for moment in TIMELINE:
        assert look_at(start_s + 1.0) == LOOKS[moment.label]
        start_s += moment.seconds + MORPH_S


def test_the_face_never_jumps() -> None:
    widths = np.ptp([astuple(look) for look in LOOKS.values()], axis=0) + 1e-9
    looks = np.asarray([astuple(look_at(number / FPS)) for number in range(FRAMES + 1)])
    assert (np.abs(np.diff(looks, axis=0)) / widths).max() < 0.15


def test_the_mouth_of_a_surprised_face_is_dark_inside_and_that_of_a_neutral_one_is_not() -> None:
    def darkest(label: str) -> int:
        scene = portrait.scene().copy()
        features.draw(scene, LOOKS[label])
        mouth = scene[portrait.MOUTH_Y - 5 : portrait.MOUTH_Y + 10, portrait.CENTER_X - 10 : portrait.CENTER_X + 10]
        return int(mouth.max(axis=2).min())

    assert darkest("surprise") < 60 < darkest("neutral")


def test_drawing_changes_only_its_own_rectangle() -> None:
    scene = portrait.scene().copy()
    features.draw(scene, LOOKS["surprise"])
    scene[features.TOP : features.BOTTOM, features.LEFT : features.RIGHT] = 0
    untouched = portrait.scene().copy()
    untouched[features.TOP : features.BOTTOM, features.LEFT : features.RIGHT] = 0
    assert (scene == untouched).all()


def test_the_portrait_is_made_once_and_cannot_be_written_into() -> None:
    assert portrait.scene() is portrait.scene()
    with pytest.raises(ValueError, match="read-only"):
        portrait.scene()[0, 0] = 0


@pytest.mark.skipif(not hasattr(cv2, "CascadeClassifier"), reason="this OpenCV has no Haar cascades")
@pytest.mark.parametrize("scale_factor", [1.1, 1.2])
def test_haar_finds_one_face_throughout_the_cycle(camera: DemoCamera, scale_factor: float) -> None:
    data: Any = importlib.import_module("cv2.data")
    haar = cv2.CascadeClassifier(data.haarcascades + "haarcascade_frontalface_default.xml")
    offset = 0 if scale_factor == 1.1 else EVERY // 2
    for number in range(offset, FRAMES, EVERY):
        grey = cv2.cvtColor(camera.render(number), cv2.COLOR_BGR2GRAY)
        assert len(haar.detectMultiScale(grey, scale_factor, 5)) == 1, f"frame {number}"


def test_yunet_finds_one_face_with_confidence_throughout_the_cycle(camera: DemoCamera) -> None:
    detector = cv2.FaceDetectorYN.create(str(yunet()), "", (320, 240), 0.6)
    for number in range(0, FRAMES, EVERY):
        small = cv2.resize(camera.render(number), (320, 240), interpolation=cv2.INTER_AREA)
        faces = detector.detect(small)[1]
        assert faces is not None, f"frame {number}"
        assert len(faces) == 1, f"frame {number}"
        assert faces[0][-1] >= 0.8, f"frame {number}"
