"""Jetson's CSI cameras, read from a `gst-launch-1.0` child process: OpenCV's wheels are built without GStreamer."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from fer_edge.cameras.source import Source
from fer_edge.cameras.v4l2 import CameraOptions
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, RuntimeUnavailable
from fer_edge.types import Frame

PROGRAM = "gst-launch-1.0"
OPEN_TIMEOUT_S = 10.0
"""Argus takes 2 to 4 s for its first picture."""
STOP_STEPS_S = ((signal.SIGINT, 3.0), (signal.SIGTERM, 1.0))
"""How the child is ended, and what it is given for each. Only SIGINT lets it close the camera: one that was killed can
leave Argus unusable until the board is started again (OE4T/meta-tegra issue 943). What is left is killed."""
BYTES_PER_PIXEL = 4
"""Of BGRx, the one format that is both what `nvvidconv` makes cheaply and free of padding at any size."""
PIPE_BYTES = 1 << 20
"""What an unprivileged process may ask for (/proc/sys/fs/pipe-max-size): fewer, larger reads."""
LAST_WORDS_S = 1.0
"""How long a child that closed its pipe may take to end."""
WORDS_BYTES = 4096
"""How much of the child's last words is kept."""
ERRORS_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Raw:
    """The size of the raw BGRx pictures that a pipeline writes, and how many per second."""

    width_px: int
    height_px: int
    fps: float

    @property
    def size(self) -> int:
        """Bytes of one picture."""
        return self.width_px * self.height_px * BYTES_PER_PIXEL


def csi_pipeline(number: int, options: CameraOptions) -> list[str]:
    """The elements from a Jetson's CSI camera to raw BGRx of the size asked for.

    The image processor scales without keeping the aspect ratio: ask for the sensor's, which is 16:9 for most.
    """
    rate = Fraction(options.fps).limit_denominator(1001)
    return [
        *("nvarguscamerasrc", f"sensor-id={number}", "!"),
        *(f"video/x-raw(memory:NVMM),format=NV12,framerate={rate.numerator}/{rate.denominator}", "!"),
        *("nvvidconv", "!", f"video/x-raw,format=BGRx,width={options.width_px},height={options.height_px}"),
    ]


