"""One tiny run, its pictures and the bundle made of them, shared by all conversion tests, which only read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convert import tiny_source
from fer_convert import cli


@dataclass(frozen=True)
class Converted:
    """A bundle that the command made, and the JSON that it gave."""

    bundle: Path
    result: dict[str, Any]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures with a train and a test split."""
    return tiny_source.draw_data(tmp_path_factory.mktemp("drawings") / "shapes")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a card."""
    folder = tiny_source.write_run(tmp_path_factory.mktemp("runs") / "tiny", tiny_source.trained())
    (folder / "card.md").write_text(tiny_source.CARD, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def converted(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """float32 and int8 of the run."""
    folder = tmp_path_factory.mktemp("bundles")
    result = folder / "result.json"
    arguments = [str(run), "--out", str(folder / "tiny"), "--calibrate", str(data), "--json", str(result)]
    assert cli.main(arguments) == 0
    return Converted(folder / "tiny", json.loads(result.read_text(encoding="utf-8")))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the bundle would go, in a folder of its own."""
    (tmp_path / "bundles").mkdir()
    return tmp_path / "bundles" / "out"


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str | Path) -> str:
    """The one sentence that the command ends with."""
    assert cli.main([str(argument) for argument in arguments]) == code
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("fer-convert: ")
    assert not any("Traceback" in line for line in told)
    return told[-1]
