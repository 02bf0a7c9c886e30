"""A bundle is written whole or not at all, and only where it may be."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convert.conftest import refused
from fer_convert import cli, verify, write
from fer_edge.bundle import Bundle


def test_a_place_that_is_taken(
    run: Path, data: Path, converted: Any, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(converted.bundle, out)
    assert "or replace it with --force" in refused(capsys, 2, run, "--calibrate", data, "--out", out)


def test_force_does_not_replace_what_is_no_bundle(
    run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert "is not a bundle" in refused(capsys, 2, run, "--calibrate", data, "--out", out, "--force")
    assert (out / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_folders_above_the_bundle_are_made(out: Path) -> None:
    write.check_target(out / "deep" / "er", force=False)
    assert list((out / "deep").iterdir()) == []


def test_a_folder_below_a_file(run: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out.write_text("a file", encoding="utf-8")
    sentence = refused(capsys, 69, run, "--calibrate", data, "--out", out / "deep" / "er")
    assert "cannot be written: Not a directory" in sentence


def test_a_result_that_cannot_be_written_is_told_at_once(
    run: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = refused(capsys, 69, run, "--calibrate", "/nowhere", "--out", out, "--json", "/nowhere/result.json")
    assert "the result cannot be written to /nowhere/result.json" in sentence


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", [(verify, "run"), (write, "_prove"), (write, "_place")])
def test_ctrl_c_leaves_nothing(
    run: Path,
    data: Path,
    out: Path,
    where: tuple[Any, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(*where, interrupt)
    sentence = refused(capsys, 130, run, "--calibrate", data, "--out", out, "--to", "tflite", "--precision", "float32")
    assert sentence == "fer-convert: interrupted, nothing is written"
    assert not any(out.parent.iterdir())


def test_ctrl_c_while_int8_is_calibrated_leaves_nothing(run: Path, data: Path, out: Path) -> None:
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heed}; import sys; from fer_convert.cli import main; sys.exit(main())"
    flags = ["--calibrate", str(data), "--to", "tflite,openvino", "--precision", "int8", "--out", str(out)]
    command = [sys.executable, "-c", program, str(run), *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as ended:
        assert ended.stderr is not None
        talk = []
        for line in ended.stderr:
            talk.append(line)
            if "calibrating with 308 faces" in line:
                ended.send_signal(signal.SIGINT)
        assert ended.wait() == 130, "".join(talk)
    assert talk[-1] == "fer-convert: interrupted, nothing is written\n"
    assert not any(out.parent.iterdir())


def test_a_full_disk_leaves_nothing_and_the_old_bundle(
    run: Path,
    data: Path,
    out: Path,
    converted: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(converted.bundle, out)
    before = (out / "bundle.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    flags = ["--calibrate", str(data), "--to", "tflite", "--precision", "float32", "--out", str(out), "--force"]
    assert f"{out} cannot be written: No space left on device" in refused(capsys, 69, run, *flags)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert (out / "bundle.json").read_bytes() == before


def test_a_bundle_that_does_not_prove_itself_is_not_written(
    run: Path, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write._write

    def damaged(path: Path, content: bytes) -> None:
        whole(path, content[:-1] + b"?" if path.suffix == ".tflite" else content)

    monkeypatch.setattr(write, "_write", damaged)
    sentence = refused(capsys, 78, run, "--calibrate", data, "--out", out, "--to", "tflite", "--precision", "float32")
    assert "SHA-256" in sentence
    assert not any(out.parent.iterdir())


def test_force_replaces_a_bundle(run: Path, data: Path, converted: Any, out: Path) -> None:
    shutil.copytree(converted.bundle, out)
    assert (
        cli.main(
            [
                str(run),
                "--calibrate",
                str(data),
                "--out",
                str(out),
                "--to",
                "tflite",
                "--precision",
                "float32",
                "--force",
            ]
        )
        == 0
    )
    assert [artifact.id for artifact in Bundle.open(out).manifest.artifacts] == ["tflite/float32"]
    assert not (out / "tiny.int8.tflite").exists()
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_the_old_bundle_stays_when_replacing_it_is_interrupted(
    converted: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(converted.bundle, out)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if target == out and self.name != out.name:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(write, "_exchanged", lambda *_: False)  # as on a file system that cannot
    monkeypatch.setattr(Path, "rename", interrupted)
    files = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "bundle.json"}
    with pytest.raises(KeyboardInterrupt):
        write.bundle(out, Bundle.open(out).manifest, files, force=True)
    assert Bundle.open(out).sha256 == Bundle.open(converted.bundle).sha256
    assert [path.name for path in out.parent.iterdir()] == ["out"]
