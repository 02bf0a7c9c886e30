"""Cuts and changes, told from a thumbnail."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.detectors.scene import CUT_CORRELATION, Scene, correlation, thumbnail
from fer_edge.types import Box, Image
from support.painted import background, paint
from support.shared import media


def noise(sigma: float, seed: int) -> Image:
    rng = np.random.default_rng(seed)
    return np.clip(20 + rng.normal(0, sigma, (360, 640, 3)), 0, 255).astype(np.uint8)


def clip(name: str) -> list[Image]:
    capture = cv2.VideoCapture(str(media(name)))
    found: list[Image] = []
    while True:
        ok, picture = capture.read()
        if not ok:
            return found
        found.append(np.asarray(picture, dtype=np.uint8))


def test_the_first_frame_is_no_cut() -> None:
    assert not Scene().see(background())


def test_the_same_scene_goes_on() -> None:
    scene = Scene()
    scene.see(background())
    assert not scene.see(paint(background(), Box(100, 100, 80, 80)))


def test_another_scene_is_a_cut() -> None:
    scene = Scene()
    scene.see(background(seed=0))
    assert scene.see(background(seed=1))


def test_another_size_is_a_cut() -> None:
    scene = Scene()
    scene.see(background(640, 360))
    assert scene.see(background(320, 180))


def test_a_light_that_goes_on_is_no_cut() -> None:
    scene = Scene()
    scene.see(background() // 4)
    assert not scene.see(background())


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0])
def test_a_dark_picture_full_of_noise_is_no_cut(sigma: float) -> None:
    scene = Scene()
    scene.see(noise(sigma, 0))
    assert not scene.see(noise(sigma, 1))


def test_the_cuts_of_a_real_clip_are_found_and_nothing_else() -> None:
    scene = Scene()
    cuts = [i for i, picture in enumerate(clip("short_hamilton_clip.mp4")) if scene.see(picture)]
    assert cuts == [20, 82, 211]


def test_pictures_of_one_pixel_are_taken() -> None:
    scene = Scene()
    scene.see(np.zeros((1, 1, 3), np.uint8))
    assert not scene.see(np.full((1, 1, 3), 255, np.uint8))


def test_a_picture_correlates_fully_with_itself() -> None:
    found = thumbnail(background())
    assert correlation(found, found) == pytest.approx(1.0)
    assert correlation(found, thumbnail(background(seed=1))) < CUT_CORRELATION


def test_before_any_search_everything_has_changed() -> None:
    scene = Scene()
    scene.see(background())
    assert scene.changed([])


def test_nothing_has_changed_in_a_still_picture() -> None:
    scene = Scene()
    scene.see(background())
    scene.searched()
    scene.see(background())
    assert not scene.changed([])


def test_a_face_that_comes_in_is_a_change() -> None:
    scene = Scene()
    scene.see(background())
    scene.searched()
    scene.see(paint(background(), Box(500, 200, 40, 50)))
    assert scene.changed([])


def test_what_happens_within_a_known_box_is_no_change() -> None:
    scene = Scene()
    scene.see(background())
    scene.searched()
    scene.see(paint(background(), Box(500, 200, 40, 50)))
    assert not scene.changed([Box(480, 180, 80, 90)])
    assert scene.changed([Box(100, 100, 80, 90)])


def test_a_known_box_outside_the_frame_hides_nothing_in_it() -> None:
    scene = Scene()
    scene.see(background())
    scene.searched()
    scene.see(paint(background(), Box(600, 200, 40, 50)))
    assert scene.changed([Box(-300, -300, 100, 100)])


def test_change_adds_up_since_the_last_search_not_since_the_last_frame() -> None:
    scene = Scene()
    scene.see(background())
    scene.searched()
    for level in range(0, 100, 5):
        slow = background()
        slow[100:160, 300:360] = np.minimum(slow[100:160, 300:360].astype(int) + level, 255).astype(np.uint8)
        scene.see(slow)
    assert scene.changed([])
