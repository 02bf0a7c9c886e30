"""`fer-edge models`: what is here, what it says, and whether it holds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fer_edge import classifier
from fer_edge.bundle import Bundle, shipped
from fer_edge.cli import main
from fer_edge.errors import RuntimeUnavailable
from fer_edge.runtimes import Runtime, open_runtime
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


@pytest.mark.parametrize("name", ["fernet-s", "fernet-xs"])
def test_the_shipped_bundles_hold(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(Bundle.open(name).manifest.artifacts)
    assert all("ok in" in line or "is not installed" in line for line in lines)
    assert sum("ok in litert" in line for line in lines) == 2


def without(monkeypatch: pytest.MonkeyPatch, *formats: str) -> None:
    """Let no runtime for these formats be installed."""

    def opened(files: Sequence[bytes], format_: str, **more: Any) -> Runtime:
        if format_ in formats:
            raise RuntimeUnavailable(f"no runtime for {format_} is installed")
        return open_runtime(files, format_, **more)

    monkeypatch.setattr(classifier, "open_runtime", opened)


def test_what_has_no_runtime_here_is_hashed_and_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "onnx", "openvino")
    assert main(["models", "verify", "fernet-xs"]) == 0
    out = capsys.readouterr().out
    assert "onnx/int8: whole, but not run: no runtime for onnx is installed" in out
    assert "tflite/int8: ok in " in out


def test_a_damaged_artifact_without_a_runtime_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(shipped() / "fernet-xs", tmp_path / "copy"))
    file = copy / "fernet-xs.int8.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    without(monkeypatch, "onnx", "openvino")
    assert main(["models", "verify", str(copy)]) == 78
    assert "fernet-xs.int8.onnx has" in capsys.readouterr().out


def test_a_bundle_of_which_nothing_can_run_is_not_verified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "tflite")
    assert main(["models", "verify", "tiny"]) == 69
