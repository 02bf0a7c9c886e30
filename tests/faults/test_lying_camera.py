"""Fault 4: a read says that it worked, and hands out an empty buffer, an old one, or something of another size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.cameras.capture import Capture
from fer_edge.cameras.checked import checked
from fer_edge.cameras.opening import open_camera
from fer_edge.cameras.v4l2 import MAX_BAD_READS, Devices, V4l2Camera, open_v4l2
from fer_edge.clock import SystemClock
from fer_edge.errors import CameraLost
from support.clocks import StillClock

READ_S = 10.0
DEVICE = Path("/dev/nothing")
GOOD = np.random.default_rng(4).integers(20, 200, (48, 64, 3), dtype=np.uint8)


class LyingCapture:
    """Its reads always work. A buffer and its time stamp in ms each; the last pair is handed out for ever."""

    def __init__(self, buffers: Sequence[tuple[Any, float]]) -> None:
        self._buffers = list(buffers)
        self._stamp_ms = 0.0
        self.reads = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, Any]:
        self.reads += 1
        buffer, self._stamp_ms = self._buffers.pop(0) if len(self._buffers) > 1 else self._buffers[0]
        return True, buffer

    def get(self, prop: int, /) -> float:
        return self._stamp_ms if prop == cv2.CAP_PROP_POS_MSEC else 0.0

    def set(self, prop: int, value: float, /) -> bool:
        return True

    def release(self) -> None:
        """Nothing is held."""


class OneDevice(Devices):
    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def card(self, path: Path) -> str:
        return "Liar"

    def capture(self, path: Path) -> Capture:
        return self._capture


def camera(buffers: Sequence[tuple[Any, float]]) -> V4l2Camera:
    return open_v4l2(DEVICE, SystemClock(), None, OneDevice(LyingCapture(buffers)))


def test_a_stale_buffer_is_taken_once_and_then_loses_the_camera() -> None:
    with camera([(GOOD, 33.0)]) as source:
        assert source.read(READ_S).image is GOOD
        with pytest.raises(CameraLost, match=f"{MAX_BAD_READS} reads in a row gave no usable picture"):
            source.read(READ_S)
        assert source.corrupt == MAX_BAD_READS


def test_a_stale_buffer_between_good_ones_is_left_out() -> None:
    with camera([(GOOD, 33.0), (GOOD, 33.0), (GOOD.copy(), 66.0)]) as source:
        source.read(READ_S)
        assert source.read(READ_S).image is not GOOD
        assert source.corrupt == 1


def test_a_driver_without_time_stamps_is_believed() -> None:
    with camera([(GOOD, 0.0)]) as source:
        assert [source.read(READ_S).seq for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    "buffer",
    [None, np.zeros((0, 0, 3), np.uint8), np.zeros((48, 64), np.uint8), GOOD[:, :32], GOOD.astype(np.float32)],
    ids=["nothing", "empty", "grey", "another size", "another type"],
)
def test_a_buffer_that_is_no_picture_is_left_out(buffer: Any) -> None:
    with camera([(GOOD, 33.0), (buffer, 66.0), (GOOD, 99.0)]) as source:
        assert [source.read(READ_S).image.shape for _ in range(2)] == [GOOD.shape] * 2


def test_a_buffer_that_is_never_a_picture_loses_the_camera() -> None:
    with camera([(np.zeros((0, 0, 3), np.uint8), 0.0)]) as source, pytest.raises(CameraLost):
        source.read(READ_S)


@pytest.mark.parametrize("fault", ["repeated", "empty", "resized", "torn"])
def test_whatever_camera_lies_the_frames_that_come_out_are_new_and_whole(fault: str) -> None:
    clock = StillClock()
    with open_camera(f"fault:demo?{fault}@1s*10,{fault}@3s*10", clock) as source:
        frames = [source.read(2.0) for _ in range(60)]
    seqs = [frame.seq for frame in frames if frame]
    assert len(seqs) == 60
    assert seqs == sorted(set(seqs))
    assert {frame.image.shape for frame in frames if frame} == {(480, 640, 3)}
    assert seqs[-1] - seqs[0] == 59 + 20  # that many were left out


@pytest.mark.parametrize("fault", ["repeated", "empty", "resized", "torn"])
def test_a_camera_that_does_nothing_but_lie_is_lost_within_seconds(fault: str) -> None:
    clock = StillClock()
    source = open_camera(f"fault:demo?{fault}@1s", clock)
    with pytest.raises(CameraLost, match=r"gave no usable frame in time|were unusable"):
        _ = [source.read(2.0) for _ in range(200)]
    assert clock.now_s - 100.0 < 4.0


def test_a_checked_camera_is_not_checked_twice() -> None:
    clock = StillClock()
    source = open_camera("fault:demo?torn@1s*3", clock)
    assert checked(source, clock) is source
