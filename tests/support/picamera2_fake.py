"""A module that behaves as picamera2 does, as far as its documented API is used here.

Faithful where a mistake of ours would show: stream configurations take "format" and "size" only, sides become even,
`lores` must be YUV and no larger than `main`, controls must be known to the camera, requests come from a fixed number
of buffers that have to be released, jobs are finished by an event loop of its own, `RGB888` is blue-green-red in
memory, rows of YUV may be longer than the picture, and errors while opening hide behind a RuntimeError that says little
(raspberrypi/picamera2: picamera2.py, request.py and job.py).

Tests put it in place of the real one: `monkeypatch.setitem(sys.modules, "picamera2", machine.module())`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

WAIT_S = 20.0
SENSOR = {"ColorFilterArrangement": 0, "Model": "imx219"}
CONTROLS = {"FrameDurationLimits": (11111, 1000000, 33333), "NoiseReductionMode": (0, 4, 0)}


def info(number: int, model: str = "imx219", path: str = "/base/soc/i2c0mux/i2c@1/imx219@10") -> dict[str, Any]:
    return {"Model": model, "Location": 2, "Rotation": 180, "Id": path, "Num": number}


@dataclass
class Machine:
    """What is attached to it, and what goes wrong."""

    cameras: list[dict[str, Any]] = field(default_factory=lambda: [info(0)])
    now_ns: Callable[[], int] = lambda: 1_000_000_000
    properties: dict[str, Any] = field(default_factory=lambda: dict(SENSOR))
    given_format: str | None = None
    acquire_error: str | None = None
    start_error: str | None = None
    frames: int = 1_000_000
    capture_error: Exception | None = None
    lores_padding: int = 0
    hang_in: str = ""
    first_sequence: int = 7
    skip: int = 1
    stamps: bool = True
    let_go: threading.Event = field(default_factory=threading.Event)
    opened: list[Picamera2] = field(default_factory=list)

    def module(self) -> ModuleType:
        found = ModuleType("picamera2")
        machine = self

        class Bound(Picamera2):
            def __init__(self, camera_num: int = 0) -> None:
                super().__init__(machine, camera_num)

            @staticmethod
            def global_camera_info() -> list[dict[str, Any]]:
                return [dict(each) for each in machine.cameras]

        vars(found)["Picamera2"] = Bound
        return found

    def maybe_hang(self, where: str) -> None:
        if self.hang_in == where:
            self.let_go.wait(WAIT_S)


class Job:
    """As picamera2.job: its result is there once the event loop has signalled."""

    def __init__(self, signal_function: Callable[[Job], None] | None) -> None:
        self.future: Future[Request] = Future()
        self.signal_function = signal_function

    def get_result(self, timeout: float | None = None) -> Request:
        return self.future.result(timeout=timeout)


class Request:
    """As picamera2.request.CompletedRequest."""

    def __init__(self, camera: Picamera2, sequence: int, stamp_ns: int) -> None:
        self.request: Any = SimpleNamespace(sequence=sequence)
        self.config = camera.camera_config
        self._camera, self._stamp_ns, self._count = camera, stamp_ns, 1

    def make_array(self, name: str) -> Any:
        assert self._count > 0, "this buffer belongs to the camera again"
        assert self.config is not None
        config = self.config[name]
        if config is None:
            raise RuntimeError(f"Stream {name!r} is not defined")
        width, height = config["size"]
        value = self.request.sequence % 200
        if config["format"] == "YUV420":
            return np.full((height * 3 // 2, width + self._camera.machine.lores_padding), 128, np.uint8)
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:, :] = (value, 100, 50)  # blue, green, red
        return picture

    def get_metadata(self) -> dict[str, Any]:
        stamp = {"SensorTimestamp": self._stamp_ns} if self._camera.machine.stamps else {}
        return {"ExposureTime": 9999, "AnalogueGain": 2.0, **stamp}

    def release(self) -> None:
        self._count -= 1
        if self._count < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self.request = None
        self._camera.free.put(None)


class Picamera2:
    """One camera."""

    def __init__(self, machine: Machine, camera_num: int) -> None:
        self.machine, self.camera_num = machine, camera_num
        self.camera_config: dict[str, Any] | None = None
        self.started = self.closed = False
        self.free: queue.Queue[None] = queue.Queue()
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._loop: threading.Thread | None = None
        machine.opened.append(self)
        machine.maybe_hang("open")
        try:
            if camera_num >= len(machine.cameras):
                raise IndexError("list index out of range")  # noqa: TRY301 - as the real one
            if machine.acquire_error is not None:
                raise RuntimeError(machine.acquire_error)  # noqa: TRY301 - as the real one
        except Exception:  # noqa: BLE001 - as the real one
            raise RuntimeError("Camera __init__ sequence did not complete.")  # noqa: B904 - as the real one

    @property
    def camera_controls(self) -> dict[str, Any]:
        return dict(CONTROLS) if "ColorFilterArrangement" in self.machine.properties else {}

    @property
    def camera_properties(self) -> dict[str, Any]:
        return dict(self.machine.properties)

    def create_video_configuration(
        self,
        main: dict[str, Any],
        lores: dict[str, Any] | None = None,
        raw: dict[str, Any] | None = None,
        buffer_count: int = 6,
        controls: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        streams = {"main": main, "lores": lores, "raw": raw}
        for stream in streams.values():
            if stream is not None and set(stream) - {"format", "size"}:
                raise ValueError("Bad key: valid stream configuration keys are ('format', 'size')")
        made = {name: None if stream is None else _even(stream) for name, stream in streams.items()}
        return {**made, "buffer_count": buffer_count, "controls": controls or {}, "queue": True}

    def configure(self, camera_config: dict[str, Any]) -> None:
        config = dict(camera_config)
        unknown = set(config["controls"]) - set(self.camera_controls)
        if unknown:
            raise RuntimeError(f"Control {unknown} is not advertised by libcamera")
        lores = config["lores"]
        if lores is not None and (lores["format"] != "YUV420" or lores["size"] > config["main"]["size"]):
            raise RuntimeError("lores stream must be YUV, its dimensions may not exceed main stream")
        if self.machine.given_format is not None:
            config["main"] = {**config["main"], "format": self.machine.given_format}
        self.camera_config = config

    def camera_configuration(self) -> dict[str, Any]:
        assert self.camera_config is not None
        return self.camera_config

    def start(self) -> None:
        if self.camera_config is None:
            raise RuntimeError("Camera has not been configured")
        if self.machine.start_error is not None:
            raise RuntimeError(self.machine.start_error)
        self.machine.maybe_hang("start")
        for _ in range(self.camera_config["buffer_count"]):
            self.free.put(None)
        self.started = True
        self._loop = threading.Thread(target=self._run, daemon=True)
        self._loop.start()

    def capture_request(
        self, wait: bool | None = None, signal_function: Callable[[Job], None] | None = None
    ) -> Job | Request:
        if self.closed or not self.started:
            raise RuntimeError("Camera is not running")
        job = Job(signal_function)
        self._jobs.put(job)
        wait = signal_function is None if wait is None else wait
        return job.get_result() if wait else job

    def close(self) -> None:
        self.machine.maybe_hang("close")
        self.closed = True
        self._jobs.put(None)
        if self._loop is not None:
            self._loop.join(WAIT_S)

    def _run(self) -> None:
        """The event loop: a job is finished with the next buffer that the camera has filled."""
        for number in range(self.machine.frames):
            job = self._jobs.get()
            if job is None:
                return
            self.free.get(timeout=WAIT_S)
            sequence = self.machine.first_sequence + number * self.machine.skip
            if self.machine.capture_error is not None:
                job.future.set_exception(self.machine.capture_error)
            else:
                job.future.set_result(Request(self, sequence, self.machine.now_ns()))
            if job.signal_function:
                job.signal_function(job)
        while self._jobs.get() is not None:
            continue  # no frame comes any more


def _even(stream: dict[str, Any]) -> dict[str, Any]:
    width, height = stream["size"]
    return {**stream, "size": (width - width % 2, height - height % 2)}
