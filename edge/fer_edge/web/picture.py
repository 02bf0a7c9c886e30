"""The picture, for operators who switched it on: the newest frame with its boxes, encoded only while somebody looks."""

from __future__ import annotations

import asyncio
import importlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2

from fer_edge.annotate import draw
from fer_edge.clock import Clock
from fer_edge.errors import RuntimeUnavailable
from fer_edge.health import Health
from fer_edge.live import STALE_S
from fer_edge.types import Frame, Image, Observation
from fer_edge.web.limits import MAX_PICTURE_PX

if TYPE_CHECKING:
    from aiohttp import web

JPEG = "image/jpeg"
BOUNDARY = "picture"
LOOKS = 4
"""Per period of the pictures: how often it is looked for a new frame while there is none."""
MJPEG = f"multipart/x-mixed-replace; boundary={BOUNDARY}"


class Preview:
    """Holds the newest frame and what was seen in it; made only when pictures are on. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        """Nothing was seen yet."""
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: tuple[Frame, Observation, float] | None = None

    def put(self, frame: Frame, observation: Observation) -> None:
        """Replace what is held; nothing is drawn or copied here."""
        with self._lock:
            self._newest = (frame, observation, self._clock.monotonic_s())

    def withdraw(self) -> None:
        """Forget the picture: the camera is lost."""
        with self._lock:
            self._newest = None

    def newest(self) -> tuple[Frame, Observation] | None:
        """What is held, unless it is too old to be taken for what is."""
        with self._lock:
            if self._newest is None or self._clock.monotonic_s() - self._newest[2] > STALE_S:
                return None
            return self._newest[:2]


class Pictures:
    """Encodes at most so many pictures per second, however many clients ask."""

    def __init__(self, preview: Preview, health: Health, fps: float, quality: int) -> None:
        """Raises RuntimeUnavailable where the encoder is missing."""
        try:
            self._simplejpeg: Any = importlib.import_module("simplejpeg")
        except ImportError:
            raise RuntimeUnavailable("http.pictures needs simplejpeg: pip install simplejpeg") from None
        self._preview, self._health, self._quality = preview, health, quality
        self._period_s = 1.0 / fps
        self._encoding = asyncio.Lock()
        self._made_s = -self._period_s
        self._seq: int | None = None
        self._data = b""
        self._stopped = asyncio.Event()
        self.watchers = self.encoded = 0

    def close(self) -> None:
        """End all streams."""
        self._stopped.set()

    async def newest(self) -> bytes | None:
        """A JPEG, made now or a moment ago; None while there is no picture to show."""
        async with self._encoding:
            held = self._preview.newest() if self._health.status().ready else None
            if held is None:
                self._seq, self._data = None, b""
                return None
            loop = asyncio.get_running_loop()
            frame, observation = held
            due = loop.time() - self._made_s >= self._period_s * 0.9
            if self._seq is None or (due and frame.seq != self._seq):
                self._made_s = loop.time()
                self._data = await loop.run_in_executor(None, self._encode, frame.image, observation)
                self._seq = frame.seq
                self.encoded += 1
            return self._data

    async def stream(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Picture after picture, each the newest when the client is ready for it, until there is none to show."""
        loop, last = asyncio.get_running_loop(), b""
        due_s = loop.time()
        self.watchers += 1
        try:
            while not self._stopped.is_set() and (data := await self.newest()) is not None:
                if data is last:
                    await self._pause(self._period_s / LOOKS)
                    continue
                head = f"--{BOUNDARY}\r\nContent-Type: {JPEG}\r\nContent-Length: {len(data)}\r\n\r\n"
                await response.write(head.encode() + data + b"\r\n")
                await request.writer.drain()
                last, due_s = data, max(due_s + self._period_s, loop.time())
                await self._pause(due_s - loop.time())
            await response.write(f"--{BOUNDARY}--\r\n".encode())
        finally:
            self.watchers -= 1

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except asyncio.TimeoutError:
            return

    def _encode(self, image: Image, observation: Observation) -> bytes:
        """Scale down, draw, encode; in a thread of its own."""
        factor = min(1.0, MAX_PICTURE_PX / max(image.shape[:2]))
        if factor < 1.0:
            size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)
            faces = tuple(replace(face, box=face.box.scaled(factor, factor)) for face in observation.faces)
            observation = replace(observation, faces=faces)
        marked = draw(image, observation)
        encoded: bytes = self._simplejpeg.encode_jpeg(
            marked, quality=self._quality, colorspace="BGR", colorsubsampling="420", fastdct=True
        )
        return encoded
