"""Network cameras, against a real HTTP server on the loopback and a real port that nobody listens on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.cameras.opening import open_camera
from fer_edge.cameras.stream import masked, open_stream
from fer_edge.clock import SystemClock
from fer_edge.errors import CameraLost, ExitCode, UsageError
from fer_edge.types import Frame, Image

CLOCK = SystemClock()
FRAMES = 12
READ_S = 10.0


def drawn(number: int) -> Image:
    """A grey picture with a white bar that moves to the right."""
    picture = np.full((120, 160, 3), 90, np.uint8)
    picture[:, number * 10 : number * 10 + 10] = 255
    return picture


class CameraOfTheNet(BaseHTTPRequestHandler):
    """`/mjpeg` sends all frames and closes, `/broken` stops within a frame, `/text` is no stream."""

    def do_GET(self) -> None:
        if self.path.startswith("/text"):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>log in first</html>" * 50)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(FRAMES):
            jpeg = cv2.imencode(".jpg", drawn(number))[1].tobytes()
            if self.path.startswith("/broken") and number == FRAMES - 3:
                jpeg = jpeg[: len(jpeg) // 2]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            if self.path.startswith("/broken") and number == FRAMES - 3:
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Not on standard error."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A camera that closes early breaks the connection: nothing to report."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)  # FFmpeg honours them, the loopback is not behind any
    with Server(("127.0.0.1", 0), CameraOfTheNet) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def frames_until_lost(url: str) -> tuple[list[Frame], str]:
    """Everything a stream gives, and the sentence with which it ends."""
    found: list[Frame] = []
    with open_stream(url, CLOCK) as camera:
        try:
            while True:
                found.append(camera.read(READ_S))
        except CameraLost as lost:
            return found, str(lost)


def test_a_stream_gives_its_pictures_in_their_order(server: str) -> None:
    found, _ = frames_until_lost(f"{server}/mjpeg")
    assert [int(frame.image[60].mean(axis=1).argmax() // 10) for frame in found] == list(range(FRAMES))
    assert [frame.seq for frame in found] == list(range(FRAMES))


def test_a_stream_carries_the_time_of_arrival_on_the_monotonic_clock(server: str) -> None:
    before_s = CLOCK.monotonic_s()
    times = [frame.captured_s for frame in frames_until_lost(f"{server}/mjpeg")[0]]
    assert before_s < times[0]
    assert times == sorted(times)
    assert times[-1] < CLOCK.monotonic_s()


def test_the_end_of_a_stream_is_a_loss_that_may_be_tried_again(server: str) -> None:
    found, sentence = frames_until_lost(f"{server}/mjpeg")
    assert len(found) == FRAMES
    assert sentence == f"{server}/mjpeg: the stream ended or broke off"
    assert CameraLost.exit_code == ExitCode.TRY_AGAIN


def test_a_server_that_stops_within_a_picture_loses_the_camera_after_the_whole_ones(server: str) -> None:
    found, sentence = frames_until_lost(f"{server}/broken")
    assert len(found) >= FRAMES - 3
    assert "broke off" in sentence


def test_a_stream_is_live(server: str) -> None:
    with open_stream(f"{server}/mjpeg", CLOCK) as camera:
        assert camera.live


def test_closing_twice_is_harmless(server: str) -> None:
    camera = open_stream(f"{server}/mjpeg", CLOCK)
    camera.close()
    camera.close()


def test_a_page_that_is_no_stream_is_told_from_a_dead_server(server: str) -> None:
    with pytest.raises(CameraLost, match=r"answers on port .* but not with pictures; check path, user and password"):
        open_stream(f"{server}/text", CLOCK)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_refused_connection_is_a_loss_that_says_so(closed_port: int, scheme: str) -> None:
    with pytest.raises(CameraLost, match=f"cannot be opened: connection refused .127.0.0.1, port {closed_port}."):
        open_camera(f"{scheme}://127.0.0.1:{closed_port}/stream", CLOCK)


def test_no_message_shows_a_password(closed_port: int) -> None:
    with pytest.raises(CameraLost) as lost:
        open_camera(f"rtsp://admin:s3cret@127.0.0.1:{closed_port}/live?pwd=hidden", CLOCK)
    assert "s3cret" not in str(lost.value)
    assert "hidden" not in str(lost.value)
    assert f"rtsp://***@127.0.0.1:{closed_port}/live?***" in str(lost.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.9/stream", "rtsp://10.0.0.9/stream"),
        ("rtsp://me:pa/ss@10.0.0.9/stream", "rtsp://***@10.0.0.9/stream"),
        ("rtsp://me:pa?ss@10.0.0.9/stream", "rtsp://***@10.0.0.9/stream"),
        ("rtsp://me:p@ss@10.0.0.9", "rtsp://***@10.0.0.9"),
        ("http://cam/video?user=me&pwd=x", "http://cam/video?***"),
        ("rtsp:/me:secret@cam", "rtsp:/***@cam"),
        ("me:secret@cam", "***@cam"),
    ],
)
def test_masking_hides_user_password_and_query(url: str, shown: str) -> None:
    assert masked(url) == shown


@given(st.text(), st.text())
def test_masking_never_lets_a_password_through(user: str, password: str) -> None:
    secret = f"<{password}>"
    assert secret not in masked(f"rtsp://{user}:{secret}@camera/stream")


@pytest.mark.parametrize("url", ["rtsp://", "http:///video", "rtsp://cam:port/x", "http:8080"])
def test_a_url_without_a_host_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="is not a stream: expected rtsp, rtsps, http, https"):
        open_camera(url, CLOCK)
