"""Events as lines of a file."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fer_edge.errors import ExitCode, OutputError
from fer_edge.events import Event
from fer_edge.sinks.jsonl import JsonLines
from fer_edge.sinks.settings import RotationSettings


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


def numbered(number: int) -> Event:
    return {"number": number, "text": "x" * 50}


def kept(path: Path) -> list[int]:
    """The numbers in a file; every line of it is whole."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line)["number"] for line in text.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_full_file_becomes_the_first_of_its_followers(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), max_bytes=800, keep=3)
    for number in range(100):
        sink.emit(numbered(number))
    sink.close()
    assert names(tmp_path) == ["events.jsonl", "events.jsonl.1", "events.jsonl.2", "events.jsonl.3"]
    files = [tmp_path / name for name in reversed(names(tmp_path))]
    found = [number for file in files for number in kept(file)]
    assert found == list(range(found[0], 100))
    assert all(file.stat().st_size <= 800 for file in files)
    assert all(file.stat().st_size > 700 for file in files[:-1])
    assert sink.lost == 0


def test_an_old_file_is_gone_on_with_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for number in range(20):
        sink = JsonLines(str(path), max_bytes=800, keep=2)
        sink.emit(numbered(number))
        sink.close()
    assert [*kept(tmp_path / "events.jsonl.1"), *kept(path)] == list(range(20))


def test_a_line_longer_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), max_bytes=100, keep=5)
    for number in range(3):
        sink.emit({"number": number, "text": "x" * 500})
    sink.close()
    assert [kept(tmp_path / name) for name in names(tmp_path)] == [[2], [1], [0]]


def test_without_a_limit_nothing_is_renamed(tmp_path: Path) -> None:
    sink = JsonLines(str(tmp_path / "events.jsonl"))
    for number in range(200):
        sink.emit(numbered(number))
    sink.close()
    assert names(tmp_path) == ["events.jsonl"]


def test_a_device_is_not_rotated() -> None:
    sink = JsonLines("/dev/null", max_bytes=100, keep=1)
    for number in range(10):
        sink.emit(numbered(number))
    sink.close()
    assert not Path("/dev/null.1").exists()
    assert sink.lost == 0


@pytest.mark.parametrize("step", range(1, 8))
def test_a_power_cut_at_any_step_of_a_rotation_loses_no_line_but_the_oldest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), max_bytes=800, keep=3)
    number = 0
    while len(names(tmp_path)) < 4 or path.stat().st_size < 730:
        sink.emit(numbered(number))
        number += 1
    oldest = kept(tmp_path / "events.jsonl.3")
    before = {n for name in names(tmp_path) for n in kept(tmp_path / name)}
    left = [step]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                raise PowerCut
            return real(*args)

        return call

    for call in ("fsync", "replace", "open"):
        monkeypatch.setattr(os, call, counted(getattr(os, call)))
    with contextlib.suppress(PowerCut):
        sink.emit(numbered(number))
    monkeypatch.undo()
    again = JsonLines(str(path), max_bytes=800, keep=3)
    again.emit(numbered(1000))
    again.close()
    after = {n for name in names(tmp_path) for n in kept(tmp_path / name)}
    assert before - after <= set(oldest)
    assert 1000 in after
    sink.close()


class PowerCut(BaseException):
    """Nothing catches it."""


@given(cut=st.integers(0, 200))
def test_a_file_that_ends_in_half_a_line_is_mended_when_it_is_opened(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "events.jsonl"
    whole = b"".join(json.dumps(numbered(n)).encode() + b"\n" for n in range(3))
    path.write_bytes(whole[:cut])
    sink = JsonLines(str(path))
    sink.emit(numbered(9))
    sink.close()
    found = kept(path)
    assert found[-1] == 9
    assert found[:-1] == list(range(len(found) - 1))
    assert len(found) - 1 >= whole[:cut].count(b"\n")


def test_a_strange_text_without_an_end_is_ended_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk", encoding="utf-8")
    sink = JsonLines(str(path))
    sink.emit({"a": 1})
    sink.close()
    assert path.read_text(encoding="utf-8") == 'remember the milk\n{"a":1}\n'


def test_closing_leaves_no_half_line_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path))
    sink.emit(numbered(1))
    write, room = os.write, [10]

    def scarce(fd: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(fd, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(os, "write", scarce)
    sink.emit(numbered(2))
    sink.close()
    monkeypatch.undo()
    assert kept(path) == [1]
    assert sink.lost == 1


def test_a_full_file_is_on_the_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(fd: int) -> None:
        done.append("fsync")
        fsync(fd)

    def noted_replace(old: str, new: str) -> None:
        done.append(f"to {Path(new).name}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    sink = JsonLines(str(tmp_path / "e"), max_bytes=100, keep=1)
    sink.emit(numbered(1))
    sink.emit(numbered(2))
    assert done == ["fsync", "to e.1", "fsync"]
    sink.close()
    assert done[3:] == ["fsync"]


def test_an_event_that_is_no_json_is_counted_and_nothing_of_it_is_written(tmp_path: Path) -> None:
    sink = JsonLines(str(tmp_path / "e"))
    sink.emit({"number": float("nan")})
    sink.emit({"number": object()})
    sink.emit({"number": 3})
    sink.close()
    assert kept(tmp_path / "e") == [3]
    assert sink.lost == 2


def test_what_comes_after_the_end_is_counted(tmp_path: Path) -> None:
    sink = JsonLines(str(tmp_path / "e"))
    sink.close()
    sink.emit({"number": 1})
    assert sink.lost == 1


def test_the_rotation_that_is_set_is_the_one_of_the_settings() -> None:
    assert RotationSettings() == RotationSettings(max_bytes=10 * 2**20, keep=5)
    assert RotationSettings(max_bytes=0).max_bytes == 0
    with pytest.raises(ValidationError, match="4096 bytes or more"):
        RotationSettings(max_bytes=100)
    with pytest.raises(ValidationError):
        RotationSettings(keep=0)
