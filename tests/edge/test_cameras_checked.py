"""What is believed of a camera: single frames, a picture that stands still, and JPEG from strangers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.cameras import checked as module
from fer_edge.cameras.checked import (
    FROZEN_FRAMES,
    CheckedCamera,
    CorruptFrame,
    Frozen,
    Spoilt,
    Watched,
    checked,
    corrupt_frames,
    decode_jpeg,
    same,
    strict_decoder,
    torn,
)
from fer_edge.cameras.demo import DemoCamera
from fer_edge.cameras.source import Source
from fer_edge.errors import CameraLost
from fer_edge.types import Frame, Image
from support.clocks import WALL, StillClock

SIDE = (48, 64, 3)
RNG = np.random.default_rng(3)
SCENE: Image = RNG.integers(40, 200, SIDE, dtype=np.uint8)
GREY = np.zeros(SIDE[:2], np.uint8)


def frame(clock: StillClock, seq: int, image: Image = SCENE) -> Frame:
    return Frame(image, clock.now_s, WALL, seq)


def looked(images: Sequence[Image]) -> list[str | None]:
    clock = StillClock()
    watched = Watched(clock)
    return [watched.look(frame(clock, seq, image)) for seq, image in enumerate(images)]


def encoded(image: Image, *options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", image, list(options))[1].tobytes())


def test_good_frames_are_good() -> None:
    assert looked([SCENE, 255 - SCENE, SCENE]) == [None, None, None]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((0, 0, 3), np.uint8), "the frame is empty"),
        (GREY, r"no colour picture but uint8 of shape \(48, 64\)"),
        (SCENE.astype(np.float32), "no colour picture but float32"),
        (SCENE[:, :32], "the frame has 32 x 48 pixels, those before it had 64 x 48"),
    ],
)
def test_a_frame_of_another_kind_is_refused(image: Image, words: str) -> None:
    import re  # noqa: PLC0415 - only here

    reasons = looked([SCENE, image, SCENE])
    assert (reasons[0], reasons[2]) == (None, None)
    assert reasons[1] is not None
    assert re.search(words, reasons[1])


def test_the_first_good_frame_sets_the_size_not_a_bad_one() -> None:
    assert looked([GREY, SCENE])[1] is None


@pytest.mark.parametrize("seq", [4, 5])
def test_a_frame_that_came_before_is_refused(seq: int) -> None:
    clock = StillClock()
    watched = Watched(clock)
    watched.look(frame(clock, 5))
    assert watched.look(frame(clock, seq)) == f"frame {seq} came after frame 5: an old one, again"
    assert watched.refused["repeated"] == 1


def test_a_frame_that_is_older_than_a_stall_is_refused() -> None:
    clock = StillClock()
    watched = Watched(clock)
    old = frame(clock, 0)
    clock.sleep(2.1)
    assert watched.look(old) == "the frame was captured 2.1 s ago"


def test_a_slow_camera_may_be_ten_periods_late() -> None:
    clock = StillClock()
    watched = Watched(clock, fps=1.0)
    clock.sleep(9.9)
    assert watched.stalled() is None
    clock.sleep(0.2)
    assert watched.stalled() == "no good frame came for 10.1 s"


def test_bad_frames_do_not_hide_a_stall() -> None:
    clock = StillClock()
    watched = Watched(clock, fps=30.0)
    watched.look(frame(clock, 0))
    for _ in range(30):
        clock.sleep(0.1)
        watched.look(frame(clock, 0))
    assert watched.age_s() == pytest.approx(3.0)
    assert watched.stalled() is not None


@pytest.mark.parametrize("fill", module.FILLS)
def test_a_picture_whose_lower_part_never_came_is_torn(fill: tuple[int, int, int]) -> None:
    image = SCENE.copy()
    image[30:] = fill
    assert torn(image)
    assert looked([image]) == ["the lower part of the frame never arrived"]


@pytest.mark.parametrize("fill", [(0, 0, 0), (255, 255, 255)])
def test_a_black_or_white_lower_edge_is_not_torn(fill: tuple[int, int, int]) -> None:
    image = SCENE.copy()
    image[30:] = fill
    assert not torn(image)


def test_a_picture_of_one_grey_is_not_torn() -> None:
    assert not torn(np.full(SIDE, 128, np.uint8))


@given(st.integers(0, SIDE[0] - 1), st.integers(0, SIDE[1] - 1), st.integers(0, 2), st.integers(1, 255))
def test_one_changed_byte_anywhere_makes_another_picture(row: int, column: int, channel: int, by: int) -> None:
    other = SCENE.copy()
    other[row, column, channel] ^= by
    assert not same(SCENE, other)
    assert same(SCENE, SCENE.copy())


def test_the_verdict_is_forgotten_when_the_picture_moves_again() -> None:
    clock = StillClock()
    frozen = Frozen(clock)
    for seq in range(FROZEN_FRAMES):
        clock.sleep(0.1)
        frozen(frame(clock, seq))
    assert frozen(frame(clock, FROZEN_FRAMES)) is not None
    assert frozen(frame(clock, FROZEN_FRAMES + 1, 255 - SCENE)) is None


class Scripted(Source):
    """A live camera with these frames, one each `step_s`."""

    name, live, fps, corrupt = "script", True, 30.0, 2

    def __init__(self, clock: StillClock, frames: Sequence[tuple[int, Image]], step_s: float = 1 / 30) -> None:
        self._clock, self._frames, self._step_s = clock, list(frames), step_s
        self.closed = False

    def read(self, timeout_s: float) -> Frame | None:
        self._clock.sleep(self._step_s)
        if not self._frames:
            return None
        seq, image = self._frames.pop(0)
        return frame(self._clock, seq, image)

    def close(self) -> None:
        self.closed = True

    def hanging(self) -> bool:
        return self.closed


def test_a_checked_camera_gives_only_good_frames() -> None:
    clock = StillClock()
    with CheckedCamera(Scripted(clock, [(0, SCENE), (0, SCENE), (1, GREY), (2, SCENE)]), clock) as camera:
        found = [camera.read(2.0) for _ in range(3)]
    assert [each.seq if each else None for each in found] == [0, 2, None]
    assert camera.watched.refused == {"repeated": 1, "shape": 1}
    assert camera.corrupt == 2 + 2


def test_a_checked_camera_passes_on_what_is_asked_of_the_one_inside() -> None:
    clock = StillClock()
    inside = Scripted(clock, [])
    camera = checked(inside, clock)
    assert (camera.name, camera.live, camera.fps) == ("script", True, 30.0)
    assert not camera.hanging()
    camera.close()
    assert inside.closed
    assert camera.hanging()


def test_a_camera_that_gives_only_rubbish_is_lost_in_time() -> None:
    clock = StillClock()
    camera = CheckedCamera(Scripted(clock, [(0, GREY)] * 100), clock)
    with pytest.raises(CameraLost, match="script gave no usable frame in time: the frame is no colour picture"):
        camera.read(2.0)


def test_a_camera_of_which_most_frames_are_bad_is_lost_after_five_seconds() -> None:
    clock = StillClock()
    frames = [(seq, SCENE if seq % 3 == 0 else GREY) for seq in range(1000)]
    camera = CheckedCamera(Scripted(clock, frames), clock)
    before_s = clock.now_s
    with pytest.raises(
        CameraLost, match=r"\d+ of \d+ frames in 5 s were unusable; the last one: the frame is no colour"
    ):
        _ = [camera.read(2.0) for _ in frames]
    assert clock.now_s - before_s == pytest.approx(5.0, abs=0.2)


def test_a_camera_of_which_two_frames_in_five_are_bad_goes_on() -> None:
    clock = StillClock()
    frames = [(seq, GREY if seq % 5 in {1, 3} else SCENE) for seq in range(1000)]
    camera = CheckedCamera(Scripted(clock, frames), clock)
    assert sum(camera.read(2.0) is not None for _ in range(600)) == 600


def test_clips_are_not_judged() -> None:
    clock = StillClock()
    demo = DemoCamera(clock)
    assert checked(demo, clock) is demo
    assert corrupt_frames(demo) == 0


def test_a_few_bad_frames_after_a_pause_do_not_lose_the_camera() -> None:
    clock = StillClock()
    spoilt = Spoilt(clock)
    clock.sleep(100.0)
    assert [spoilt.add(good=False) for _ in range(4)] == [None] * 4
    assert spoilt.add(good=False) == "5 of 5 frames in 5 s were unusable"
    assert spoilt.bad == 5


def test_a_jpeg_is_decoded_as_blue_green_red() -> None:
    blue = np.full(SIDE, (250, 10, 10), np.uint8)
    assert np.abs(decode_jpeg(encoded(blue)).astype(int) - blue).max() < 8


def test_a_jpeg_without_huffman_tables_as_webcams_send_it_is_decoded() -> None:
    if not strict_decoder():
        pytest.skip("simplejpeg is not installed")
    data = encoded(SCENE)
    bare, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        bare += b"" if data[at + 1] == 0xC4 else data[at : at + length]
        at += length
    assert len(bare) < at
    assert np.array_equal(decode_jpeg(bytes(bare + data[at:])), decode_jpeg(data))


def test_padding_after_the_picture_does_not_matter() -> None:
    data = encoded(SCENE)
    assert np.array_equal(decode_jpeg(data + bytes(3000)), decode_jpeg(data))


@pytest.mark.parametrize("stray", [1, 9])
def test_the_stray_bytes_of_common_webcams_are_let_pass(stray: int) -> None:
    data = encoded(SCENE, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    at = data.index(b"\xff\xd3")
    assert np.array_equal(decode_jpeg(data[:at] + b"\xa5" * stray + data[at:]), decode_jpeg(data))


def test_more_stray_bytes_than_webcams_send_are_damage() -> None:
    if not strict_decoder():
        pytest.skip("simplejpeg is not installed")
    data = encoded(SCENE, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    at = data.index(b"\xff\xd3")
    with pytest.raises(CorruptFrame, match="10 extraneous bytes"):
        decode_jpeg(data[:at] + b"\xa5" * 10 + data[at:])


def test_without_simplejpeg_opencv_decodes_and_cut_pictures_are_still_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = encoded(SCENE)
    assert not strict_decoder()
    assert decode_jpeg(data).shape == SIDE
    with pytest.raises(CorruptFrame, match="it ends before the picture does"):
        decode_jpeg(data[: len(data) // 2])


def test_without_simplejpeg_rubbish_behind_a_good_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = encoded(SCENE)
    tables = data.index(b"\xff\xdb")
    with pytest.raises(CorruptFrame):
        decode_jpeg(data[: tables + 2] + b"\x00\x02" + data[tables + 4 :])
