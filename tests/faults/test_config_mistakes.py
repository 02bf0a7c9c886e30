"""Row 24: every mistake in a configuration is told with its line and what would be right, and ends with 78."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.cli import main
from fer_edge.errors import ExitCode

BAD = Path(__file__).parents[1] / "edge" / "configs" / "bad"
FILES = sorted(BAD.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_mistake_is_told_and_run_and_check_say_the_same(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
    said = []
    for command in (["config", "check", str(path)], ["run", "--config", str(path), "--source", "demo"]):
        assert main(command) == ExitCode.REFUSED
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 1
    assert said[0].strip().endswith(expected)
    assert str(path) in said[0]


def test_there_are_such_files() -> None:
    assert len(FILES) >= 10
