"""A camera of the net on loopback: the demo's pictures as Motion JPEG over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from fer_edge.cameras.opening import open_camera


class _Stream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """The demo at its own pace, until the reader goes."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with open_camera("demo") as camera, suppress(ConnectionError):
            pause = threading.Event()
            while (frame := camera.read(1.0)) is not None:
                jpeg = cv2.imencode(".jpg", frame.image)[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                pause.wait(1 / camera.fps)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Not on standard error."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serving() -> Iterator[str]:
    """The address of the stream, while the context lasts."""
    with _Server(("127.0.0.1", 0), _Stream) as server:
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/stream"
        finally:
            server.shutdown()
            thread.join()
