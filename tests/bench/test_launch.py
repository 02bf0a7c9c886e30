"""Measuring a command from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_bench.pipeline.run import LAUNCH
from fer_bench.processes.children import Json, ask

TIMEOUT_S = 30.0


def launched(code: str, watch: str = "") -> Json:
    return ask(LAUNCH, {"command": [sys.executable, "-S", "-c", code], "watch": watch}, TIMEOUT_S)


def test_the_first_line_that_is_watched_for_is_timed() -> None:
    busy = "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    found = launched(f"import time; print('a', flush=True); print('face', flush=True); {busy}\nprint('face')", "face")
    assert 0 < found["first_s"] <= found["seconds"] - 0.2


def test_a_line_that_never_comes_has_no_time() -> None:
    assert launched("print('nothing')", "face")["first_s"] is None


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    found = launched("import sys; print('one', file=sys.stderr); sys.exit('no such clip')")
    assert (found["status"], found["reason"]) == (1, "ended with status 1: no such clip")


def test_a_command_that_crashes_is_told_by_its_signal() -> None:
    assert "SIGKILL" in launched("import os; os.kill(os.getpid(), 9)")["reason"]


def test_much_on_both_streams_does_not_block() -> None:
    found = launched("import sys; [print('x' * 1000, file=f) for f in (sys.stdout, sys.stderr) for _ in range(500)]")
    assert found["status"] == 0


def test_cpu_time_is_that_of_the_command() -> None:
    code = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    assert 0.2 <= launched(code)["cpu_s"] < 0.6


def test_peak_memory_is_that_of_the_command_and_not_of_this_process() -> None:
    ballast = bytearray(150_000_000)
    found = launched("x = bytearray(60_000_000)")
    assert 60_000_000 < found["peak_rss_bytes"] < len(ballast)


def test_a_command_is_not_left_behind_when_its_launcher_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "pid"
    os.mkfifo(told)
    pids: list[int] = []

    def interrupted(process: subprocess.Popen[bytes], job: bytes, **_: object) -> None:
        assert process.stdin is not None
        process.stdin.write(job)
        process.stdin.close()
        process.stdin = None  # as `communicate` leaves it
        pids.append(int(told.read_text(encoding="utf-8")))  # it runs
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.communicate", interrupted)
    code = f"import os, signal; open({str(told)!r}, 'w').write(str(os.getpid())); signal.pause()"
    with pytest.raises(KeyboardInterrupt):
        ask(LAUNCH, {"command": [sys.executable, "-S", "-c", code]}, TIMEOUT_S)
    while running(pids[0]):
        pass


def running(pid: int) -> bool:
    """Whether a process is there and is more than a zombie that nobody has reaped yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}
