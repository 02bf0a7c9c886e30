"""A measuring process: what it answers, and what is said of one that does not."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from fer_bench.processes.children import ChildFailed, ask, death, peak_rss_bytes

HEAD = "import os, sys, json, signal; from fer_bench.processes.children import serve, peak_rss_bytes; "
TIMEOUT_S = 30.0


def child(body: str) -> list[str]:
    return [sys.executable, "-c", HEAD + body]


def reason(body: str, timeout_s: float = TIMEOUT_S) -> str:
    with pytest.raises(ChildFailed) as caught:
        ask(child(body), {}, timeout_s)
    return str(caught.value)


def test_the_answer_comes_back() -> None:
    assert ask(child("sys.exit(serve(lambda job: {'twice': 2 * job['n']}))"), {"n": 21}, TIMEOUT_S) == {"twice": 42}


def test_what_a_library_prints_does_not_spoil_the_answer() -> None:
    body = "sys.exit(serve(lambda job: (print('INFO: delegate'), os.write(1, b'more'), {'ok': 1})[-1]))"
    assert ask(child(body), {}, TIMEOUT_S) == {"ok": 1}


def test_an_error_of_ours_is_told_in_its_own_words() -> None:
    body = "from fer_edge.errors import InputError\ndef handle(job): raise InputError('no such bundle')\nserve(handle)"
    assert reason(body) == "no such bundle"


def test_another_exception_is_told_by_its_last_line() -> None:
    assert "ended with status 1: ZeroDivisionError" in reason("serve(lambda job: 1 / 0)")


@pytest.mark.parametrize(
    ("name", "word"), [("SIGILL", "another CPU"), ("SIGSEGV", "crash"), ("SIGKILL", "memory runs out")]
)
def test_a_signal_is_told_with_its_meaning(name: str, word: str) -> None:
    found = death(-int(signal.Signals[name]), b"")
    assert name in found
    assert word in found


def test_a_real_crash_is_a_reason() -> None:
    assert "SIGKILL" in reason("os.kill(os.getpid(), signal.SIGKILL)")


def test_a_process_that_says_nothing_is_a_reason() -> None:
    assert reason("pass") == "gave no result and no message"


def test_a_process_that_says_nonsense_is_a_reason() -> None:
    assert "gave no result" in reason("print('hello')")


def test_a_process_that_hangs_is_stopped() -> None:
    assert "within 0.5 s" in reason("signal.pause()", timeout_s=0.5)


def test_a_process_is_not_left_behind_when_the_wait_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "pid"
    os.mkfifo(told)

    def interrupted(*_: object, **__: object) -> None:
        told.read_text(encoding="utf-8")  # it runs
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(child(f"open({str(told)!r}, 'w').write(str(os.getpid())); signal.pause()"), {}, TIMEOUT_S)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_peak_memory_is_that_of_the_process_and_not_of_who_started_it() -> None:
    ballast = bytearray(200_000_000)
    answer = ask(child("sys.exit(serve(lambda job: {'peak': peak_rss_bytes()}))"), {}, TIMEOUT_S)
    own = peak_rss_bytes()
    assert own is not None
    assert own > len(ballast)
    assert 5_000_000 < answer["peak"] < 100_000_000
