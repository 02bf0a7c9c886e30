"""Fault 5: the driver gives one picture for ever. Told by its bytes, which a sensor's noise never repeats."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.cameras.checked import FROZEN_FRAMES, FROZEN_S, CheckedCamera, Frozen
from fer_edge.cameras.demo import DemoCamera
from fer_edge.cameras.opening import open_camera
from fer_edge.types import Frame, Image
from support.clocks import WALL, StillClock

SCENE: Image = np.random.default_rng(5).integers(20, 200, (120, 160, 3), dtype=np.uint8)


def verdicts(pictures: Iterator[Image], number: int, fps: float) -> list[str | None]:
    clock = StillClock()
    frozen = Frozen(clock)
    found = []
    for seq in range(number):
        found.append(frozen(Frame(next(pictures), clock.now_s, WALL, seq)))
        clock.sleep(1 / fps)
    return found


def copies(picture: Image) -> Iterator[Image]:
    while True:
        yield picture.copy()


def noisy(seed: int, bytes_changed: int) -> Iterator[Image]:
    """A still scene of which the sensor's noise changes so many bytes from frame to frame, each by one or two."""
    rng = np.random.default_rng(seed)
    while True:
        picture = SCENE.copy()
        where = rng.choice(picture.size, bytes_changed, replace=False)
        picture.reshape(-1)[where] += rng.integers(1, 3, bytes_changed, dtype=np.uint8)
        yield picture


@pytest.mark.parametrize(("fps", "expected"), [(30.0, 91), (15.0, 90), (60.0, 181), (5.0, 90)])
def test_a_picture_is_frozen_after_ninety_frames_and_three_seconds(fps: float, expected: int) -> None:
    found = verdicts(copies(SCENE), 200, fps)
    first = next(number for number, verdict in enumerate(found) if verdict) + 1
    assert first == pytest.approx(expected, abs=1)
    assert first >= FROZEN_FRAMES
    assert (first - 1) / fps >= FROZEN_S - 1e-6
    assert all(found[first:])
    assert len(set(found)) == 2  # one sentence, always the same


def test_the_verdict_says_what_was_seen_and_what_it_may_be() -> None:
    last = verdicts(copies(SCENE), 200, 30.0)[-1]
    assert last == (
        "the picture is frozen: for 90 frames and 3 s or more it was the same to the last bit; "
        "the driver repeats one, or the lens is covered"
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
def test_a_still_scene_with_the_noise_of_a_sensor_is_not_frozen(seed: int, bytes_changed: int) -> None:
    assert not any(verdicts(noisy(seed, bytes_changed), 200, 30.0))


def test_one_bit_of_one_pixel_between_many_frames_is_enough_to_be_alive() -> None:
    def pictures() -> Iterator[Image]:
        for number in range(1000):
            picture = SCENE.copy()
            picture[7, 9, 1] ^= number // (FROZEN_FRAMES - 1) % 2
            yield picture

    assert not any(verdicts(pictures(), 400, 30.0))


def test_a_drawn_face_that_holds_still_is_not_frozen() -> None:
    clock = StillClock()
    demo, frozen = DemoCamera(clock, pace=True), Frozen(clock)
    assert not any(frozen(demo.read(1.0)) for _ in range(120))


def test_the_frames_of_a_frozen_camera_still_come_and_the_camera_says_so() -> None:
    with open_camera("fault:demo?frozen@1s", StillClock()) as camera:
        assert isinstance(camera, CheckedCamera)
        seen = []
        for _ in range(200):
            assert camera.read(2.0) is not None
            seen.append(camera.watched.frozen is not None)
    assert seen.index(True) == pytest.approx(15 + FROZEN_FRAMES, abs=3)
    assert all(seen[seen.index(True) :])


def test_a_picture_that_moves_again_is_no_longer_frozen() -> None:
    with open_camera("fault:demo?frozen@1s+8s", StillClock()) as camera:
        assert isinstance(camera, CheckedCamera)
        seen = [camera.watched.frozen is not None for _ in range(200) if camera.read(2.0)]
    assert any(seen)
    assert not seen[-1]
