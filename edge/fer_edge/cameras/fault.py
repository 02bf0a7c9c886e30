"""`fault:`, a source with scripted faults: any other source, played as a camera that fails as it is told."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from fer_edge.cameras import Camera
from fer_edge.cameras.checked import FILLS, CorruptFrame, Spoilt, decode_jpeg
from fer_edge.cameras.source import Source
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, UsageError
from fer_edge.types import Frame, Image

Kind = Literal["lost", "stall", "hang", "slow", "frozen", "repeated", "empty", "resized", "torn", "corrupt"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LOOP = "loop"
"""The word that plays a clip over and over."""

FORM = re.compile(
    r"(?P<kind>[a-z]+)@(?P<start>[0-9.]+(?:ms|s|m))"
    r"(?:\+(?P<lasts>[0-9.]+(?:ms|s|m)))?(?:\*(?P<times>[0-9]{1,6}))?(?:/(?P<every>[0-9.]+(?:ms|s|m)))?",
    re.ASCII,
)
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
EXAMPLE = "fault:demo?stall@5s,lost@12s*3,frozen@20s+10s,corrupt@30s*5/60s"
SLOW_S = 1.0
"""Between two frames of a slow camera."""
FALLBACK_FPS = 10.0
"""How fast a source is played that has no rate, such as a folder."""
ROTTEN_EVERY = 50
"""One byte of so many is changed in a corrupt picture."""
JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a script: when it begins, and until when it lasts.

    start_s, every_s: seconds since the source was first opened; every_s None: it happens once. lasts_s: for so long.
    times: for so many frames, or openings where it is `lost`. Neither: until the camera is opened again.
    """

    kind: Kind
    start_s: float
    lasts_s: float | None = None
    times: int | None = None
    every_s: float | None = None


def parse(script: str) -> tuple[tuple[Fault, ...], bool]:
    """The faults of a script such as `stall@5s,lost@12s*3`, and whether it says `loop`. Raises UsageError."""
    words = [word.strip() for word in script.split(",") if word.strip()]
    return tuple(_fault(word) for word in words if word != LOOP), LOOP in words


def _fault(word: str) -> Fault:
    found = FORM.fullmatch(word)
    kind = next((each for each in KINDS if found and each == found["kind"]), None)
    if found is None or kind is None:
        raise UsageError(
            f"{word!r} is not a fault: expected KIND@START[+DURATION][*TIMES][/PERIOD] with times such as 5s, 500ms or "
            f"2m, where KIND is {', '.join(KINDS)}; for example {EXAMPLE}"
        )
    times = int(found["times"]) if found["times"] else None
    if times is None and not found["lasts"] and kind == "lost":
        times = 1
    if times is not None and found["lasts"]:
        raise UsageError(f"{word!r} has both a duration (+) and a count (*): give one of them")
    start_s, lasts_s, every_s = (_seconds(found[name], word) for name in ("start", "lasts", "every"))
    if every_s is not None and every_s <= 0:
        raise UsageError(f"{word!r} repeats without a pause: its period must be above 0")
    return Fault(kind, start_s or 0.0, lasts_s, times, every_s)


def _seconds(text: str | None, word: str) -> float | None:
    if text is None:
        return None
    number = text.rstrip("ms")
    try:
        return float(number) * UNITS_S[text[len(number) :]]
    except ValueError:
        raise UsageError(f"{word!r}: {text} is not a time; expected one such as 5s, 0.5s, 500ms or 2m") from None


class Happening(NamedTuple):
    """A fault that is on, and for how many more seconds (or math.inf)."""

    kind: Kind
    left_s: float


