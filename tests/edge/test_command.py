"""How every command ends, and how results are written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.command import INTERRUPTED, NOBODY_READS, as_text, guarded, prove_writable, write_json
from fer_edge.errors import BundleRefused, ExitCode, OutputError


def test_an_error_of_ours_is_one_line_and_its_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise BundleRefused("the bundle is torn")

    assert guarded("fer-x", work) == 78
    assert capsys.readouterr().err == "fer-x: the bundle is torn\n"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_want_of_memory_asks_for_another_try(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise error

    assert guarded("fer-x", work) == 75
    assert capsys.readouterr().err.count("\n") == 1


def test_a_fault_in_the_code_keeps_its_traceback() -> None:
    def work() -> int:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        guarded("fer-x", work)


def test_an_interrupt_is_told_in_the_commands_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise KeyboardInterrupt

    assert guarded("fer-x", work, interrupted="stopped, nothing is written") == INTERRUPTED
    assert capsys.readouterr().err == "fer-x: stopped, nothing is written\n"


def test_a_mistake_in_the_code_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded("fer-x", lambda: 1 // 0)


LOUD = """
import sys
from fer_edge.command import guarded

def work():
    for i in range(int(sys.argv[1])):
        print("a line of a table")
    return 0

sys.exit(guarded("fer-x", work))
"""


@pytest.mark.parametrize("lines", [1, 100_000])  # in one write at the end, or in many
def test_a_reader_that_went_away_ends_it_without_a_word(lines: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        ended = subprocess.run(
            [sys.executable, "-c", LOUD, str(lines)], stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert (ended.returncode, ended.stderr) == (NOBODY_READS, b"")


def test_a_full_disk_behind_standard_output_is_told() -> None:
    command = [sys.executable, "-c", LOUD, "1"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60, env=buffered)
    assert ended.returncode == ExitCode.UNAVAILABLE
    assert ended.stderr == b"fer-x: the result cannot be written to standard output: No space left on device\n"


def test_a_pipe_that_broke_elsewhere_is_a_fault_in_the_code() -> None:
    def work() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        guarded("fer-x", work)


@pytest.mark.parametrize("where", ["/nowhere/result.json", "/tmp"])  # noqa: S108 - a folder that every machine has
def test_a_result_that_cannot_be_written_is_refused_before_the_work(where: str) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        prove_writable(where)


def test_a_result_is_written_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    document = {"schema_version": 1, "rows": [{"a": 1}, {"a": None}]}
    write_json(document, str(tmp_path / "result.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == document


def test_a_row_is_a_line() -> None:
    assert as_text({"rows": [{"a": [1, 2]}, {"a": []}]}).count("\n") == 6


def test_nan_is_not_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_text({"top1": float("nan")})
