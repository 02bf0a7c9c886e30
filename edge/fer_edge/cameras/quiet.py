"""Keeps OpenCV's and FFmpeg's own chatter off standard error, because our errors say it in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

OPENCV_LEVEL = "OPENCV_LOG_LEVEL"
FFMPEG_LEVEL = "OPENCV_FFMPEG_LOGLEVEL"
"""A person who sets one of these two variables wants to see the messages, and does."""

SILENT = 0
"""`cv::utils::logging::LOG_LEVEL_SILENT`."""
FFMPEG_QUIET = "-8"
"""FFmpeg's `AV_LOG_QUIET`."""


def hush() -> None:
    """From here on OpenCV logs nothing in this process."""
    if OPENCV_LEVEL not in os.environ:
        _set_level(SILENT)


@contextmanager
def quiet() -> Iterator[None]:
    """Open captures inside this: OpenCV and FFmpeg then stay silent for the rest of the process.

    OpenCV hands FFmpeg its level when it opens a capture and takes it from the environment only; the variable is gone
    again afterwards.
    """
    hush()
    if FFMPEG_LEVEL in os.environ:
        yield
        return
    os.environ[FFMPEG_LEVEL] = FFMPEG_QUIET
    try:
        yield
    finally:
        os.environ.pop(FFMPEG_LEVEL, None)


def _set_level(level: int) -> None:
    """Its place differs: `cv2.setLogLevel` in 4.10, `cv2.utils.logging.setLogLevel` in 4.14 and 5."""
    module: Any = getattr(getattr(cv2, "utils", None), "logging", cv2)
    setter = getattr(module, "setLogLevel", None) or getattr(cv2, "setLogLevel", None)
    if setter is not None:
        setter(level)
