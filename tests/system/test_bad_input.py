"""Bad input gets one sentence and its exit code, and nothing that was found is lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import demo_clip, environment, events, fer_edge
from support.tiny import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


def refused(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence on standard error."""
    assert ended.returncode == code, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("fer-edge: ")
    return lines[0]


def test_a_clip_that_does_not_exist(bundle: Path) -> None:
    ended = fer_edge("run", "--source", "/nowhere/clip.mp4", "--model", bundle, "--detector", "whole")
    assert "no such file" in refused(ended, 69)
    assert ended.stdout == ""


def test_a_file_that_is_no_picture(bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("not a picture")
    assert "notes.jpg" in refused(fer_edge("predict", text, "--model", bundle, "--detector", "whole"), 69)


def test_a_bad_picture_does_not_cost_the_good_one(bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("not a picture")
    good = demo_clip(tmp_path / "good.avi", 3)
    ended = fer_edge("predict", text, good, "--model", bundle, "--detector", "whole")
    assert "notes.jpg" in refused(ended, 69)
    assert f"{good}: 3 frames" in ended.stdout


def test_a_truncated_clip_keeps_its_events_and_says_where_it_broke_off(bundle: Path, tmp_path: Path) -> None:
    whole = demo_clip(tmp_path / "whole.avi", 40)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    ended = fer_edge("run", "--source", cut, "--model", bundle, "--detector", "whole", "--rate", "all")
    sentence = refused(ended, 75)
    found = events(ended.stdout)
    frames = [event["frame"] for event in found if event["type"] == "expression"]
    assert "cut.avi" in sentence
    assert frames == list(range(len(frames)))
    assert 10 <= len(frames) <= 22
    assert found[-1]["type"] == "stopped"
    assert found[-1]["reason"] == sentence.removeprefix("fer-edge: ")


@pytest.mark.skipif(Path("/dev/video9").exists(), reason="this machine has a tenth camera")
def test_a_camera_that_is_not_there(bundle: Path) -> None:
    sentence = refused(fer_edge("run", "--source", "9", "--model", bundle, "--detector", "whole"), 69)
    assert "/dev/video9" in sentence


@pytest.mark.parametrize("source", ["camera-one", "v4l2:front", "picamera"])
def test_a_camera_index_that_is_a_word(bundle: Path, source: str) -> None:
    sentence = refused(fer_edge("run", "--source", source, "--model", bundle, "--detector", "whole"), 2)
    assert source in sentence


def test_a_bundle_with_one_byte_changed(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    artifact = next(copy.glob("*int8*.tflite"))
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    artifact.write_bytes(data)
    sentence = refused(fer_edge("run", "--source", "demo", "--model", copy, "--detector", "whole"), 78)
    assert artifact.name in sentence
    assert "SHA-256" in sentence


def test_a_bundle_whose_labels_and_outputs_differ(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["labels"].append("contempt")
    (copy / "bundle.json").write_text(json.dumps(manifest))
    sentence = refused(fer_edge("run", "--source", "demo", "--model", copy, "--detector", "whole"), 78)
    assert "(1, 7), not (1, 8) for 8 labels" in sentence


def test_a_bundle_whose_preprocessing_was_changed_fails_its_golden_pictures(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["preprocess"]["mean"] = [0.1]
    (copy / "bundle.json").write_text(json.dumps(manifest))
    assert "golden" in refused(fer_edge("run", "--source", "demo", "--model", copy, "--detector", "whole"), 78)


def test_a_bundle_that_nobody_knows() -> None:
    assert "fernet-s" in refused(fer_edge("run", "--source", "demo", "--model", "fernet-q"), 69)


def test_a_runtime_that_is_not_installed_names_its_extra(bundle: Path) -> None:
    hook = (
        "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n: None if n == 'tflite_runtime' else f(n)"
    )
    command = f"{hook}; import sys; from fer_edge.cli import main; sys.exit(main(sys.argv[1:]))"
    flags = ["run", "--source", "demo", "--model", str(bundle), "--runtime", "tflite-runtime"]
    ended = subprocess.run(
        [sys.executable, "-c", command, *flags],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "fer-edge[tflite-runtime]" in refused(ended, 69)


def test_a_runtime_that_does_not_exist(bundle: Path) -> None:
    sentence = refused(fer_edge("run", "--source", "demo", "--model", bundle, "--runtime", "tensorrt"), 2)
    assert "litert" in sentence


def test_events_that_cannot_be_written(bundle: Path, tmp_path: Path) -> None:
    ended = fer_edge("run", "--source", "demo", "--model", bundle, "--events", tmp_path / "none" / "events.jsonl")
    assert "events cannot be written" in refused(ended, 69)


def test_a_configuration_with_mistakes_tells_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('sorce = "demo"\n[camera]\nfps = "fast"\n')
    sentence = refused(fer_edge("run", "--config", path), 78)
    assert "did you mean source?" in sentence
    assert "camera.fps" in sentence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_with_the_last_line_whole(bundle: Path, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "fer_edge", "run", "--source", "demo", "--model", str(bundle)]
    command += ["--detector", "whole", "--rate", "all", "--no-pace", "--events", "-"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        begun = [process.stdout.readline() for _ in range(20)]
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    found = events("".join(begun) + rest)
    assert process.returncode == 0, errors
    assert errors == ""
    assert [event["type"] for event in found[-2:]] == ["statistics", "stopped"]


def test_a_reader_that_goes_away_ends_it_quietly(bundle: Path) -> None:
    command = [sys.executable, "-m", "fer_edge", "run", "--source", "demo", "--model", str(bundle)]
    command += ["--detector", "whole", "--rate", "all", "--no-pace"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
