"""`fer-edge config`: a file to begin with, its mistakes, what holds, and the description of all keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_edge import config
from fer_edge.cli import main
from fer_edge.config import Settings


def test_init_writes_a_file_that_check_finds_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "edge.toml")
    assert main(["config", "init", path]) == 0
    assert main(["config", "check", path]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{path} is a good configuration"


def test_init_does_not_replace_a_file_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("# mine\n", encoding="utf-8")
    assert main(["config", "init", str(path)]) == 2
    assert "exists; --force replaces it" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "# mine\n"
    assert main(["config", "init", str(path), "--force"]) == 0
    assert path.read_text(encoding="utf-8") == config.reference()


def test_init_prints_where_no_file_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "-"]) == 0
    assert capsys.readouterr().out == config.reference()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", str(tmp_path / "none" / "edge.toml")]) == 69
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_check_tells_all_mistakes_and_ends_with_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[mqtt]\nhots = "a"\n[http]\nlisten = "0.0.0.0:80"\n[privacy]\nmode = "all"\n', encoding="utf-8")
    assert main(["config", "check", str(path)]) == 78
    told = capsys.readouterr().err
    assert "line 2: mqtt.hots is not a known key; did you mean host?" in told
    assert "line 3: http: " in told
    assert "needs token_file" in told
    assert "line 6: privacy.mode: " in told


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00" * 100, b"a = [", b"=" * 300_000])
def test_rubbish_is_one_sentence_with_78(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(content)
    assert main(["config", "check", str(path)]) == 78
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_ten_megabytes_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(b"# " + b"x" * 10_000_000)
    assert main(["config", "check", str(path)]) == 78
    assert "larger than" in capsys.readouterr().err


def test_what_show_prints_says_the_same_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["camera.fps=12.5", 'http.names=["pi.local"]', "mqtt.host=broker", 'source="rtsp://cam/ä\\\\\\""']
    assert main(["config", "show", *(f"--set={change}" for change in changes)]) == 0
    path = tmp_path / "edge.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert config.load(path, {}, []) == config.load(None, {}, changes)
    assert config.load(path, {}, []).source == 'rtsp://cam/ä\\"'


def test_schema_describes_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == set(Settings.model_fields)


def test_pictures_do_not_go_with_a_mode_that_rules_them_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--set", "http.pictures=true", "--set", "privacy.mode=no-frames"]) == 78
    assert "which privacy.mode = 'no-frames' rules out" in capsys.readouterr().err
