"""The winner in the daemon's file: what else stands there stays, and nothing is lost when something goes wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fer_bench.tune import writing
from fer_bench.tune.writing import MARK, apply, difference, edited, prepared
from fer_edge import config
from fer_edge.errors import ConfigError, OutputError, RuntimeUnavailable
from support.commands import fer_edge

KEY = "pipeline.search.full_every_s"
VALUES = {"runtime": "litert", "precision": "int8", "threads": 2, KEY: 0.5}
MINE = """# my board
source = "0"  # the door
threads = 1   # as it was

[mqtt]
qos = 1 # once
host = "broker.local"

[camera]
fps = 5.0
"""


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_only_the_keys_change_and_the_reason_stands_above_them() -> None:
    after = edited(MINE, VALUES, "because")
    added = [line[1:] for line in lines(difference(MINE, after, Path("f"))) if line[:1] == "+"][1:]
    removed = [line[1:] for line in lines(difference(MINE, after, Path("f"))) if line[:1] == "-"][1:]
    assert removed == ["threads = 1   # as it was"]
    assert added[0] == "threads = 2   # as it was"
    assert f'{MARK}because\nruntime = "litert"\nprecision = "int8"\n' in after
    assert "[pipeline.search]\nfull_every_s = 0.5" in after


def test_the_reference_keeps_its_comments_and_order() -> None:
    before = config.reference()
    after = edited(before, VALUES, "because")
    kept = [line for line in lines(before) if not line.startswith(("threads = 1", "full_every_s"))]
    left = iter(lines(after))
    assert all(line in left for line in kept)
    assert "full_every_s = 0.5          # between full searches while faces are known" in after


def test_a_second_tuning_replaces_the_reason_of_the_first() -> None:
    once = edited(MINE, VALUES, "word " * 100)
    again = edited(once, {**VALUES, "threads": 4}, "other")
    assert again.count(MARK) == 1
    assert "word" not in again
    assert edited(again, {**VALUES, "threads": 4}, "other") == again


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pipeline.search.full_every_s = 0.3 # mine\n",
        "pipeline = {search = {full_every_s = 0.1}}\n",
        "[pipeline]\nstill_px = 640\n[mqtt]\nqos = 1",
        "[pipeline.tracking]\nmin_iou = 0.3\n\n[mqtt]\nqos = 1\n\n[pipeline.search]\nfull_px = 320\n",
        "[pipeline.search]\n# nothing yet\n",
        "[camera]\r\nfps = 3.0\r\n",
    ],
)
def test_every_layout_is_set_and_still_good(text: str, tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(text.encode())
    apply(path, VALUES, "because", dry_run=False)
    settings = config.load(path, {}, [])
    assert (settings.runtime, settings.precision, settings.threads) == ("litert", "int8", 2)
    assert settings.pipeline.search.full_every_s == 0.5


def test_a_reason_with_line_ends_and_odd_letters_stays_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(MINE)
    apply(path, VALUES, 'clip\n[mqtt]\nhost = "evil"\x00\x7f\udcff é', dry_run=False)
    assert config.load(path, {}, []).mqtt.host == "broker.local"


def test_the_file_that_is_written_passes_the_command(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(MINE)
    apply(path, VALUES, "because", dry_run=False)
    done = fer_edge("config", "check", path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_old_file_is_kept_and_no_backup_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(MINE)
    path.chmod(0o640)
    first = apply(path, VALUES, "one", dry_run=False)
    second = apply(path, {**VALUES, "threads": 4}, "two", dry_run=False)
    assert (first.backup, second.backup) == (f"{path}.bak", f"{path}.bak.1")
    assert Path(f"{path}.bak").read_text() == MINE
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o640}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(MINE)
    change = apply(path, VALUES, "because", dry_run=True)
    assert (change.written, change.backup) == (False, None)
    assert '+runtime = "litert"' in change.diff
    assert path.read_text() == MINE
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text(MINE)
    link.symlink_to(real)
    apply(link, VALUES, "because", dry_run=False)
    assert link.is_symlink()
    assert 'runtime = "litert"' in real.read_text()


def test_a_file_that_is_not_there_begins_with_every_key(tmp_path: Path) -> None:
    change = apply(tmp_path / "new.toml", VALUES, "because", dry_run=False)
    assert change.backup is None
    assert "around_every_s" in (tmp_path / "new.toml").read_text()


def test_what_was_written_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(MINE)
    prepared(path, dry_run=False)
    path.write_text(MINE.replace("5.0", "7.0"))
    apply(path, VALUES, "because", dry_run=False)
    assert config.load(path, {}, []).camera.fps == 7.0


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.toml"
    path.write_text(MINE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_backed_up", lambda _: None)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        apply(path, VALUES, "because", dry_run=False)
    assert path.read_text() == MINE
    assert [each.name for each in tmp_path.iterdir()] == ["f.toml"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"threads = 0\n", "threads"),
        (b"x", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"#" * 300_000, "is larger than"),
    ],
)
def test_a_file_with_mistakes_is_refused_before_anything_is_measured(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        prepared(path, dry_run=True)


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        prepared(tmp_path / "no" / "f.toml", dry_run=False)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tomlkit", None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'fer-edge\[bench\]'"):
        prepared(tmp_path / "f.toml", dry_run=True)