@dataclass
class Script:
    """What has happened so far, over all openings of one source on one clock."""

    faults: tuple[Fault, ...]
    begun_s: float
    openings: int = 0
    used: dict[tuple[int, int], int] = field(default_factory=dict)
    begun_in: dict[tuple[int, int], int] = field(default_factory=dict)

    def active(self, now_s: float, kinds: Sequence[Kind]) -> Happening | None:
        """The first fault of these kinds that is on; it counts as having happened once."""
        for number, fault in enumerate(self.faults):
            if fault.kind in kinds:
                left_s = self._left_s(number, fault, now_s - self.begun_s)
                if left_s > 0:
                    return Happening(fault.kind, left_s)
        return None

    def _left_s(self, number: int, fault: Fault, at_s: float) -> float:
        """For how long a fault goes on, infinite where that is not a matter of time, 0 when it is not on."""
        if at_s < fault.start_s:
            return 0.0
        turn = int((at_s - fault.start_s) / fault.every_s) if fault.every_s else 0
        key = (number, turn)
        if fault.lasts_s is not None:
            since_s = at_s - fault.start_s - turn * (fault.every_s or 0.0)
            return max(fault.lasts_s - since_s, 0.0)
        if fault.times is not None:
            self.used[key] = self.used.get(key, 0) + 1
            return math.inf if self.used[key] <= fault.times else 0.0
        return math.inf if self.begun_in.setdefault(key, self.openings) == self.openings else 0.0


_SCRIPTS: WeakKeyDictionary[Clock, dict[str, Script]] = WeakKeyDictionary()
"""Scripts that have begun: a camera that is opened again goes on where it was."""
_BEGINNING = threading.Lock()


def open_fault(source: str, clock: Clock, opener: Callable[[str], Camera]) -> FaultCamera:
    """Open what follows `fault:`: a source, a question mark, and a script.

    opener: opens the source inside, without a pace of its own. Raises UsageError for a script that is none,
    CameraLost where the script says so, or whatever the source inside raises.
    """
    inside, mark, text = source.rpartition("?")
    if not mark or not inside or inside.startswith("fault:"):
        raise UsageError(f"source 'fault:{source}' needs another source and a script: for example {EXAMPLE}")
    faults, loop = parse(text)
    with _BEGINNING:
        scripts = _SCRIPTS.setdefault(clock, {})
        script = scripts.setdefault(source, Script(faults, clock.monotonic_s()))
        script.openings += 1
    if script.active(clock.monotonic_s(), ("lost",)):
        raise CameraLost(f"fault:{inside} is not there, as its script says")
    return FaultCamera(lambda: opener(inside), script, clock, loop=loop)


