"""Peers as contenders on a clip: snippets, commands, and what goes wrong with either."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.peer_files import peer
from fer_bench.peers.pipeline import contenders
from fer_bench.pipeline.loops import Job
from fer_bench.pipeline.plan import Plan
from fer_bench.pipeline.rows import Measured, row_of
from fer_bench.processes.children import ChildFailed, Json
from fer_edge.errors import UsageError
from fer_edge.types import Box

FRAMES = 20
SQUARE = (20, 30, 40, 40)
FINDS = (
    "import numpy as np\ndef load(): pass\ndef faces(frame):\n    light = frame[..., 0] > 128\n"
    "    if not light.any(): return []\n    y, x = np.where(light)\n"
    "    return [(np.array([x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]), {'happy': 1.0})]\n"
)
"""Finds a light square, which the clip has from its sixth frame on."""
WRITES = (
    "import io, json, sys\nkept = io.StringIO()\nfor i in range(min(20, int(sys.argv[2]))):\n    sum(range(200000))\n"
    "    faces = [{'box': [20, 30, 40, 40], 'probabilities': {'happy': 1.0}}] if i > 4 else []\n"
    "    print(json.dumps({'frame': i, 'faces': faces}), flush=True)\n"
)
IN_PIECES = WRITES.replace(
    "}), flush=True)\n",
    "}), end='', flush=True)\n    time.sleep(0.02)\n    print(flush=True)\n    time.sleep(0.02)\n",
).replace("import io", "import time, io")
"""The end of each line comes alone, as where Python keeps nothing back."""
IN_ONE_GO = "sys.stdout.write(kept.getvalue())\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (160, 120))
    x, y, w, h = SQUARE
    for number in range(FRAMES):
        frame = np.zeros((120, 160, 3), dtype=np.uint8)
        if number >= 5:
            frame[y : y + h, x : x + w] = 255
        writer.write(frame)
    writer.release()
    return path


def measured(clip: Path, peer_: Any, max_frames: int | None = None, timeout_s: float = 60.0) -> Json:
    job = Job("", str(clip), "model", "weights", max_frames)
    (contender,) = contenders([peer_], str(clip))
    return contender.measure(Plan(str(clip), timeout_s=timeout_s), job)


def reason(clip: Path, peer_: Any, timeout_s: float = 60.0) -> str:
    with pytest.raises(ChildFailed) as caught:
        measured(clip, peer_, timeout_s=timeout_s)
    return str(caught.value)


def by_snippet(folder: Path, snippet: str = FINDS, **more: Any) -> Any:
    return peer(folder, snippet, does=["detect+classify"], **more)


def by_command(folder: Path, script: str = WRITES, **more: Any) -> Any:
    (folder / "them.py").write_text(script, encoding="utf-8")
    head = f'command = ["{sys.executable}", "{{here}}/them.py", "{{clip}}", "{{max_frames}}"]'
    return peer(folder, does=["pipeline"], head=head, **more)


@pytest.mark.parametrize("way", [by_snippet, by_command])
def test_a_peer_fills_a_row_of_the_pipeline(clip: Path, tmp_path: Path, way: Any) -> None:
    answer = measured(clip, way(tmp_path))
    reference = [[Box(*SQUARE)] if number >= 5 else [] for number in range(FRAMES)]
    row = row_of("them", Measured(answers={"them": [answer]}, reference=reference))
    assert (row.frames, row.faces, row.covered, row.unmatched) == (FRAMES, 15, 15, 0)
    assert row.cpu_ms_per_frame is not None
    assert row.cpu_ms_per_frame >= 0.0
    assert row.fps is not None
    assert row.fps > 0
    assert row.first_face_s is not None
    assert 0.0 < row.first_face_s < 60.0
    assert 5e6 < (row.peak_rss_bytes or 0) < 300e6
    assert answer["cpu_s"] > 0.0


def test_the_first_face_of_a_command_is_seen_in_a_line_that_comes_in_pieces(clip: Path, tmp_path: Path) -> None:
    assert IN_PIECES.count("flush=True") == 2
    answer = measured(clip, by_command(tmp_path, IN_PIECES))
    assert 0.0 < answer["first_face_s"] < 60.0
    assert answer["frames"] == FRAMES


@pytest.mark.parametrize("way", [by_snippet, by_command])
def test_only_the_first_frames_are_shown_when_that_is_asked(clip: Path, tmp_path: Path, way: Any) -> None:
    assert measured(clip, way(tmp_path), max_frames=12)["frames"] == 12


def test_the_cpu_of_a_snippet_leaves_loading_out(clip: Path, tmp_path: Path) -> None:
    busy = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
    answer = measured(clip, by_snippet(tmp_path, busy + FINDS))
    assert answer["load_ms"] >= 500.0
    assert answer["cpu_s"] >= 0.5
    assert answer["cpu_ms_per_frame"] * FRAMES < 500.0


def test_the_cpu_of_a_command_leaves_its_start_out(clip: Path, tmp_path: Path) -> None:
    busy = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
    answer = measured(clip, by_command(tmp_path, busy + WRITES))
    assert answer["cpu_s"] >= 0.5
    assert 0.0 < answer["cpu_ms_per_frame"] * (FRAMES - 1) < 1e3 * answer["cpu_s"] - 450.0


def test_the_row_is_called_with_the_version(clip: Path, tmp_path: Path) -> None:
    found = by_snippet(tmp_path, head='version = ["{python}", "-c", "print(7)"]')
    assert contenders([found], str(clip))[0].name == "them 7"


def test_a_missing_interpreter_is_a_reason(clip: Path, tmp_path: Path) -> None:
    found = by_snippet(tmp_path, python="bin/python", head='version = ["{python}", "-V"]')
    assert "cannot be started: No such file or directory" in reason(clip, found)


@pytest.mark.parametrize(
    ("faces", "said"),
    [
        ("7", "faces() gave 7 where a list of (box, probabilities) was expected"),
        ("[((1, 2, 3), {'happy': 1})]", "where a list of (box, probabilities) was expected"),
        ("[((1, 2, 3, 4), 'happy')]", "where {label: probability} was expected"),
        ("[((1, 2, 3, 4), {'glad': 1})]", "the label 'glad', which the adapter does not map"),
        ("[((1, 2, 3, float('nan')), {'happy': 1})]", "where a face with its box"),
    ],
)
def test_faces_of_the_wrong_shape_are_a_reason(clip: Path, tmp_path: Path, faces: str, said: str) -> None:
    assert said in reason(clip, by_snippet(tmp_path, f"def load(): pass\ndef faces(frame): return {faces}\n"))


def test_a_clip_that_its_opencv_cannot_read_is_a_reason(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert "OpenCV reads no frame of" in reason(empty, by_snippet(tmp_path))


def test_an_interpreter_without_opencv_is_a_reason(clip: Path, tmp_path: Path) -> None:
    hidden = "import sys\nsys.modules['cv2'] = None\n"
    assert "clips are read with OpenCV, which the peer's interpreter lacks" in reason(
        clip, by_snippet(tmp_path, hidden + FINDS)
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("print('loading model', flush=True)", "wrote b'loading model' where a line as {\"frame\": 0"),
        ("import sys; sys.exit('no such clip')", "ended with status 1: no such clip"),
        (
            "import sys; sys.stderr.write('nothing to do')",
            "told of 0 frames, and 10 are needed at least: nothing to do",
        ),
        (WRITES.replace("min(20,", "min(3,"), "told of 3 frames"),
        (WRITES.replace("flush=True", "file=kept") + IN_ONE_GO, "flush after each line"),
        (WRITES.replace("min(20,", "min(12,").replace("flush=True", "file=kept") + IN_ONE_GO, "flush after each line"),
        (WRITES.replace("'happy'", "'glad'"), "the label 'glad', which the adapter does not map"),
        (WRITES.replace("'box': [20,", "'box': [None,"), "where a face with its box"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
def test_a_command_that_does_not_do_its_part_is_a_reason(clip: Path, tmp_path: Path, script: str, said: str) -> None:
    assert said in reason(clip, by_command(tmp_path, script))


def test_a_command_that_hangs_is_stopped(clip: Path, tmp_path: Path) -> None:
    said = reason(clip, by_command(tmp_path, "import signal; signal.pause()"), timeout_s=1.0)
    assert said == "did not end within 1 s and was stopped"


def test_on_a_camera_there_are_no_peers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a camera shows nothing twice"):
        contenders([by_snippet(tmp_path)], "v4l2:/dev/video0")
    assert contenders([], "v4l2:/dev/video0") == []
