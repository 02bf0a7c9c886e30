"""What a source delivers, and what is done about it, looked at one poll at a time."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence

import pytest

from fer_edge.cameras import Camera
from fer_edge.daemon import capturing
from fer_edge.daemon.capturing import Capturing, Change
from fer_edge.daemon.slot import Slot
from fer_edge.errors import CameraLost
from fer_edge.health import Health
from fer_edge.types import Frame
from support.clocks import StillClock
from support.daemons import PATIENCE_S, Hang, ScriptedCamera, opener


class Noting(Slot[Frame]):
    """Remembers the numbers of all frames that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def put(self, item: Frame) -> bool:
        self.numbers.append(item.seq)
        return super().put(item)


class Bench:
    """A capturing over scripted openings, with its slot, clock and health."""

    def __init__(self, cameras: Sequence[Camera | Exception], judge: capturing.Judge = lambda _: None) -> None:
        self.clock, self.health, self.slot = StillClock(), Health(), Noting()
        self.subject = Capturing(opener(cameras), self.slot, self.clock, self.health, lambda: judge)

    def settled(self) -> Change | None:
        reader = self.subject._reader
        if reader is not None:
            reader.thread.join(PATIENCE_S)
        return self.subject.poll()

    def given(self) -> list[int]:
        found = []
        while (frame := self.slot.take(0.0)) is not None:
            found.append(frame.seq)
        return found


def live(*script: int | Exception | Hang) -> ScriptedCamera:
    return ScriptedCamera(script, live=True)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "PAUSES_S", (0.0,))


def test_an_opening_is_told_before_the_loss_that_followed_at_once() -> None:
    bench = Bench([live(0, CameraLost("unplugged"))])
    bench.subject.start()
    assert bench.settled() == Change("opened")
    assert bench.subject.poll() == Change("lost", "unplugged")
    assert bench.health.status().reasons == {"camera": "unplugged"}


def test_a_clip_ends_and_closes_the_slot() -> None:
    bench = Bench([ScriptedCamera([0])])
    bench.subject.start()
    assert bench.settled() == Change("opened")
    assert bench.subject.poll() == Change("ended")
    assert bench.given() == [0]
    assert bench.slot.finished


def test_a_flapping_camera_is_given_longer_and_longer_pauses_until_it_was_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capturing, "PAUSES_S", (1.0, 2.0, 5.0))
    monkeypatch.setattr(capturing, "JITTER", 0.0)
    bench = Bench([live(i, CameraLost("loose cable")) for i in range(4)])
    subject, pauses = bench.subject, []
    subject.start()
    for steady_s in (0.0, 1.0, capturing.STEADY_S, 0.0):
        bench.settled()
        bench.clock.now_s += steady_s
        subject.poll()
        began_s = bench.clock.now_s
        while subject.waiting:
            bench.clock.now_s += 0.5
            subject.poll()
        pauses.append(bench.clock.now_s - began_s)
    assert pauses == [1.0, 2.0, 1.0, 2.0]


def test_wrong_pictures_open_the_camera_anew_once_and_are_then_only_told_of() -> None:
    bench = Bench([live(0, 1, 2), live(3, 4, 5)], judge=lambda frame: f"picture {frame.seq} is frozen")
    subject = bench.subject
    subject.start()
    assert bench.settled() == Change("opened")
    subject._reader.ended = False  # type: ignore[union-attr]  # as if it still ran
    assert subject.poll() == Change("lost", "picture 2 is frozen")
    subject.poll()
    assert bench.settled() == Change("back", attempts=1)
    subject._reader.ended = False  # type: ignore[union-attr]
    assert subject.poll() is None
    assert bench.health.status().reasons == {"picture": "picture 5 is frozen"}


def test_fewer_frames_are_handed_on_when_a_board_is_to_be_spared() -> None:
    bench = Bench([live(*range(30))])
    bench.subject.max_fps = 2.0
    bench.subject.start()
    bench.settled()
    assert bench.slot.numbers == [0, 5, 10, 15, 20, 25]


def test_a_clip_gives_every_frame_all_the_same() -> None:
    bench = Bench([ScriptedCamera(range(3))])
    bench.subject.max_fps = 0.1
    bench.subject.start()
    assert [frame.seq for _ in range(3) if (frame := bench.slot.take(PATIENCE_S))] == [0, 1, 2]


def test_another_source_takes_over_when_it_is_asked_for() -> None:
    hang = Hang()
    bench = Bench([live(0, hang)])
    bench.subject.start()
    assert hang.begun.wait(PATIENCE_S)
    hang.over.set()
    bench.subject.reopen(lambda: live(7))
    assert bench.settled() == Change("opened")
    assert bench.given() == [7]


def test_the_age_of_the_newest_frame_is_known() -> None:
    hang = Hang()
    bench = Bench([live(0, hang)])
    assert bench.subject.frame_age_s() is None
    bench.subject.start()
    assert hang.begun.wait(PATIENCE_S)
    bench.clock.now_s += 1.5
    assert bench.subject.frame_age_s() == pytest.approx(1.5)
    hang.over.set()


class Opened:
    """An opener of live cameras that break off at once, remembering each only as long as somebody else does."""

    def __init__(self, alter: Callable[[ScriptedCamera], object] = lambda _: None) -> None:
        self._alter = alter
        self.cameras: list[weakref.ref[ScriptedCamera]] = []

    def __call__(self) -> Camera:
        camera = live(0, CameraLost("unplugged"))
        self._alter(camera)
        self.cameras.append(weakref.ref(camera))
        return camera


def lost(opened: Opened) -> Capturing:
    """A capturing whose first camera is gone."""
    clock = StillClock()
    subject = Capturing(opened, Noting(), clock, Health())
    subject.start()
    subject._reader.thread.join(PATIENCE_S)  # type: ignore[union-attr]
    assert [change.kind for change in (subject.poll(), subject.poll()) if change] == ["opened", "lost"]
    return subject


def test_of_a_lost_camera_nothing_is_kept_even_if_python_looks_for_no_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gc, "collect", lambda: 0)
    opened = Opened()
    gc.disable()
    try:
        subject = lost(opened)
        assert opened.cameras[0]() is None
    finally:
        gc.enable()
    assert str(subject.error) == "unplugged"


def test_a_lost_camera_that_holds_itself_is_let_go_of_too() -> None:
    opened = Opened(lambda camera: setattr(camera, "itself", camera))
    gc.disable()
    try:
        lost(opened)
        assert opened.cameras[0]() is None
    finally:
        gc.enable()
