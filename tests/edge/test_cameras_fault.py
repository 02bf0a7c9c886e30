"""`fault:`, its language, and what each fault looks like to whoever reads the camera."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras import Camera
from fer_edge.cameras.demo import FPS, DemoCamera
from fer_edge.cameras.fault import KINDS, Fault, FaultCamera, open_fault, parse, rotten
from fer_edge.cameras.files import open_picture
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, UsageError
from fer_edge.types import Frame
from support.clocks import StillClock

READ_S = 2.0


def camera(script: str, clock: Clock) -> FaultCamera:
    return open_fault(f"demo?{script}", clock, lambda _: DemoCamera(clock))


def frames(source: Camera, number: int) -> list[Frame]:
    found = [source.read(READ_S) for _ in range(number)]
    assert None not in found
    return [each for each in found if each is not None]


def until(clock: StillClock, source: Camera, at_s: float) -> list[Frame]:
    """Read up to this time of the script, and into it."""
    found = []
    while clock.now_s < 100.0 + at_s + 0.01:
        found += frames(source, 1)
    return found


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("stall@5s", Fault("stall", 5.0)),
        ("lost@12s", Fault("lost", 12.0, times=1)),
        ("lost@12s*3", Fault("lost", 12.0, times=3)),
        ("lost@0s+10s", Fault("lost", 0.0, lasts_s=10.0)),
        ("frozen@1.5m+500ms", Fault("frozen", 90.0, lasts_s=0.5)),
        ("corrupt@30s*5/2m", Fault("corrupt", 30.0, times=5, every_s=120.0)),
    ],
)
def test_a_fault_is_a_word_with_its_times(word: str, fault: Fault) -> None:
    assert parse(word) == ((fault,), False)


def test_a_script_is_a_list_and_may_loop() -> None:
    faults, loop = parse("stall@5s, loop,slow@40s")
    assert [each.kind for each in faults] == ["stall", "slow"]
    assert loop


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("explode@5s", "'explode@5s' is not a fault: expected KIND@START.*where KIND is lost, stall, hang"),
        ("stall", "'stall' is not a fault"),
        ("stall@5", "'stall@5' is not a fault"),
        ("stall@5h", "'stall@5h' is not a fault"),
        ("stall@1.2.3s", "1.2.3s is not a time"),
        ("stall@5s+2s*3", r"has both a duration \(\+\) and a count"),
        ("lost@5s/0s", "its period must be above 0"),
    ],
)
def test_a_word_that_is_no_fault_is_a_usage_error(word: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(word)


@pytest.mark.parametrize("source", ["demo", "?stall@5s", "fault:demo?stall@1s?stall@5s"])
def test_a_source_without_a_script_or_a_script_without_a_source_is_a_usage_error(source: str) -> None:
    with pytest.raises(UsageError, match="needs another source and a script: for example fault:demo"):
        open_fault(source, StillClock(), lambda _: DemoCamera(StillClock()))


def test_the_question_mark_of_a_url_stays_with_the_url() -> None:
    asked: list[str] = []
    clock = StillClock()

    def opener(source: str) -> Camera:
        asked.append(source)
        return DemoCamera(clock)

    open_fault("http://camera/stream?size=vga?stall@5s", clock, opener)
    assert asked == ["http://camera/stream?size=vga"]


def test_without_a_fault_frames_come_at_the_speed_of_the_source() -> None:
    clock = StillClock()
    found = frames(camera("stall@1m", clock), 31)
    assert [each.seq for each in found] == list(range(31))
    assert clock.now_s - 100.0 == pytest.approx(30 / FPS)
    assert found[-1].captured_s == clock.now_s


def test_the_camera_is_live_and_says_what_it_plays() -> None:
    with camera("stall@1m", StillClock()) as source:
        assert (source.live, source.name, source.fps) == (True, "fault:demo", FPS)


def test_the_same_script_gives_the_same_pictures() -> None:
    one, two = (camera("corrupt@1s*3,torn@2s*2", clock) for clock in (StillClock(), StillClock()))
    for first, second in zip(frames(one, 45), frames(two, 45), strict=True):
        assert (first.seq, first.captured_s) == (second.seq, second.captured_s)
        assert np.array_equal(first.image, second.image)


def test_a_lost_camera_fails_as_often_as_it_says_and_comes_back() -> None:
    clock = StillClock()
    source = camera("lost@1s*3", clock)
    until(clock, source, 1.0)
    with pytest.raises(CameraLost, match="fault:demo broke off, as its script says"):
        source.read(READ_S)
    for _ in range(2):
        with pytest.raises(CameraLost, match="fault:demo is not there, as its script says"):
            camera("lost@1s*3", clock)
    assert frames(camera("lost@1s*3", clock), 1)


def test_a_camera_that_is_away_for_a_time_comes_back_after_it() -> None:
    clock = StillClock()
    with pytest.raises(CameraLost):
        camera("lost@0s+10s", clock)
    clock.sleep(10.0)
    assert frames(camera("lost@0s+10s", clock), 1)


def test_another_clock_begins_the_script_anew() -> None:
    first = StillClock()
    camera("lost@5s", first)
    first.sleep(60.0)
    with pytest.raises(CameraLost):
        camera("lost@5s", first)
    assert frames(camera("lost@5s", StillClock()), 1)


def test_a_stalled_camera_gives_nothing_until_it_is_opened_again() -> None:
    clock = StillClock()
    source = camera("stall@1s", clock)
    until(clock, source, 1.0)
    for _ in range(3):
        before_s = clock.now_s
        with pytest.raises(CameraLost, match="gave no frame for 2 s"):
            source.read(READ_S)
        assert clock.now_s - before_s == pytest.approx(READ_S)
    assert frames(camera("stall@1s", clock), 30)


def test_a_short_stall_is_over_within_one_read() -> None:
    clock = StillClock()
    source = camera("stall@1s+500ms", clock)
    until(clock, source, 1.0)
    before_s = clock.now_s
    assert frames(source, 1)
    assert clock.now_s - before_s == pytest.approx(0.5, abs=0.1)


def test_a_hanging_camera_does_not_keep_to_the_time_it_was_given() -> None:
    clock = StillClock()
    source = camera("hang@1s+30s", clock)
    until(clock, source, 1.0)
    before_s = clock.now_s
    assert frames(source, 1)
    assert clock.now_s - before_s == pytest.approx(30.0, abs=0.1)


def test_a_camera_that_hangs_for_good_never_comes_back() -> None:
    clock = StillClock()
    source = camera("hang@0s", clock)
    begun = threading.Event()

    def read() -> None:
        begun.set()
        source.read(0.01)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    begun.wait(10.0)
    thread.join(0.2)
    assert thread.is_alive()


def test_a_slow_camera_gives_a_frame_per_second() -> None:
    clock = StillClock()
    source = camera("slow@0s", clock)
    frames(source, 10)
    assert clock.now_s - 100.0 == pytest.approx(10.0, abs=0.1)


def test_a_slow_camera_is_lost_to_who_will_not_wait() -> None:
    with pytest.raises(CameraLost, match=r"gave no frame for 0\.5 s"):
        camera("slow@0s", StillClock()).read(0.5)


def test_a_frozen_camera_gives_new_frames_of_the_same_picture() -> None:
    clock = StillClock()
    source = camera("frozen@1030ms+1s", clock)
    last = until(clock, source, 0.97)[-1]
    found = frames(source, 10)
    assert all(np.array_equal(each.image, last.image) for each in found)
    assert [each.seq for each in found] == list(range(last.seq + 1, last.seq + 11))
    until(clock, source, 2.1)
    assert not np.array_equal(frames(source, 1)[0].image, last.image)


def test_a_lying_camera_gives_the_very_same_frame() -> None:
    clock = StillClock()
    source = camera("repeated@1030ms*4", clock)
    last = until(clock, source, 0.97)[-1]
    assert all(each is last for each in frames(source, 4))
    assert frames(source, 1)[0].seq > last.seq


@pytest.mark.parametrize(("kind", "shape"), [("empty", (0, 0, 3)), ("resized", (240, 320, 3)), ("torn", (480, 640, 3))])
def test_a_spoilt_frame_comes_out_as_a_driver_would_give_it(kind: str, shape: tuple[int, ...]) -> None:
    source = camera(f"{kind}@0s*1", StillClock())
    bad, good = frames(source, 2)
    assert bad.image.shape == shape
    assert good.image.shape == (480, 640, 3)


def test_corrupt_pictures_are_left_out_and_counted() -> None:
    source = camera("corrupt@0s*5", StillClock())
    assert frames(source, 1)[0].seq == 5
    assert source.corrupt == 5


def test_a_camera_that_gives_only_corrupt_pictures_is_lost() -> None:
    clock = StillClock()
    source = camera("corrupt@0s", clock)
    with pytest.raises(CameraLost, match="gave no usable frame for 2 s"):
        source.read(READ_S)
    with pytest.raises(CameraLost, match=r"\d+ of \d+ frames in 5 s were unusable, the last one because"):
        source.read(10.0)


def test_a_periodic_fault_comes_again() -> None:
    clock = StillClock()
    source = camera("empty@1s*1/2s", clock)
    empty_s = [each.captured_s - 100.0 for each in until(clock, source, 8.0) if each.image.size == 0]
    assert empty_s == pytest.approx([1.0, 3.0, 5.0, 7.0], abs=0.1)


def test_a_clip_may_be_played_over_and_over(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((20, 30, 3), 80, np.uint8))
    clock = StillClock()
    source = open_fault("one.png?loop", clock, lambda name: open_picture(tmp_path / name, clock))
    assert [each.seq for each in frames(source, 5)] == [0, 1, 2, 3, 4]


def test_a_clip_ends_where_it_is_not_looped(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((20, 30, 3), 80, np.uint8))
    clock = StillClock()
    source = open_fault("one.png?stall@1m", clock, lambda name: open_picture(tmp_path / name, clock))
    frames(source, 1)
    assert source.read(READ_S) is None


def test_nothing_cannot_be_played_over_and_over() -> None:
    class Nothing(DemoCamera):
        def read(self, timeout_s: float) -> None:  # type: ignore[override]
            return None

    clock = StillClock()
    with pytest.raises(CameraBroken, match="holds no frame to play over and over"):
        open_fault("demo?loop", clock, lambda _: Nothing(clock)).read(READ_S)


def test_a_rotten_picture_is_the_same_for_the_same_seed_only() -> None:
    image = DemoCamera(StillClock()).render(0)
    assert rotten(image, 1) == rotten(image, 1) != rotten(image, 2)


def test_every_fault_is_explained() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "cameras.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"| `{kind}` |" not in page] == []
