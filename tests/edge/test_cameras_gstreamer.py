"""Pictures from a child process: GStreamer itself where it is installed, and programs that fail in every way."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_edge.cameras import gstreamer
from fer_edge.cameras.gstreamer import PROGRAM, PipeCamera, Raw, csi_pipeline, launch, open_csi, open_pipe
from fer_edge.cameras.v4l2 import CameraOptions
from fer_edge.clock import SystemClock
from fer_edge.errors import CameraBroken, CameraLost, RuntimeUnavailable

CLOCK = SystemClock()
READ_S = 20.0
RAW = Raw(64, 48, 30.0)
FRAME = f"bytes([1, 2, 3, 255]) * {RAW.width_px * RAW.height_px}"

needs_gstreamer = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")


def program(tmp_path: Path, body: str) -> list[str]:
    """A Python program that writes pictures to `out`."""
    path = tmp_path / "fake.py"
    path.write_text(f"import os, signal, sys\nout = int(sys.argv[1])\nframe = {FRAME}\n{body}\n")
    return [sys.executable, "-S", str(path), "{}"]


def opened(tmp_path: Path, body: str) -> PipeCamera:
    return open_pipe("test", program(tmp_path, body), RAW, CLOCK)


def has_element(name: str) -> bool:
    found = subprocess.run(["gst-inspect-1.0", "--exists", name], check=False, capture_output=True)
    return found.returncode == 0


def group_is_gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_raw_pictures_come_out_as_blue_green_red(tmp_path: Path) -> None:
    with opened(tmp_path, "os.write(out, frame)\nsignal.pause()") as camera:
        frame = camera.read(READ_S)
    assert frame.image.shape == (48, 64, 3)
    assert tuple(frame.image[0, 0]) == (1, 2, 3)
    assert frame.seq == 0
    assert camera.live


def test_pictures_are_counted_and_carry_the_time_of_their_arrival(tmp_path: Path) -> None:
    before_s = CLOCK.monotonic_s()
    with opened(tmp_path, "[os.write(out, frame) for _ in range(3)]\nsignal.pause()") as camera:
        frames = [camera.read(READ_S) for _ in range(3)]
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert before_s <= frames[0].captured_s <= frames[2].captured_s <= CLOCK.monotonic_s()


def test_a_picture_that_was_read_does_not_change_with_the_next(tmp_path: Path) -> None:
    with opened(tmp_path, "os.write(out, frame)\nos.write(out, bytes(len(frame)))\nsignal.pause()") as camera:
        first = camera.read(READ_S).image
        camera.read(READ_S)
    assert tuple(first[0, 0]) == (1, 2, 3)


def test_a_program_that_dies_at_once_is_lost_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match="ended with status 3; it said: the sensor is not there"):
        opened(tmp_path, "sys.stderr.write('first\\nthe sensor is not there\\n'); sys.exit(3)")


def test_an_error_line_counts_more_than_what_was_said_after_it(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match=r"it said: ERROR: from element /GstPipeline: No cameras available$"):
        opened(
            tmp_path,
            "print('ERROR: from element /GstPipeline: No cameras available', flush=True)\n"
            "sys.stderr.write('Freeing pipeline ...\\n'); sys.exit(1)",
        )


def test_a_program_that_was_killed_is_lost_with_the_signal(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match="ended with status -9"):
        opened(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")


def test_a_program_that_ends_within_a_picture_says_how_far_it_came(tmp_path: Path) -> None:
    half = RAW.size // 2
    with opened(tmp_path, "os.write(out, frame); os.write(out, frame[: len(frame) // 2])") as camera:
        camera.read(READ_S)
        with pytest.raises(CameraLost, match=rf"ended with status 0 within a picture \({half} of {RAW.size} bytes\)"):
            camera.read(READ_S)


def test_half_a_picture_is_no_picture_until_the_other_half_came(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    os.mkfifo(go_on)
    with opened(
        tmp_path,
        f"os.write(out, frame[:5000])\nopen({str(go_on)!r}).read()\nos.write(out, frame[5000:])\nsignal.pause()",
    ) as camera:
        with pytest.raises(CameraLost, match=r"gave no frame for 0\.05 s"):
            camera.read(0.05)
        go_on.write_text("now")
        assert tuple(camera.read(READ_S).image[-1, -1]) == (1, 2, 3)


def test_a_program_that_writes_nothing_is_lost_in_time_with_what_it_said(tmp_path: Path) -> None:
    body = f"print('waiting', flush=True)\nopen({str(tmp_path / 'began')!r}, 'w').close()\nsignal.pause()"
    with PipeCamera("test", program(tmp_path, body), RAW, CLOCK) as camera:
        eventually((tmp_path / "began").exists)
        with pytest.raises(CameraLost, match=r"gave no frame for 0\.05 s; it said: waiting"):
            camera.wait_ready(0.05)


def test_a_camera_that_does_not_open_leaves_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gstreamer, "OPEN_TIMEOUT_S", 0.05)
    before = children()
    with pytest.raises(CameraLost, match=r"gave no frame for 0\.05 s"):
        opened(tmp_path, "signal.pause()")
    assert children() == before


def children() -> str:
    """The processes that this thread started, and that nobody has waited for."""
    return Path("/proc/thread-self/children").read_text(encoding="ascii")


def test_a_program_that_floods_both_pipes_costs_no_memory_and_is_read_in_order(tmp_path: Path) -> None:
    with opened(
        tmp_path,
        "noise = b'warning ' * 1000\n"
        "os.set_blocking(2, False)\n"
        "while True:\n"
        "    try: os.write(2, noise)\n"
        "    except BlockingIOError: pass\n"
        "    os.write(out, frame)",
    ) as camera:
        camera.read(READ_S)
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(500):
            assert tuple(camera.read(READ_S).image[0, 0]) == (1, 2, 3)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 8 * 1024


def test_a_program_that_only_talks_is_lost_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gstreamer, "OPEN_TIMEOUT_S", 0.3)
    with pytest.raises(CameraLost, match=r"gave no frame for 0\.3 s"):
        opened(tmp_path, "while True: os.write(2, b'warning\\n')")


def test_a_program_that_closes_its_pipe_and_lives_on_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gstreamer, "LAST_WORDS_S", 0.05)
    with pytest.raises(CameraLost, match="closed its pipe"):
        opened(tmp_path, "os.close(out); os.close(1); os.close(2)\nsignal.pause()")


def test_closing_lets_the_program_clean_up(tmp_path: Path) -> None:
    done = tmp_path / "cleaned up"
    camera = opened(
        tmp_path,
        f"signal.signal(signal.SIGINT, lambda *_: (open({str(done)!r}, 'w').close(), os._exit(0)))\n"
        "os.write(out, frame)\nsignal.pause()",
    )
    camera.read(READ_S)
    camera.close()
    camera.close()
    assert done.exists()


def test_a_program_that_will_not_end_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal as signals  # noqa: PLC0415 - its name is a module's inside the programs above

    monkeypatch.setattr(gstreamer, "STOP_STEPS_S", ((signals.SIGINT, 0.05), (signals.SIGTERM, 0.05)))
    camera = opened(
        tmp_path,
        "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork(): os.write(out, frame)\nsignal.pause()",
    )
    camera.read(READ_S)
    pid = camera._child._process.pid
    camera.close()
    eventually(lambda: group_is_gone(pid))


def eventually(true: Callable[[], bool]) -> None:
    """A killed grandchild is gone as soon as init has waited for it."""
    end_s = CLOCK.monotonic_s() + READ_S
    while not true():
        assert CLOCK.monotonic_s() < end_s
        CLOCK.sleep(0.01)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    opened(tmp_path, "os.write(out, frame)\nsignal.pause()").close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    opened(tmp_path, "os.write(out, frame)\nsignal.pause()").close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_program_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(RuntimeUnavailable, match="/nowhere/gst cannot be started: No such file"):
        open_pipe("test", ["/nowhere/gst"], RAW, CLOCK)


def test_without_gstreamer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RuntimeUnavailable, match=r"apt install gstreamer1\.0-tools"):
        open_csi(0, CLOCK)


def test_the_pipeline_of_a_jetson_asks_for_sensor_size_and_rate() -> None:
    text = " ".join(csi_pipeline(1, CameraOptions(1280, 720, 29.97)))
    assert text == (
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),format=NV12,framerate=2997/100 ! "
        "nvvidconv ! video/x-raw,format=BGRx,width=1280,height=720"
    )


@needs_gstreamer
def test_on_a_board_that_is_no_jetson_the_missing_part_is_named() -> None:
    if has_element("nvarguscamerasrc"):
        pytest.skip("this is a Jetson")
    with pytest.raises(CameraBroken, match=r'no element "nvarguscamerasrc".*apt install nvidia-l4t-gstreamer'):
        open_csi(0, CLOCK)


@needs_gstreamer
def test_gstreamer_gives_pictures_through_the_real_command() -> None:
    """Its core has a source of zeros, which is enough to prove the pipe."""
    source = ["fakesrc", "sizetype=fixed", f"sizemax={RAW.size}", "filltype=zero"]
    with open_pipe("test", launch(source), RAW, CLOCK) as camera:
        frames = [camera.read(READ_S) for _ in range(5)]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3, 4]
    assert all(not frame.image.any() for frame in frames)


@needs_gstreamer
def test_a_gstreamer_pipeline_that_ends_is_a_lost_camera() -> None:
    source = ["fakesrc", "sizetype=fixed", f"sizemax={RAW.size}", "filltype=zero", "num-buffers=1"]
    with open_pipe("test", launch(source), RAW, CLOCK) as camera:
        camera.read(READ_S)
        with pytest.raises(CameraLost, match="ended with status 0"):
            camera.read(READ_S)


@needs_gstreamer
def test_the_colours_of_gstreamers_test_picture_are_right() -> None:
    if not has_element("videotestsrc"):
        pytest.skip("GStreamer's base plug-ins are not installed")
    caps = f"video/x-raw,format=BGRx,width={RAW.width_px},height={RAW.height_px},framerate=30/1"
    with open_pipe("test", launch(["videotestsrc", "pattern=blue", "is-live=true", "!", caps]), RAW, CLOCK) as camera:
        image = camera.read(READ_S).image
        camera.read(READ_S)
    assert np.array_equal(image, np.full((48, 64, 3), (255, 0, 0), np.uint8))