class FaultCamera(Source):
    """A live camera that fails by a script. Use `open_fault`. corrupt: pictures that could not be decoded."""

    live = True

    def __init__(self, opener: Callable[[], Camera], script: Script, clock: Clock, *, loop: bool) -> None:
        self._opener, self._script, self._clock, self._loop = opener, script, clock, loop
        self._camera = opener()
        self.name, self.fps = f"fault:{self._camera.name}", self._camera.fps
        self._spoilt = Spoilt(clock)
        self._seq = -1
        self._due_s = clock.monotonic_s()
        self._last: Frame | None = None

    @property
    def corrupt(self) -> int:
        """Pictures that were damaged, and left out."""
        return self._spoilt.bad

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or what the script has in its place; `captured_s` is its arrival on the clock."""
        end_s = self._clock.monotonic_s() + timeout_s
        while True:
            self._hold_up(end_s, timeout_s)
            frame = self._next(timeout_s)
            if frame is None:
                return None
            spoilt = self._script.active(self._clock.monotonic_s(), SPOILING)
            found = self._spoil(frame, spoilt.kind) if spoilt else frame
            if found is not None:
                self._spoilt.add(good=True)
                self._last = found
                return found
            if self._clock.monotonic_s() >= end_s:
                raise CameraLost(f"{self.name} gave no usable frame for {timeout_s:g} s")

    def close(self) -> None:
        """Close the source inside; may be called twice."""
        self._camera.close()

    def _hold_up(self, end_s: float, timeout_s: float) -> None:
        """The faults in which no frame comes, or a late one."""
        held = self._script.active(self._clock.monotonic_s(), HOLDING)
        if held is None:
            return
        if held.kind == "lost":
            raise CameraLost(f"{self.name} broke off, as its script says")
        if held.kind == "hang":
            self._hang(held.left_s)
            return
        wait_s = SLOW_S if held.kind == "slow" else held.left_s
        left_s = max(end_s - self._clock.monotonic_s(), 0.0)
        self._clock.sleep(min(wait_s, left_s))
        if wait_s > left_s:
            raise CameraLost(f"{self.name} gave no frame for {timeout_s:.3g} s")

    def _hang(self, left_s: float) -> None:
        """Not come back, as a stuck driver does not: for as long as the script says, or for ever."""
        if math.isinf(left_s):
            threading.Event().wait()
        self._clock.sleep(left_s)

    def _next(self, timeout_s: float) -> Frame | None:
        """The next frame of the source inside, when it is due; a late reader has missed those before it."""
        if not self._camera.live:
            self._clock.sleep(self._due_s - self._clock.monotonic_s())
            self._due_s = self._clock.monotonic_s() + 1.0 / (self.fps or FALLBACK_FPS)
        frame = self._camera.read(timeout_s)
        if frame is None and self._loop:
            self._camera.close()
            self._camera = self._opener()
            frame = self._camera.read(timeout_s)
            if frame is None:
                raise CameraBroken(f"{self.name} holds no frame to play over and over")
        if frame is None:
            return None
        self._seq += 1
        return Frame(frame.image, self._clock.monotonic_s(), frame.wall, self._seq, frame.origin)

    def _spoil(self, frame: Frame, kind: Kind) -> Frame | None:
        """What comes in a frame's place; None when nothing does."""
        if kind == "corrupt":
            return self._decoded(frame)
        if kind == "repeated":
            return self._last or frame
        image = self._last.image if kind == "frozen" and self._last is not None else SHAPES[kind](frame.image)
        return Frame(image, frame.captured_s, frame.wall, frame.seq, frame.origin)

    def _decoded(self, frame: Frame) -> Frame | None:
        """The frame through a rotten JPEG, which is dropped and counted as that of a USB camera is."""
        try:
            image = decode_jpeg(rotten(frame.image, frame.seq))
        except CorruptFrame as error:
            ending = self._spoilt.add(good=False)
            if ending is not None:
                raise CameraLost(f"{self.name}: {ending}, the last one because {error}") from None
            return None
        return Frame(image, frame.captured_s, frame.wall, frame.seq, frame.origin)


def rotten(image: Image, seed: int) -> bytes:
    """A picture as JPEG in which one byte of fifty was changed; the same every time for one seed."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    data = np.array(encoded, dtype=np.uint8).reshape(-1)
    begin = data.size // 4  # the tables at the front stay whole
    rng = np.random.default_rng(seed)
    where = begin + rng.choice(data.size - begin, max((data.size - begin) // ROTTEN_EVERY, 1), replace=False)
    data[where] ^= rng.integers(1, 256, where.size, dtype=np.uint8)
    return bytes(data.tobytes())


def _torn(image: Image) -> Image:
    """The lower third never came."""
    found: Image = image.copy()
    found[-(len(found) // 3) :] = FILLS[0]
    return found


HOLDING: tuple[Kind, ...] = ("lost", "stall", "hang", "slow")
"""The faults in which no frame comes, or late."""
SPOILING: tuple[Kind, ...] = ("frozen", "repeated", "empty", "resized", "torn", "corrupt")
"""The faults in which a frame comes, and is wrong."""
SHAPES: dict[Kind, Callable[[Image], Image]] = {
    "frozen": lambda image: image,
    "empty": lambda _: np.zeros((0, 0, 3), np.uint8),
    "resized": lambda image: np.ascontiguousarray(image[::2, ::2]),
    "torn": _torn,
}
"""What becomes of a picture."""
