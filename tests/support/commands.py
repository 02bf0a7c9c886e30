"""The project's commands as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2

from fer_edge.cameras.opening import open_camera

TIME_LIMIT_S = 120.0


def environment(**more: str) -> dict[str, str]:
    """The caller's, without bundles of this machine."""
    return {**os.environ, "FER_EDGE_MODELS": "", "XDG_DATA_HOME": "/nonexistent", **more}


def fer_edge(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `fer-edge` to its end; `more` goes into the environment."""
    return subprocess.run(
        [sys.executable, "-m", "fer_edge", *map(str, arguments)],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )


def events(text: str) -> list[dict[str, Any]]:
    """JSON lines; fails on a line that is not whole."""
    return [json.loads(line) for line in text.splitlines()]


def demo_clip(path: Path, frames: int) -> Path:
    """A clip of the demo's face, Motion JPEG in AVI, which OpenCV writes without any codec of the system's."""
    with open_camera("demo") as camera:
        first = camera.read(1.0)
        assert first is not None
        height, width = first.image.shape[:2]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), camera.fps, (width, height))
        writer.write(first.image)
        for _ in range(frames - 1):
            frame = camera.read(1.0)
            assert frame is not None
            writer.write(frame.image)
        writer.release()
    return path
