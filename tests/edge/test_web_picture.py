"""The picture: newest, marked, encoded only while somebody looks, and gone when the camera is."""

from __future__ import annotations

import logging
import socket
import struct
import sys
from datetime import datetime, timezone
from http.client import HTTPResponse
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import RuntimeUnavailable
from fer_edge.health import Health
from fer_edge.live import STALE_S
from fer_edge.types import Frame, Observation
from fer_edge.web.limits import MAX_PICTURE_PX
from fer_edge.web.picture import Pictures, Preview
from support.clocks import StillClock
from support.http import Paced, Served, face, frame, request, seen, serving

simplejpeg = pytest.importorskip("simplejpeg")
WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_the_newest_frame_is_held_and_no_other() -> None:
    preview = Preview(StillClock())
    assert preview.newest() is None
    for seq in range(3):
        preview.put(frame(seq), seen(seq))
    held = preview.newest()
    assert held is not None
    assert held[0].seq == 2


def test_a_frame_is_held_as_it_is_and_not_copied() -> None:
    preview, picture = Preview(StillClock()), frame(0)
    preview.put(picture, seen(0))
    held = preview.newest()
    assert held is not None
    assert held[0].image is picture.image


def test_a_picture_that_is_old_is_not_shown_for_a_new_one() -> None:
    clock = StillClock()
    preview = Preview(clock)
    preview.put(frame(0), seen(0))
    clock.now_s += STALE_S + 0.1
    assert preview.newest() is None


def test_a_withdrawn_picture_is_forgotten() -> None:
    preview = Preview(StillClock())
    preview.put(frame(0), seen(0))
    preview.withdraw()
    assert preview.newest() is None


def picture(data: bytes) -> Any:
    return simplejpeg.decode_jpeg(data, colorspace="BGR")


def test_a_snapshot_is_the_newest_frame_with_its_boxes_and_the_frame_is_left_alone() -> None:
    with serving(pictures=True) as served:
        served.health.running()
        shown = frame(7)
        before = shown.image.copy()
        assert served.preview is not None
        served.preview.put(shown, seen(7, face(2, size=60.0)))
        found = served.ask("/snapshot.jpg")
        assert found.headers["content-type"] == "image/jpeg"
        image = picture(found.body)
        assert image.shape == (240, 320, 3)
        assert abs(int(image[200, 300, 0]) - 90) < 8
        assert abs(int(image[60, 40].astype(int).sum()) - 270) > 60  # the box's left edge
        assert np.array_equal(shown.image, before)


def test_a_large_picture_is_scaled_down_with_its_boxes() -> None:
    with serving(pictures=True) as served:
        served.health.running()
        large = np.full((1200, 2 * MAX_PICTURE_PX, 3), 90, np.uint8)
        assert served.preview is not None
        observation = Observation(0, 0.0, WALL, 2 * MAX_PICTURE_PX, 1200, (face(20, size=300.0),))
        served.preview.put(Frame(large, 0.0, WALL, 0), observation)
        image = picture(served.ask("/snapshot.jpg").body)
        assert image.shape == (600, MAX_PICTURE_PX, 3)
        assert abs(int(image[100, 200].astype(int).sum()) - 270) > 60
        assert abs(int(image[100, 400].astype(int).sum()) - 270) < 20


def test_there_is_no_picture_before_the_first_frame_while_the_camera_is_lost_and_after_it_was_withdrawn() -> None:
    with serving(pictures=True) as served:
        assert served.ask("/snapshot.jpg").status == 503
        assert served.ask("/stream.mjpeg").status == 503
        served.step()
        assert served.ask("/snapshot.jpg").status == 200
        served.health.camera_lost("unplugged")
        assert served.ask("/snapshot.jpg").status == 503
        assert served.ask("/stream.mjpeg").status == 503
        served.health.camera_lost(None)
        served.step()
        assert served.ask("/snapshot.jpg").status == 200
        assert served.preview is not None
        served.preview.withdraw()
        assert served.ask("/snapshot.jpg").status == 503


def encoded(served: Served) -> int:
    assert served.server.site is not None
    assert served.server.site.pictures is not None
    return served.server.site.pictures.encoded


def test_nothing_is_encoded_while_nobody_looks() -> None:
    with serving(pictures=True) as served:
        for _ in range(20):
            served.step(face())
        served.ask("/api/state")
        assert encoded(served) == 0
        served.ask("/snapshot.jpg")
        assert encoded(served) == 1


def test_one_frame_is_encoded_once_for_all_who_ask() -> None:
    with serving(pictures=True) as served:
        served.step(face())
        assert len({served.ask("/snapshot.jpg").body for _ in range(5)}) == 1
        assert encoded(served) == 1


def test_no_more_pictures_are_encoded_than_the_operator_allowed() -> None:
    with serving(pictures=True, picture_fps=0.1) as served:
        for _ in range(10):
            served.step(face())
            assert served.ask("/snapshot.jpg").status == 200
        assert encoded(served) == 1


def part(stream: Any) -> bytes:
    """The next picture of a stream."""
    length = 0
    while line := stream.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        elif not line.strip() and length:
            return bytes(stream.read(length))
    return b""


def test_a_stream_gives_picture_after_picture_and_ends_when_the_camera_is_lost() -> None:
    with serving(pictures=True, picture_fps=30.0) as served, served.connect() as client:
        served.step(face())
        client.sendall(request("GET", "/stream.mjpeg", {"Host": "localhost"}))
        response = HTTPResponse(client)
        served.held.append(response)
        response.begin()
        assert response.getheader("content-type") == "multipart/x-mixed-replace; boundary=picture"
        with Paced(lambda: served.step(face()), fps=30.0):
            pictures = [part(response) for _ in range(4)]
            assert all(picture(each).shape == (240, 320, 3) for each in pictures)
            assert len(set(pictures)) > 1
            served.health.camera_lost("unplugged")
            while part(response):
                pass
        assert response.read() == b""


def test_clients_that_go_in_the_middle_are_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    with serving(pictures=True, picture_fps=30.0) as served, Paced(lambda: served.step(face()), fps=60.0):
        served.step(face())
        for i in range(12):
            with served.connect(f"127.0.0.{2 + i}") as client:
                client.sendall(request("GET", "/stream.mjpeg", {"Host": "localhost"}))
                assert client.recv(15) == b"HTTP/1.1 200 OK"
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_missing_encoder_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(RuntimeUnavailable, match="pip install simplejpeg"):
        Pictures(Preview(StillClock()), Health(), fps=5.0, quality=80)
