"""The Raspberry Pi's camera modules, through the operating system's picamera2."""

from __future__ import annotations

import importlib
import importlib.util
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.cameras.source import Source
from fer_edge.cameras.v4l2 import CameraAbsent, CameraBusy, CameraOptions, Devices
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, RuntimeUnavailable, first_line
from fer_edge.types import Frame, Image

INSTALL = (
    "run `sudo apt install python3-picamera2` and make the environment with `python3 -m venv --system-site-packages`"
)
FORMAT = "RGB888"
"""libcamera's name for bytes in the order blue, green, red."""
LORES_FORMAT = "YUV420"
LORES_WIDTH_PX = 320
BUFFERS = 4
"""One with us, one with the sensor, two between, so that a slow frame of ours costs no frame of the camera's."""
OPEN_TIMEOUT_S = 10.0
"""libcamera takes 1 to 2 s on a Pi 4."""
RELEASE_WAIT_S = 2.0
"""How long closing waits for libcamera; a call that hangs is left behind."""
PLAUSIBLE_DELAY_S = 5.0
"""A sensor's time stamp is taken as it is when the first picture is at most so old by it."""
MAX_CAUSES = 8
"""How many errors that led to each other are looked through."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A camera as libcamera lists it; usb: a webcam, which is better read as a V4L2 device."""

    number: int
    model: str
    id: str

    @property
    def usb(self) -> bool:
        """Whether it is a webcam."""
        return "usb" in self.id.lower()


def installed() -> bool:
    """Whether picamera2 is there to be imported."""
    try:
        return importlib.util.find_spec("picamera2") is not None
    except (ImportError, ValueError):
        return False


def attached() -> list[Attached]:
    """The cameras that libcamera sees, in the order of their numbers.

    Raises RuntimeUnavailable where picamera2 cannot be used, CameraLost when libcamera fails.
    """
    library = _library()
    try:
        found = library.global_camera_info()
    except Exception as error:  # noqa: BLE001 - libcamera's errors have no base of their own
        raise CameraLost(f"libcamera cannot list its cameras: {first_line(error)}") from None
    return [
        Attached(int(each.get("Num", place)), str(each.get("Model", "camera")), str(each.get("Id", "")))
        for place, each in enumerate(found)
    ]


