"""The log fits who reads it, and does not repeat itself."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import TextIO

import pytest

from fer_edge.system.journal import MAX_KINDS, MAX_VARIANTS, LimitedHandler, configure, under_journal
from support.clocks import StillClock

log = logging.getLogger("fer_edge.test_journal")


def journal_of(stream: TextIO) -> dict[str, str]:
    found = os.fstat(stream.fileno())
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_a_person_reads_plain_lines() -> None:
    stream = io.StringIO()
    configure(stream=stream, environment={})
    log.warning("camera lost: %s", "unplugged")
    assert stream.getvalue() == "fer-edge: camera lost: unplugged\n"


@pytest.mark.parametrize(
    ("level", "number"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_journald_is_told_how_grave_every_line_is(tmp_path: Path, level: int, number: int) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        configure(stream=stream, environment=journal_of(stream), level=logging.DEBUG)
        log.log(level, "first\nsecond")
        assert (tmp_path / "journal").read_text() == f"<{number}>first\n<{number}>second\n"


def test_a_traceback_is_prefixed_to_its_last_line(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        configure(stream=stream, environment=journal_of(stream))
        try:
            int("bad")
        except ValueError:
            log.exception("it failed")
        found = (tmp_path / "journal").read_text().splitlines()
    assert found[0] == "<3>it failed"
    assert found[-1].startswith("<3>ValueError: invalid literal")
    assert all(line.startswith("<3>") for line in found)


def test_another_files_journal_is_not_ours(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as ours, (tmp_path / "b").open("w") as other:
        assert under_journal(ours, journal_of(ours))
        assert not under_journal(ours, journal_of(other))
        assert not under_journal(ours, {})
        assert not under_journal(ours, {"JOURNAL_STREAM": "rubbish"})
        assert not under_journal(io.StringIO(), journal_of(ours))


def test_programs_read_json_lines() -> None:
    stream = io.StringIO()
    configure(stream=stream, json_lines=True, environment={})
    log.warning("camera lost:\n%s", "«unplugged»")
    try:
        os.stat("/nonexistent")  # noqa: PTH116 - raises
    except OSError:
        log.exception("it failed")
    first, second = (json.loads(line) for line in lines(stream))
    assert (first["level"], first["logger"]) == ("warning", "fer_edge.test_journal")
    assert first["message"] == "camera lost:\n«unplugged»"
    assert first["time"].endswith("Z")
    assert "FileNotFoundError" in second["exception"]


def test_configuring_twice_does_not_say_everything_twice() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(stream=first, environment={})
    configure(stream=second, environment={})
    log.error("once")
    assert (first.getvalue(), second.getvalue()) == ("", "fer-edge: once\n")


def limited() -> tuple[io.StringIO, LimitedHandler, StillClock]:
    stream, clock = io.StringIO(), StillClock()
    return stream, configure(stream=stream, environment={}, clock=clock), clock


def test_the_same_warning_is_said_once_a_minute_and_then_counted() -> None:
    stream, _, clock = limited()
    for _ in range(130):
        log.warning("the broker refuses the password")
        clock.now_s += 1.0
    assert lines(stream) == [
        "fer-edge: the broker refuses the password",
        "fer-edge: 59 more like this within 60 s: the broker refuses the password",
        "fer-edge: the broker refuses the password",
        "fer-edge: 59 more like this within 60 s: the broker refuses the password",
        "fer-edge: the broker refuses the password",
    ]


def test_the_end_of_a_flood_is_told_though_nothing_else_is_logged() -> None:
    stream, handler, clock = limited()
    for _ in range(10):
        log.warning("torn")
    handler.tick()
    assert len(lines(stream)) == 1
    clock.now_s += 60.0
    handler.tick()
    handler.tick()
    assert lines(stream)[1:] == ["fer-edge: 9 more like this within 60 s: torn"]


def test_what_was_counted_is_told_at_the_end() -> None:
    stream, handler, _ = limited()
    for _ in range(3):
        log.warning("torn")
    handler.close()
    handler.close()
    assert lines(stream)[1:] == ["fer-edge: 2 more like this within 0 s: torn"]


def test_different_texts_of_one_line_of_code_are_said_a_few_times() -> None:
    stream, handler, clock = limited()
    for number in range(100):
        log.warning("frame %d is torn", number)
    assert len(lines(stream)) == MAX_VARIANTS
    clock.now_s += 60.0
    handler.tick()
    assert lines(stream)[-1] == f"fer-edge: {100 - MAX_VARIANTS} more like this within 60 s: frame 0 is torn"


def test_one_flood_does_not_silence_another_warning() -> None:
    stream, _, _ = limited()
    for _ in range(50):
        log.warning("torn")
    log.warning("the disk is full")
    assert lines(stream) == ["fer-edge: torn", "fer-edge: the disk is full"]


def test_what_is_no_warning_is_never_held_back() -> None:
    stream, _, _ = limited()
    for _ in range(5):
        log.info("started")
    assert lines(stream) == ["fer-edge: started"] * 5


def test_what_is_remembered_is_bounded() -> None:
    _, handler, _ = limited()
    for number in range(MAX_KINDS * 3):
        handler.handle(logging.LogRecord("x", logging.WARNING, f"file{number}.py", 1, "odd", (), None))
    assert len(handler._limit._windows) <= MAX_KINDS + 1


def test_logging_from_inside_logging_does_not_lock_up() -> None:
    class Chatty:
        def __str__(self) -> str:
            log.warning("asked for my name")
            return "chatty"

    stream, _, _ = limited()
    log.warning("hello %s", Chatty())
    assert "fer-edge: hello chatty" in lines(stream)


def test_standard_error_is_where_it_goes_by_default() -> None:
    assert configure(environment={}).stream is sys.stderr
