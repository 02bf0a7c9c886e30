"""Clips: whole ones end, broken ones are told from them, on real files cut in many ways."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras.container import inspect
from fer_edge.cameras.video import COUNT_TOLERANCE_FRAMES, FALLBACK_FPS, ClipCamera, open_clip, tolerance
from fer_edge.clock import Clock
from fer_edge.errors import CameraBroken, CameraLost, ExitCode, InputError
from fer_edge.types import Frame
from support.clocks import StillClock
from support.shared import media

HAMILTON = "short_hamilton_clip.mp4"
GIFS = ("classroom.gif", "face-demographics-walking.gif", "head-pose-face-detection-female-and-male.gif")
FRAMES = {HAMILTON: 275, "classroom.gif": 45, "face-demographics-walking.gif": 35, GIFS[2]: 56}
"""As the README beside them says."""


def read_all(path: Path, clock: Clock | None = None, *, pace: bool = False) -> tuple[list[Frame], str]:
    """All frames, and the sentence of the loss, "" when the clip ends well."""
    found: list[Frame] = []
    with open_clip(path, clock or StillClock(), pace=pace) as camera:
        try:
            while (frame := camera.read(1.0)) is not None:
                found.append(frame)
        except CameraLost as error:
            return found, str(error)
    return found, ""


def cut(source: Path, share: float, into: Path) -> Path:
    data = source.read_bytes()
    target = into / f"cut{source.suffix}"
    target.write_bytes(data[: int(len(data) * share)])
    return target


def boxes(data: bytes, start: int, end: int) -> list[tuple[bytes, int, int]]:
    """(name, start, end) of the MP4 boxes of a whole file."""
    found = []
    while start < end:
        size, name = struct.unpack(">I4s", data[start : start + 8])
        found.append((name, start, start + size))
        start += size
    return found


def index_first(source: Path, into: Path) -> Path:
    """The same MP4 with its index (moov) before the pictures, as for streaming."""
    data = source.read_bytes()
    places = {name: (start, end) for name, start, end in boxes(data, 0, len(data))}
    start, end = places[b"moov"]
    moov = bytearray(data[start:end])
    at = moov.find(b"stco")
    while at >= 0:
        count = struct.unpack(">I", moov[at + 8 : at + 12])[0]
        offsets = struct.unpack(f">{count}I", moov[at + 12 : at + 12 + 4 * count])
        moov[at + 12 : at + 12 + 4 * count] = struct.pack(f">{count}I", *(offset + len(moov) for offset in offsets))
        at = moov.find(b"stco", at + 4)
    first = places[b"ftyp"][1]
    target = into / "index-first.mp4"
    target.write_bytes(data[:first] + moov + data[first:start] + data[end:])
    return target


def written(path: Path, codec: str, frames: int = 40) -> Path:
    """A clip of noise and a moving bar."""
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 20.0, (160, 120))
    for number in range(frames):
        picture = rng.integers(80, 120, (120, 160, 3), dtype=np.uint8)
        picture[:, 4 * number : 4 * number + 4] = 255
        writer.write(picture)
    writer.release()
    return path


@pytest.mark.parametrize("name", FRAMES)
def test_a_whole_clip_gives_every_frame_and_ends_well(name: str) -> None:
    frames, loss = read_all(media(name))
    assert (len(frames), loss) == (FRAMES[name], "")
    assert [frame.seq for frame in frames] == list(range(len(frames)))


def test_frames_of_a_clip_of_even_rate_carry_frame_number_over_rate() -> None:
    frames, _ = read_all(media(HAMILTON))
    assert np.allclose([frame.captured_s for frame in frames], np.arange(275) / 29.97, atol=1e-6)


def test_frames_of_a_clip_of_uneven_rate_carry_the_time_that_its_file_states() -> None:
    frames, _ = read_all(media("classroom.gif"))
    steps = np.diff([frame.captured_s for frame in frames])
    assert (steps > 0).all()
    assert {round(step, 2) for step in steps.tolist()} == {0.06, 0.07}


def test_pictures_of_a_clip_are_what_opencv_reads() -> None:
    frames, _ = read_all(media("classroom.gif"))
    capture = cv2.VideoCapture(str(media("classroom.gif")))
    assert (frames[0].image == capture.read()[1]).all()
    capture.release()


def test_a_clip_tells_its_rate_and_is_not_live() -> None:
    with open_clip(media(HAMILTON), StillClock()) as camera:
        assert camera.fps == pytest.approx(29.97)
        assert not camera.live
        assert camera.name == str(media(HAMILTON))


def test_a_whole_clip_with_its_index_first_ends_well(tmp_path: Path) -> None:
    frames, loss = read_all(index_first(media(HAMILTON), tmp_path))
    assert (len(frames), loss) == (275, "")


@pytest.mark.parametrize(("share", "whole"), [(0.5, 130), (0.9, 240), (0.999, 274)])
def test_a_clip_that_is_cut_off_gives_its_frames_and_then_is_lost(tmp_path: Path, share: float, whole: int) -> None:
    path = cut(index_first(media(HAMILTON), tmp_path), share, tmp_path)
    frames, loss = read_all(path)
    assert abs(len(frames) - whole) <= 1  # decoders differ by the frame in which the cut lies
    assert loss.startswith(f"{path}: {len(frames)} frames of the 275 that its header promises could be read")
    assert "the clip is cut off: it ends at byte" in loss


def test_frames_before_the_cut_are_those_of_the_whole_clip(tmp_path: Path) -> None:
    whole = index_first(media(HAMILTON), tmp_path)
    last = read_all(cut(whole, 0.5, tmp_path))[0][-1]
    assert (read_all(whole)[0][last.seq].image == last.image).all()


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_cut_clip_whose_index_was_at_its_end_is_refused_with_the_reason(tmp_path: Path, share: float) -> None:
    path = cut(media(HAMILTON), share, tmp_path)
    with pytest.raises(
        CameraBroken, match=r"is a clip that is cut off, and no frame of it can be read: .*moov"
    ) as error:
        open_clip(path, StillClock())
    assert error.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize("name", GIFS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_gif_that_is_cut_off_gives_its_whole_pictures_and_then_is_lost(
    tmp_path: Path, name: str, share: float
) -> None:
    path = cut(media(name), share, tmp_path)
    frames, loss = read_all(path)
    assert 0 < len(frames) < FRAMES[name]
    assert loss.startswith(f"{path}: {len(frames)} frames could be read; the clip is cut off: it ends without the mark")
    assert (frames[-1].image == read_all(media(name))[0][len(frames) - 1].image).all()


def test_a_clip_that_is_damaged_inside_is_lost_where_the_damage_is(tmp_path: Path) -> None:
    path = index_first(media(HAMILTON), tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) * 8 // 10] = bytes(len(data) * 8 // 10 - len(data) // 2)
    path.write_bytes(data)
    frames, loss = read_all(path)
    assert 125 <= len(frames) <= 215
    assert "the clip is damaged there and what follows cannot be decoded" in loss


def test_a_clip_that_was_trimmed_by_an_edit_list_is_whole(tmp_path: Path) -> None:
    path = index_first(media(HAMILTON), tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12  # two entries: an empty one, and the clip from its start
    shown_ms, skipped_ticks = round(175 / 29.97 * 1000), 100 * 400
    data[at + 12 : at + 20] = struct.pack(">Ii", shown_ms, skipped_ticks)
    path.write_bytes(data)
    frames, loss = read_all(path)
    assert (len(frames), loss) == (175, "")


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a.ts", "mp4v")])
def test_other_containers_are_whole_when_they_are_whole(tmp_path: Path, name: str, codec: str) -> None:
    frames, loss = read_all(written(tmp_path / name, codec))
    assert (len(frames), loss) == (40, "")


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a.ts", "mp4v")])
def test_other_containers_are_lost_where_they_are_cut(tmp_path: Path, name: str, codec: str) -> None:
    whole = written(tmp_path / name, codec)
    frames, loss = read_all(cut(whole, 0.5, tmp_path))
    assert 14 <= len(frames) <= 24
    assert "the clip is cut off" in loss
    assert (frames[-1].image == read_all(whole)[0][len(frames) - 1].image).all()


def test_an_avi_that_lost_only_its_index_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "a.avi", "MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])
    frames, loss = read_all(path)
    assert (len(frames), loss) == (40, "")


@pytest.mark.parametrize(
    "content", [b"", b"hello, world\n" * 100, bytes(5000), b"GIF89a", b"\x1aE\xdf\xa3", b"\x00\x00\x00\x08ftyp"]
)
def test_what_is_no_clip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(CameraBroken, match=r"is not a picture or a clip that can be read|no frame of it can be read"):
        open_clip(tmp_path / "a.mp4", StillClock())


def test_a_missing_clip_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*gone\.mp4: No such file or directory"):
        open_clip(tmp_path / "gone.mp4", StillClock())


def test_a_clip_is_delivered_in_real_time_when_it_is_paced() -> None:
    clock = StillClock()
    frames, _ = read_all(media("classroom.gif"), clock, pace=True)
    assert clock.now_s - 100.0 == pytest.approx(frames[-1].captured_s - frames[0].captured_s)


def test_a_clip_never_waits_when_it_is_not_paced() -> None:
    clock = StillClock()
    read_all(media("classroom.gif"), clock)
    assert clock.slept == []


def test_a_slow_reader_of_a_paced_clip_misses_no_frame() -> None:
    clock = StillClock()
    with open_clip(media("classroom.gif"), clock, pace=True) as camera:
        seen = []
        while (frame := camera.read(1.0)) is not None:
            seen.append(frame.seq)
            clock.now_s += 1.0
    assert seen == list(range(45))
    assert all(seconds <= 0 for seconds in clock.slept)


def test_closing_twice_is_harmless() -> None:
    camera = open_clip(media("classroom.gif"), StillClock())
    camera.close()
    camera.close()


def test_nothing_is_printed_about_a_broken_clip(tmp_path: Path) -> None:
    path = cut(index_first(media(HAMILTON), tmp_path), 0.5, tmp_path)
    code = (
        "import sys, pathlib; from fer_edge.cameras.opening import open_camera\n"
        "from fer_edge.errors import CameraLost\n"
        "camera = open_camera(sys.argv[1])\n"
        "try:\n    while camera.read(1.0): pass\n"
        "except CameraLost: print('lost')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("lost\n", "")


class FakeCapture:
    """A capture that gives `count` frames and states what a test wants."""

    def __init__(self, count: int, stated: dict[int, float]) -> None:
        self.left, self.stated, self.released = count, stated, 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, object]:
        self.left -= 1
        return self.left >= 0, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop: int, /) -> float:
        return self.stated.get(prop, 0.0)

    def set(self, prop: int, value: float, /) -> bool:
        return False

    def release(self) -> None:
        self.released += 1


def of_unknown_kind(count: int, promised: int) -> ClipCamera:
    stated = {cv2.CAP_PROP_FRAME_COUNT: float(promised), cv2.CAP_PROP_FPS: 10.0}
    return ClipCamera(Path("clip"), FakeCapture(count, stated), inspect(Path(__file__)), StillClock(), pace=False)


def drain(camera: ClipCamera) -> int:
    count = 0
    while camera.read(1.0) is not None:
        count += 1
    return count


@pytest.mark.parametrize("promised", [20, 100, 1000])
def test_a_clip_may_end_earlier_than_promised_within_the_tolerance(promised: int) -> None:
    fewest = promised - tolerance(promised)
    assert drain(of_unknown_kind(fewest, promised)) == fewest


@pytest.mark.parametrize("promised", [20, 100, 1000])
def test_a_clip_that_ends_earlier_than_the_tolerance_allows_is_lost(promised: int) -> None:
    with pytest.raises(CameraLost, match="damaged"):
        drain(of_unknown_kind(promised - tolerance(promised) - 1, promised))


def test_the_tolerance_is_two_frames_or_two_percent() -> None:
    assert (tolerance(10), tolerance(100), tolerance(1000)) == (COUNT_TOLERANCE_FRAMES, 2, 20)


def test_a_clip_that_promises_nothing_ends_where_it_ends() -> None:
    assert drain(of_unknown_kind(7, 0)) == 7


def test_a_clip_without_any_frame_is_broken() -> None:
    with pytest.raises(CameraBroken, match="holds no frame"):
        drain(of_unknown_kind(0, 0))


def test_a_clip_that_states_no_rate_is_timed_at_the_fallback_rate() -> None:
    camera = ClipCamera(Path("clip"), FakeCapture(3, {}), inspect(Path(__file__)), StillClock(), pace=False)
    times = [frame.captured_s for frame in iter(lambda: camera.read(1.0), None)]
    assert camera.fps == 0.0
    assert times == [0.0, 1 / FALLBACK_FPS, 2 / FALLBACK_FPS]