def open_picam(
    number: int,
    clock: Clock,
    options: CameraOptions | None = None,
    *,
    lores: bool = False,
    devices: Devices | None = None,
) -> PiCamera:
    """Open a camera module and start it.

    lores: also ask for a small picture of each frame, for a detector (`PiCamera.lores`), where the camera gives one.
    Raises RuntimeUnavailable without picamera2, CameraAbsent when there is no such camera, CameraBusy when another
    process has it, CameraBroken when it gives no such pictures, CameraLost when it does not answer.
    """
    options = options or CameraOptions()
    library = _library()
    cameras = attached()
    chosen = next((each for each in cameras if each.number == number), None)
    if chosen is None:
        there = ", ".join(f"picamera2:{each.number} ({each.model})" for each in cameras)
        hint = f"there are {there}" if there else "none is attached; check the ribbon cable with `rpicam-hello --list`"
        raise CameraAbsent(f"there is no camera picamera2:{number}: {hint}")
    name = f"picamera2:{number} ({chosen.model})"
    owner = _Owner(name, lambda: _started(library, number, options, lores=lores))
    try:
        camera = owner.wait_open(OPEN_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - libcamera's errors have no base of their own
        owner.close()
        raise _worded(name, error, devices or Devices()) from None
    return PiCamera(name, camera, owner, options.fps, clock)


def _library() -> Any:  # noqa: ANN401 - it has no types
    """The class `Picamera2`."""
    try:
        return importlib.import_module("picamera2").Picamera2
    except ImportError as error:
        raise RuntimeUnavailable(f"picamera2 is not installed ({first_line(error)}): {INSTALL}") from None
    except Exception as error:  # noqa: BLE001 - what it imports fails in many ways: a build for another numpy...
        raise RuntimeUnavailable(
            f"picamera2 is installed but cannot be loaded ({first_line(error)}); the system's is built for the "
            "system's numpy: install numpy below 2 in the environment, or remove numpy from it"
        ) from None


def _started(library: Any, number: int, options: CameraOptions, *, lores: bool) -> Any:  # noqa: ANN401 - no types
    """A running `Picamera2`, in the size and at the rate asked for."""
    camera = library(number)
    try:
        main = {"size": (options.width_px, options.height_px), "format": FORMAT}
        rate_us = round(1e6 / options.fps)
        steady = {"FrameDurationLimits": (rate_us, rate_us)} if "FrameDurationLimits" in camera.camera_controls else {}
        small = _lores(options) if lores and "ColorFilterArrangement" in camera.camera_properties else None
        camera.configure(
            camera.create_video_configuration(main=main, lores=small, raw=None, buffer_count=BUFFERS, controls=steady)
        )
        _check_format(camera.camera_configuration()["main"]["format"])
        camera.start()
    except BaseException:
        camera.close()
        raise
    return camera


def _check_format(given: str) -> None:
    """Libcamera changes what it cannot give without a word."""
    if given != FORMAT:
        raise CameraBroken(f"it gives {given} and no {FORMAT}; a webcam is read with --source 0")


def _lores(options: CameraOptions) -> dict[str, object]:
    """A small picture of the same shape; libcamera wants even sides, and none larger than the main picture's."""
    width = min(LORES_WIDTH_PX, options.width_px)
    height = round(options.height_px * width / options.width_px)
    return {"size": (width - width % 2, height - height % 2), "format": LORES_FORMAT}


class _Owner:
    """The thread that opens and closes a camera, because both may hang in libcamera."""

    def __init__(self, name: str, opener: Callable[[], Any]) -> None:
        self._opener = opener
        self._opening: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"owner of {name}", daemon=True)
        self._thread.start()

    def wait_open(self, timeout_s: float) -> Any:  # noqa: ANN401 - no types
        """The camera; raises TimeoutError, or whatever the opener raised."""
        try:
            found = self._opening.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Close the camera, or leave that to the thread where it hangs; may be called twice."""
        self._enough.set()
        self._thread.join(RELEASE_WAIT_S)

    def hanging(self) -> bool:
        """Whether libcamera has not come back."""
        return self._thread.is_alive()

    def _serve(self) -> None:
        try:
            camera = self._opener()
        except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
            self._opening.put(error)
            return
        self._opening.put(camera)
        self._enough.wait()
        camera.close()


class PiCamera(Source):
    """A running camera module. Use `open_picam`.

    `captured_s` is when the sensor began to be read out, `seq` libcamera's own count, so that frames which nobody took
    in time show as gaps. Every buffer goes back at once: a camera without buffers stands still.
    metadata: what libcamera says of the last frame (exposure, gain, ...).
    """

    live = True

    def __init__(self, name: str, camera: Any, owner: _Owner, fps: float, clock: Clock) -> None:  # noqa: ANN401 - no types
        size = camera.camera_configuration()["main"]["size"]
        self.name, self.fps = f"{name}, {size[0]} x {size[1]}", fps
        self.metadata: dict[str, Any] = {}
        self._camera, self._owner, self._clock = camera, owner, clock
        self._shape = (size[1], size[0], 3)
        self._small = camera.camera_configuration().get("lores")
        self._yuv: Image | None = None
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked = False
        self._first_seq: int | None = None
        self._seq = -1
        self._offset_s: float | None = None

    @property
    def lores(self) -> Image | None:
        """The small picture of the frame that was read last, uint8 (h, w, 3), blue-green-red; None where there is none.

        Converted when it is asked for. To be called by the thread that reads.
        """
        if self._yuv is None or self._small is None:
            return None
        width, height = self._small["size"]  # rows may be longer than the picture
        return np.asarray(cv2.cvtColor(self._yuv, cv2.COLOR_YUV2BGR_I420)[:height, :width], dtype=np.uint8)

    def read(self, timeout_s: float) -> Frame:
        """The next frame; raises CameraLost when none comes in time, or when libcamera fails."""
        if not self._asked:
            self._guarded(lambda: self._camera.capture_request(wait=False, signal_function=self._jobs.put))
            self._asked = True
        try:
            job = self._jobs.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            raise CameraLost(
                f"{self.name} gave no frame for {timeout_s:.3g} s; if it stays so, check its ribbon cable"
            ) from None
        self._asked = False
        frame: Frame = self._guarded(lambda: self._taken(job.get_result()))
        return frame

    def close(self) -> None:
        """Stop and release the camera; may be called twice."""
        self._owner.close()

    def hanging(self) -> bool:
        """Whether libcamera has not come back from opening or closing."""
        return self._owner.hanging()

    def _guarded(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - no types
        try:
            return call()
        except CameraLost:
            raise
        except Exception as error:  # noqa: BLE001 - libcamera's errors have no base of their own
            raise CameraLost(f"{self.name} broke off: {first_line(error)}") from None

    def _taken(self, request: Any) -> Frame:  # noqa: ANN401 - no types
        """Copy all that is wanted out of a request, and give its buffers back."""
        try:
            image = np.asarray(request.make_array("main"))  # a copy of its own
            self._yuv = None if self._small is None else np.asarray(request.make_array("lores"))
            self.metadata = dict(request.get_metadata())
            sequence = getattr(request.request, "sequence", None)
        finally:
            request.release()
        if image.shape != self._shape or image.dtype != np.uint8:
            raise CameraLost(f"{self.name} gave {image.dtype} of shape {image.shape}, expected uint8 {self._shape}")
        return Frame(image, self._captured_s(), self._clock.wall(), self._count(sequence))

    def _count(self, sequence: int | None) -> int:
        """Libcamera's count from 0, or ours where it has none."""
        if sequence is None:
            self._seq += 1
            return self._seq
        if self._first_seq is None:
            self._first_seq = sequence
        self._seq = sequence - self._first_seq
        return self._seq

    def _captured_s(self) -> float:
        """The sensor's time stamp, on our clock.

        It counts nanoseconds since the board was started, as the monotonic clock does on a board that never sleeps.
        Where the two differ, the first frame is taken to be new.
        """
        now_s = self._clock.monotonic_s()
        stamp_ns = self.metadata.get("SensorTimestamp")
        if not stamp_ns:
            return now_s
        sensor_s = stamp_ns / 1e9
        if self._offset_s is None:
            plausible = 0.0 <= now_s - sensor_s <= PLAUSIBLE_DELAY_S
            self._offset_s = 0.0 if plausible else now_s - sensor_s
        return float(sensor_s + self._offset_s)


def _worded(name: str, error: Exception, devices: Devices) -> Exception:
    """What libcamera's errors while opening mean."""
    if isinstance(error, CameraBroken):
        return CameraBroken(f"{name}: {error}")
    if isinstance(error, TimeoutError):
        return CameraLost(f"{name} did not open within {OPEN_TIMEOUT_S:g} s; libcamera hangs")
    said = _causes(error)
    if "busy" in said.lower() or "in use" in said.lower() or "-16" in said:
        return CameraBusy(f"{name} is busy{_holder(devices)}; stop that: a camera module serves one program at a time")
    return CameraLost(f"{name} cannot be opened: {said}")


def _causes(error: BaseException) -> str:
    """The errors that led to one, first the oldest: picamera2's last one only says that something went wrong."""
    said: list[str] = []
    current: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if current is None:
            break
        if isinstance(current, Exception):
            said.insert(0, first_line(current))
        current = current.__cause__ or current.__context__
    return "; ".join(dict.fromkeys(said))


def _holder(devices: Devices) -> str:
    """Who has one of the nodes open that libcamera locks."""
    nodes = sorted(Path(devices.folder).glob("media[0-9]*"))
    return next((words for words in map(devices.users, nodes) if words), "; another process has it")
