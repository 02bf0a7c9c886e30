"""`fer-edge models`: what is here, what it says, and whether it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_edge.cli import main
from support.tiny import tiny_bundle


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_EDGE_MODELS", str(tmp_path))
    tiny_bundle(tmp_path)
    return tmp_path


def test_bundles_are_listed_with_their_artifacts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "tiny             7 labels  tflite/float32 " in capsys.readouterr().out


def test_a_broken_bundle_is_listed_with_its_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tiny" / "bundle.json").write_text("{}")
    assert main(["models", "list", "--json", "-"]) == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out)["bundles"] if row["path"] == str(folder / "tiny")]
    assert "labels is missing" in row["refused"]


def test_a_bundle_shows_its_card(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "tiny"]) == 0
    assert "limits: It has never seen a face." in capsys.readouterr().out


def test_a_manifest_goes_into_a_file_beside_the_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder / "shown.json"
    assert main(["models", "show", "tiny", "--json", str(target)]) == 0
    assert json.loads(target.read_text(encoding="utf-8"))["labels"][3] == "happy"
    assert "labels: angry" in capsys.readouterr().out


def test_every_artifact_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "tiny", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["artifact"], row["reason"], row["effective_precision"]) for row in rows] == [
        ("tflite/float32", None, "float32"),
        ("tflite/int8", None, "int8"),
    ]


def test_one_bad_artifact_is_named_and_the_others_still_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "tiny" / "tiny-int8.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["models", "verify", "tiny"]) == 78
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("tflite/float32: ok in ")
    assert "tiny-int8.tflite has" in second


def test_the_shipped_bundle_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out.count("ok in") == 2
