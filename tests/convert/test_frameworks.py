"""The libraries' chatter stays out of what the command says, unless a person asks for it."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import pytest

from fer_convert import origin
from fer_train.backend import hushed


def test_what_is_written_past_python_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with hushed():
        os.write(1, b"noise")
        os.write(2, b"noise")
        warnings.warn("noise", stacklevel=1)
    os.write(2, b"news")
    assert capfd.readouterr() == ("", "news")


def test_an_error_inside_gets_out_and_the_streams_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="reason"), hushed():
        raise ValueError("reason")
    os.write(2, b"news")
    assert capfd.readouterr().err == "news"


def test_a_person_who_sets_the_level_hears_everything(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with hushed():
        os.write(2, b"detail")
    assert capfd.readouterr().err == "detail"


def test_the_level_is_the_persons_own_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with hushed(), hushed():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    assert origin.git_revision(tmp_path / "convert" / "fer_convert") == ""


def test_without_git_there_is_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert origin.git_revision(tmp_path / "convert" / "fer_convert") == ""


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_broken_checkout_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert origin.git_revision(tmp_path / "convert" / "fer_convert") == ""