def launch(pipeline: Sequence[str]) -> list[str]:
    """The command that runs a pipeline and writes its newest pictures to the descriptor that will stand for `{}`."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise RuntimeUnavailable(f"{PROGRAM} is not installed, which reads CSI cameras: apt install gstreamer1.0-tools")
    newest = ("queue", "leaky=downstream", "max-size-buffers=1", "max-size-bytes=0", "max-size-time=0")
    return [program, "-q", "-e", *pipeline, "!", *newest, "!", "fdsink", "fd={}", "sync=false"]


def open_csi(number: int, clock: Clock, options: CameraOptions | None = None) -> PipeCamera:
    """Open a Jetson's CSI camera and wait for its first picture.

    Raises RuntimeUnavailable without GStreamer, CameraBroken on a board that is no Jetson, CameraLost otherwise.
    """
    options = options or CameraOptions()
    raw = Raw(options.width_px, options.height_px, options.fps)
    name = f"csi:{number} ({raw.width_px} x {raw.height_px})"
    return open_pipe(name, launch(csi_pipeline(number, options)), raw, clock)


def open_pipe(name: str, command: Sequence[str], raw: Raw, clock: Clock) -> PipeCamera:
    """Start a command that writes raw pictures to the descriptor put in for `{}`, and wait until it begins to.

    Raises CameraBroken when an element is not installed, CameraLost when nothing comes.
    """
    camera = PipeCamera(name, command, raw, clock)
    try:
        camera.wait_ready(OPEN_TIMEOUT_S)
    except BaseException:
        camera.close()
        raise
    return camera


class PipeCamera(Source):
    """Raw pictures from a child process. Use `open_csi` or `open_pipe`. `captured_s` is when a picture was complete."""

    live = True

    def __init__(self, name: str, command: Sequence[str], raw: Raw, clock: Clock) -> None:
        self.name, self.fps = name, raw.fps
        self._raw, self._clock = raw, clock
        self._child, self._pictures, self._errors = _start(command)
        self._heard = [self._errors]
        self._buffer = bytearray(raw.size)
        self._filled = self._seq = 0
        self._words = b""

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the first bytes are there; raises like `read`."""
        self._take(self._clock.monotonic_s() + timeout_s, timeout_s)

    def read(self, timeout_s: float) -> Frame:
        """The next picture. Raises CameraLost when none comes in time (a part that came is kept) or the child ended."""
        end_s = self._clock.monotonic_s() + timeout_s
        while self._filled < self._raw.size:
            self._take(end_s, timeout_s)
        self._filled = 0
        pixels = np.frombuffer(self._buffer, np.uint8).reshape(self._raw.height_px, self._raw.width_px, BYTES_PER_PIXEL)
        image = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
        self._seq += 1
        return Frame(image, self._clock.monotonic_s(), self._clock.wall(), self._seq - 1)

    def close(self) -> None:
        """End the child and all that it started; may be called twice."""
        if self._pictures < 0:
            return
        pictures, self._pictures = self._pictures, -1
        self._child.signal(signal.SIGINT)
        os.close(pictures)  # a child that is writing gets an error instead of waiting for ever
        self._child.end()
        os.close(self._errors)

    def _take(self, end_s: float, timeout_s: float) -> None:
        """Wait for some bytes of the picture and take them in, and what the child says meanwhile."""
        while True:
            left_s = end_s - self._clock.monotonic_s()
            ready, _, _ = select.select([self._pictures, *self._heard], [], [], max(left_s, 0.0))
            if self._errors in ready:
                self._listen()
            if self._pictures in ready:
                break
            if left_s <= 0:
                raise CameraLost(f"{self.name} gave no frame for {timeout_s:.3g} s{self._said()}")
        count = os.readv(self._pictures, [memoryview(self._buffer)[self._filled :]])
        if count == 0:
            raise self._ended()
        self._filled += count

    def _listen(self) -> bool:
        """Take in what the child says; False when there is nothing more for now."""
        try:
            heard = os.read(self._errors, ERRORS_BYTES)
        except BlockingIOError:
            return False
        if not heard:
            self._heard = []
        self._words = (self._words + heard)[-WORDS_BYTES:]
        return bool(heard)

    def _ended(self) -> CameraLost | CameraBroken:
        """Why no more pictures come, as the child said itself."""
        how = f"ended with status {self._child.status()}" if self._child.gone(LAST_WORDS_S) else "closed its pipe"
        for _ in range(WORDS_BYTES):  # what is in the pipe; a child that floods it is not heard out
            if not self._listen():
                break
        within = f" within a picture ({self._filled} of {self._raw.size} bytes)" if self._filled else ""
        said = self._said()
        if "no element" in said:
            return CameraBroken(
                f"{self.name}: GStreamer lacks a part{said}; on a Jetson run `apt install nvidia-l4t-gstreamer`, "
                "on any other board use picamera2 or v4l2"
            )
        return CameraLost(f"{self.name}: {PROGRAM} {how}{within}{said}")

    def _said(self) -> str:
        """The child's last error, else its last line."""
        lines = [line.strip() for line in self._words.decode("utf-8", "replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR") or "erroneous" in line or "no element" in line]
        last = (errors or lines)[-1:]
        return f"; it said: {last[0]}" if last else ""


class Child:
    """A child process with a process group of its own, which is not given back before all of it was ended.

    As long as nobody waits for the child, its number cannot become another process's.
    """

    def __init__(self, command: Sequence[str], words_to: int, pictures_to: int) -> None:
        """Start it; raises OSError."""
        self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=words_to,
            stderr=words_to,
            pass_fds=(pictures_to,),
            start_new_session=True,
            restore_signals=False,  # with SIGPIPE ignored a pipe that we close is an error, not the end
        )
        self._watched = os.pidfd_open(self._process.pid)

    def gone(self, patience_s: float) -> bool:
        """Whether it has ended, or ends within this time."""
        return bool(select.select([self._watched], [], [], patience_s)[0])

    def status(self) -> int:
        """The exit status of a child that is gone, or the number of the signal that killed it, negative."""
        result = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        if result is None or result.si_code == os.CLD_EXITED:
            return 0 if result is None else result.si_status
        return -result.si_status

    def signal(self, number: int) -> None:
        """Send a signal to the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def end(self) -> None:
        """Ask it to end, insist, and kill what is left of its group."""
        for number, patience_s in STOP_STEPS_S:
            if self.gone(0):
                break
            self.signal(number)
            self.gone(patience_s)
        self.signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._watched)


def _start(command: Sequence[str]) -> tuple[Child, int, int]:
    """The child, the pipe its pictures come through, and the one for its words.

    Argus prints to standard output too, so that pictures have a descriptor of their own.
    """
    pictures, pictures_in = os.pipe()
    errors, errors_in = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(pictures, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(errors, False)
    try:
        child = Child([part.replace("{}", str(pictures_in)) for part in command], errors_in, pictures_in)
    except OSError as error:
        os.close(pictures)
        os.close(errors)
        raise RuntimeUnavailable(f"{command[0]} cannot be started: {error.strerror}") from None
    finally:
        os.close(pictures_in)
        os.close(errors_in)
    return child, pictures, errors
