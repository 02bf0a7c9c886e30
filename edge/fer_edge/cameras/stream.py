"""Network cameras: RTSP and HTTP streams, through OpenCV's FFmpeg."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import cv2

from fer_edge.cameras.capture import Capture, open_capture
from fer_edge.cameras.live import LiveCamera, OwnedCapture
from fer_edge.clock import Clock
from fer_edge.errors import CameraLost, UsageError

SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Understood schemes, and their ports when a URL names none."""

URL = re.compile(r"(\w+://|(?:rtsps?|https?):/*)(.*)", re.DOTALL)

OPEN_TIMEOUT_S = 8.0
READ_TIMEOUT_S = 5.0
"""Given to FFmpeg, which then gives up by itself."""
SPARE_S = 2.0
"""How much longer than FFmpeg's own limit we wait for it to open."""
PROBE_TIMEOUT_S = 2.0
"""For the one connection that finds out why a stream did not open."""


def masked(url: str) -> str:
    """The URL without user, password and query (many cameras take the password there); for messages and logs.

    Everything before the last `@` goes, because a password may hold a slash or a question mark.
    """
    parts = URL.fullmatch(url)
    scheme, rest = parts.groups() if parts else ("", url)
    secret, _, shown = rest.rpartition("@")
    plain, question, _ = shown.partition("?")
    return f"{scheme}{'***@' if secret else ''}{plain}{'?***' if question else ''}"


def open_stream(url: str, clock: Clock) -> LiveCamera:
    """Open an RTSP or HTTP stream (RTSP over TCP, which is OpenCV's default).

    Raises UsageError for a URL without a host, CameraLost when it cannot be opened; messages show `masked(url)`.
    """
    host, port = _address(url)
    name = masked(url)
    capture = OwnedCapture(name, lambda: _open(url), clock)
    try:
        opened = capture.wait_open(OPEN_TIMEOUT_S + SPARE_S)
    except TimeoutError:
        capture.close()
        raise CameraLost(f"{name} did not open within {OPEN_TIMEOUT_S + SPARE_S:g} s") from None
    if opened is None:
        capture.close()
        raise CameraLost(f"{name} cannot be opened: {_reason(host, port)}")
    return LiveCamera(name, opened.fps, capture, clock, 1, "the stream ended or broke off")


def _open(url: str) -> Capture:
    timeouts = (
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPEN_TIMEOUT_S * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(READ_TIMEOUT_S * 1000)),
    )
    return open_capture(url, cv2.CAP_FFMPEG, timeouts)


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or SCHEMES[parts.scheme]
    except (ValueError, KeyError):
        host = None
    if not host:
        raise UsageError(f"{masked(url)} is not a stream: expected {', '.join(SCHEMES)}, then ://HOST[:PORT]/PATH")
    return host, port


def _reason(host: str, port: int) -> str:
    """OpenCV does not say why it failed; one connection tells most of it."""
    try:
        socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
    except socket.gaierror:
        return f"the name {host} is not known here"
    except TimeoutError:
        return f"{host} does not answer on port {port}"
    except OSError as error:
        return f"{(error.strerror or str(error)).lower()} ({host}, port {port})"
    return f"{host} answers on port {port}, but not with pictures; check path, user and password"
