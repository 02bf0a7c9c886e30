"""Events as lines of a file."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from fer_edge.errors import ExitCode, OutputError
from fer_edge.sinks.jsonl import JsonLines


def test_every_event_is_one_line(tmp_path: Path) -> None:
    sink = JsonLines(str(tmp_path / "events.jsonl"))
    sink.emit({"a": 1})
    sink.emit({"b": "ä"})
    sink.close()
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"a": 1}, {"b": "ä"}]


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"old":1}\n', encoding="utf-8")
    sink = JsonLines(str(path))
    sink.emit({"new": 1})
    sink.close()
    assert path.read_text(encoding="utf-8") == '{"old":1}\n{"new":1}\n'


def test_a_path_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"events cannot be written to .*No such file or directory") as refused:
        JsonLines(str(tmp_path / "missing" / "events.jsonl"))
    assert refused.value.exit_code == ExitCode.UNAVAILABLE


def test_a_folder_is_no_file_for_events(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Is a directory"):
        JsonLines(str(tmp_path))


def test_a_full_disk_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    sink = JsonLines("/dev/full")
    for number in range(5):
        sink.emit({"n": number})
    sink.close()
    assert sink.lost == 5
    assert len(caplog.records) == 1


def test_a_line_that_a_full_disk_cut_is_completed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLines(str(tmp_path / "events.jsonl"))
    write = os.write
    room = [4]

    def scarce(fd: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(fd, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(os, "write", scarce)
    sink.emit({"first": 1})
    monkeypatch.setattr(os, "write", write)
    sink.emit({"second": 2})
    sink.close()
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"first": 1}, {"second": 2}]
    assert sink.lost == 0


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    sink = JsonLines(str(tmp_path / "events.jsonl"))
    sink.close()
    sink.close()
