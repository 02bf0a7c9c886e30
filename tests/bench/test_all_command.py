"""`fer-bench all` and `fer-bench report` as commands: files, streams, exit statuses, and files that are no results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import pytest

from bench.told_rows import daemon, everything, judged, pipeline, result, timed
from fer_bench.cli import main
from fer_bench.everything.files import PAGE, RESULT, TEXT, put
from fer_bench.everything.reading import read
from fer_edge.errors import InputError, OutputError
from fer_edge.labels import FER2013
from support.shapes import shape
from support.tiny import tiny_bundle

SHORT = ("--runtime", "litert", "--threads", "1", "--min-seconds", "0.02", "--min-runs", "10", "--rounds", "2")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    for label in FER2013:
        (data / label).mkdir()
        cv2.imwrite(str(data / label / "1.png"), shape(label, seed=77))
    return data


@pytest.fixture(scope="module")
def out(bundle: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a real run, without a clip."""
    folder = tmp_path_factory.mktemp("out") / "deep" / "report"
    data = ("--data", str(pictures), "--split", "none")
    assert main(["all", str(bundle), *SHORT, *data, "--out", str(folder)]) == 0
    return folder


def test_a_run_leaves_json_text_and_a_page_and_nothing_else(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [PAGE, TEXT, RESULT]
    document = json.loads((out / RESULT).read_text())
    assert [row["precision"] for row in document["parts"]["latency"]["rows"]] == ["float32", "int8"]
    assert [row["precision"] for row in document["parts"]["accuracy"]["rows"]] == ["float32", "int8"]
    assert document["rows"][2]["why"].startswith("no clip was given")
    assert "== verdict" in (out / TEXT).read_text()
    assert (out / PAGE).read_text().startswith("<!doctype html>")


def test_a_result_is_told_again_as_it_was_told_first(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(out / RESULT)]) == 0
    assert capsys.readouterr().out == (out / TEXT).read_text()


def test_a_folder_of_all_is_taken_for_its_result_and_the_page_is_the_same(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "again.html"
    assert main(["report", str(out), "--html", str(target)]) == 0
    assert target.read_text() == (out / PAGE).read_text()


def test_the_part_of_a_run_is_a_result_of_its_own(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = tmp_path / "latency.json"
    part.write_text(json.dumps(json.loads((out / RESULT).read_text())["parts"]["latency"]))
    assert main(["report", str(part)]) == 0
    assert "tflite/int8" in capsys.readouterr().out


def test_ctrl_c_ends_with_130_and_all_three_files(bundle: Path, tmp_path: Path) -> None:
    # a shell that runs the suite in the background has its children ignore Ctrl-C
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import sys; from fer_bench.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["all", str(bundle), *SHORT[:-1], "1000", "--data", "x", "--out", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "what was measured until then is kept" in err
    assert "latency: interrupted" in said
    document = json.loads((tmp_path / RESULT).read_text())
    assert document["complete"] is False
    assert document["parts"]["latency"]["rows"][0]["n"] >= 10
    assert document["rows"][1]["why"].startswith("it was not begun")
    assert (tmp_path / PAGE).exists()
    assert (tmp_path / TEXT).exists()


@pytest.mark.parametrize(
    "document",
    [
        result("latency", [timed("float32", 2.0), timed("int8", 0.5)], ["a note"]),
        result("accuracy", [judged("float32", None), judged("int8", 0.2)], ["a note"]),
        {**pipeline(daemon()), "notes": ["a note"]},
        {**everything(latency=result("latency", [timed("int8", 0.5)])), "notes": ["a note"]},
    ],
    ids=lambda document: document["kind"],
)
def test_every_kind_of_result_has_a_table_its_notes_and_a_page(
    document: Mapping[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "result.json", tmp_path / "page.html"
    source.write_text(json.dumps(document))
    assert main(["report", str(source), "--html", str(target)]) == 0
    shown = capsys.readouterr().out
    assert "---" in shown
    assert "note: a note" in shown
    assert "</html>" in target.read_text()


def test_what_may_be_lost_can_be_asked_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latency = result("latency", [timed("float32", 2.0), timed("int8", 0.5)])
    accuracy = result("accuracy", [judged("float32", None), judged("int8", 0.2)])
    source = tmp_path / "result.json"
    source.write_text(json.dumps(everything(latency=latency, accuracy=accuracy)))
    main(["report", str(source), "--max-drop", "0"])
    assert "- use tflite/float32" in capsys.readouterr().out
    main(["report", str(source)])
    assert "- use tflite/int8" in capsys.readouterr().out


LATENCY = result("latency", [timed("int8", 0.5)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON that can be read"),
        (b"\xff\xfe", "is not JSON that can be read"),
        (b"[]", "is not a result of fer-bench"),
        (b"{}", "is not a result of fer-bench"),
        (b'{"schema_version": 1, "kind": "all"}', "is not a whole all result"),
        (b'{"schema_version": 9, "kind": "all"}', "schema version 9, and this fer-bench reads 1"),
        (b'{"schema_version": 1, "kind": "compare"}', "cannot be read back"),
        (b'{"schema_version": 1, "kind": "mood"}', "is not known here; there are latency"),
        (json.dumps({**LATENCY, "rows": [{}]}).encode(), "is not a whole latency result"),
        (json.dumps({**LATENCY, "notes": 5}).encode(), "is not a whole latency result"),
        (json.dumps(everything(latency={**LATENCY, "rows": [{}]})).encode(), "part latency of"),
        (
            json.dumps(everything(latency={**LATENCY, "kind": "all"})).encode(),
            "its part 'latency' is no result of that kind",
        ),
        (json.dumps({**everything(), "parts": 5}).encode(), "it has no parts"),
        (json.dumps({**everything(), "parts": {"latency": {"kind": "latency"}}}).encode(), "not a result of fer-bench"),
        (json.dumps({**everything(), "rows": [{}]}).encode(), "is not a whole all result"),
    ],
)
def test_a_file_that_is_no_result_is_refused_in_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "/tmp/tmp" not in str(refused.value).replace(str(tmp_path), "")  # noqa: S108 - no other file is named


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["all", "no-such-bundle", "--out", "OUT"], 69, "there is no bundle 'no-such-bundle'"),
        (["all", "BUNDLE", "--out", "OUT", "--precision", "int4"], 2, "there is no precision 'int4'"),
        (["all", "BUNDLE", "--out", "FILE"], 69, "cannot be made"),
        (["report", "nowhere.json"], 69, "cannot be read"),
        (["report", "RESULT", "--html", "no/such/folder/x.html"], 69, "the result cannot be written to"),
    ],
)
def test_a_mistake_is_one_sentence_and_its_status(
    arguments: list[str], status: int, sentence: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "result.json").write_text(json.dumps(LATENCY))
    words = {"BUNDLE": bundle, "OUT": tmp_path / "out", "FILE": tmp_path / "file", "RESULT": tmp_path / "result.json"}
    assert main([str(words.get(word, word)) for word in arguments]) == status
    streams = capsys.readouterr()
    assert streams.out == ""
    assert sentence in streams.err
    assert streams.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["all", "x"],
        ["all", "x", "--out", "y", "--max-drop", "-1"],
        ["all", "x", "--out", "y", "--max-drop", "nan"],
        ["all", "x", "--out", "y", "--threads", "0"],
        ["report"],
    ],
)
def test_a_flag_that_makes_no_sense_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_page_that_cannot_be_written_leaves_no_half_of_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        put(tmp_path / "page.html", "text")


def test_a_page_over_a_folder_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        put(tmp_path / "page.html", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
