"""Progress: on a terminal a bar, elsewhere lines that stay and not too many of them."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from fer_train.progress import Step, clock, plain, telling


def test_where_lines_stay_a_stretch_is_told_in_tenths(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(1, 101):
        plain(Step(f"at {done}", done, 100))
    plain("done")
    assert capsys.readouterr().err.splitlines() == [*(f"  at {tenth}" for tenth in range(10, 100, 10)), "done"]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (42, "0:42"), (725, "12:05"), (3723, "1:02:03")])
def test_times_read_as_clocks(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_terminal_gets_a_bar_with_the_last_step_and_keeps_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    shown = _on_a_terminal(monkeypatch)
    assert "epoch 1 50%: 0:42 left" in shown
    assert "━" in shown
    assert "epoch 1 is over" in shown


def _on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> str:
    """What is written when standard error is a terminal."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with telling() as say:
            say(Step("epoch 1 50%: 0:42 left", 5, 10))
            say("epoch 1 is over")
        monkeypatch.undo()
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    return shown.decode()
