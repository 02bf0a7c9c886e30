"""Row 17: an allocation that fails ends the process with status 75; it neither hangs nor prints a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from fer_edge.command import guarded
from fer_edge.errors import ExitCode

PROGRAM = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import cv2, numpy as np
from fer_edge.command import guarded
from support.daemons import OneFace, ScriptedCamera, daemon
cv2.setNumThreads(1)

def grow(frame):
    if frame.seq == 3:
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, used + 2**20))
    if frame.seq >= 3:
        picture = np.zeros((2000, 2000, 3), np.uint8) if sys.argv[2] == "numpy" else None
        cv2.resize(np.zeros((8, 8, 3), np.uint8), (20000, 20000))

subject, _ = daemon([ScriptedCamera(range(10))], OneFace(also=grow))
sys.exit(guarded("fer-edge", subject.run))
"""


@pytest.mark.parametrize("allocator", ["numpy", "opencv"])
def test_the_daemon_says_so_and_asks_for_another_try(allocator: str) -> None:
    tests = next(path for path in sys.path if path.endswith("tests"))
    command = [sys.executable, "-c", PROGRAM, tests, allocator]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == ExitCode.TRY_AGAIN, ended.stderr
    assert "out of memory" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def _too_large() -> object:
    return cv2.resize(np.zeros((8, 8), np.uint8), (2**20, 2**20))  # a tebibyte


def _no_thread() -> object:
    raise RuntimeError("can't start new thread")  # CPython's words


@pytest.mark.parametrize("grow", [lambda: np.zeros(2**60, np.uint8), _too_large, _no_thread])
def test_every_command_ends_so(grow: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        grow()
        return 0

    assert guarded("fer-convert", work) == ExitCode.TRY_AGAIN
    assert capsys.readouterr().err == "fer-convert: out of memory\n"


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(cv2.error, match="resize"):
        guarded("fer-convert", lambda: len(cv2.resize(np.zeros((0, 0), np.uint8), (8, 8))))
    with pytest.raises(RuntimeError, match="something else"):
        guarded("fer-convert", _something_else)


def _something_else() -> int:
    raise RuntimeError("something else")
