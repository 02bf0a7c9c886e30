"""The command: what goes to which stream, and with which status it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from fer_bench.cli import main
from fer_edge.labels import FER2013
from support.shapes import shape
from support.tiny import tiny_bundle

SHORT = ("--min-seconds", "0.02", "--min-runs", "10", "--rounds", "1")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for label in FER2013:
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "1.png"), shape(label, seed=77))
    return tmp_path / "data"


def test_a_table_goes_to_standard_output_and_json_to_its_file(
    bundle: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "result.json"
    status = main(["accuracy", str(bundle), "--data", str(pictures), "--split", "none", "--json", str(target)])
    assert status == 0
    assert "tflite/int8" in capsys.readouterr().out
    assert [row["precision"] for row in json.loads(target.read_text())["rows"]] == ["float32", "int8"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_json_on_standard_output_stands_there_alone(
    bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["accuracy", str(bundle), "--data", str(pictures), "--split", "none", "--json", "-"])
    streams = capsys.readouterr()
    assert json.loads(streams.out)["kind"] == "accuracy"
    assert "tflite/int8" in streams.err


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["latency", "no-such-bundle"], 69, "there is no bundle 'no-such-bundle'"),
        (["latency", "BUNDLE", "--precision", "int4"], 2, "there is no precision 'int4'"),
        (["latency", "BUNDLE", "--runtime", "abacus"], 2, "there is no runtime 'abacus'"),
        (["accuracy", "BUNDLE", "--data", "nowhere"], 69, "data nowhere does not exist"),
        (["latency", "BUNDLE", "--json", "no/such/folder/x.json"], 69, "the result cannot be written to"),
        (["latency", "BUNDLE", "--json", "FOLDER"], 69, "it is a folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_its_status(
    arguments: list[str], status: int, sentence: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [{"BUNDLE": str(bundle), "FOLDER": str(bundle)}.get(word, word) for word in arguments]
    assert main(given) == status
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("fer-bench: ")
    assert sentence in streams.err
    assert streams.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["latency", "x", "--threads", "0"],
        ["latency", "x", "--threads", "1,two"],
        ["latency", "x", "--threads", "9999"],
        ["latency", "x", "--rounds", "-1"],
        ["latency", "x", "--min-seconds", "nan"],
        ["accuracy", "x"],
        [],
    ],
)
def test_a_flag_that_makes_no_sense_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_status_of_1_tells_that_something_could_not_be_measured(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_bundle(tmp_path)
    damaged = path / "tiny-int8.tflite"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\xff")
    assert main(["accuracy", str(path), "--data", str(pictures), "--split", "none"]) == 1
    assert "failed: tflite/int8" in capsys.readouterr().out


def test_ctrl_c_ends_with_130_and_a_whole_result(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    # a shell that runs the suite in the background has its children ignore Ctrl-C
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import sys; from fer_bench.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["latency", str(bundle), "--runtime", "litert", *SHORT[:4], "--rounds", "1000", "--json", str(target)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was measured until then is kept" in err
    assert "tflite/float32" in out
    document = json.loads(target.read_text())
    assert document["complete"] is False
    assert document["rows"][0]["n"] >= 10
