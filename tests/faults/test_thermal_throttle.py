"""Fault 15: the board is hot or badly fed. It is read bit by bit, work is taken away in steps, and given back."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fer_edge.system.board import Board, Throttling
from fer_edge.system.governor import Governor, Limits
from support.boards import ZONE, lay, raspberry_pi, vcgencmd

BITS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
NOTHING = Throttling((), (), 0)


@pytest.mark.parametrize(("bit", "word"), BITS.items())
def test_each_bit_of_vcgencmd_is_told_by_name(tmp_path: Path, bit: int, word: str) -> None:
    vcgencmd(raspberry_pi(tmp_path), 1 << bit)
    assert Board(tmp_path).throttling() == Throttling((word,), (), 1 << bit)


@pytest.mark.parametrize(("bit", "word"), BITS.items())
def test_each_bit_of_what_has_been_since_boot_is_kept_apart(tmp_path: Path, bit: int, word: str) -> None:
    vcgencmd(raspberry_pi(tmp_path), 1 << (bit + 16))
    assert Board(tmp_path).throttling() == Throttling((), (word,), 1 << (bit + 16))


def test_all_bits_together_are_told_in_order(tmp_path: Path) -> None:
    throttling = Board(raspberry_pi(tmp_path, bits=0xF000F)).throttling()
    assert throttling == Throttling(tuple(BITS.values()), tuple(BITS.values()), 0xF000F)


def test_bits_that_nobody_documents_are_ignored(tmp_path: Path) -> None:
    throttling = Board(raspberry_pi(tmp_path, bits=0xFFF0FFF0)).throttling()
    assert throttling == Throttling((), (), 0xFFF0FFF0)


def test_no_bit_is_nothing_and_not_none(tmp_path: Path) -> None:
    vcgencmd(raspberry_pi(tmp_path), 0)
    assert Board(tmp_path).throttling() == NOTHING


def test_missing_files_are_none_and_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    board, governor = Board(tmp_path), Governor()
    for now_s in range(0, 600, 5):
        readings = board.readings()
        assert (readings.temperature_c, readings.throttling) == (None, None)
        assert governor.decide(readings, float(now_s)).level == 0
    assert len(caplog.messages) == 1


def test_a_board_that_heats_up_is_spared_step_by_step_and_works_fully_again_when_cool(tmp_path: Path) -> None:
    """Ten minutes: it warms up to 85 °C, is throttled by its firmware, and cools down again."""
    raspberry_pi(tmp_path, bits=0)
    board, governor = Board(tmp_path), Governor()
    taken: list[tuple[int, int]] = []
    for now_s in range(0, 600, 5):
        heat_c = 70.0 if now_s < 60 else 85.0 if now_s < 180 else 60.0
        bits = "4\n" if 90 <= now_s < 180 else "40000\n"
        lay(tmp_path, {f"{ZONE}/temp": f"{heat_c * 1000:.0f}\n"})
        lay(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": bits})
        decision = governor.decide(board.readings(), float(now_s))
        if decision.changed:
            taken.append((now_s, decision.level))
    assert taken == [(60, 1), (75, 2), (90, 3), (240, 2), (300, 1), (360, 0)]


def test_under_voltage_alone_makes_the_daemon_do_less_and_say_why(tmp_path: Path) -> None:
    decision = Governor().decide(Board(raspberry_pi(tmp_path, bits=0x10001)).readings(), 0.0)
    assert decision.limits == Limits(search_factor=3.0)
    assert decision.why == "throttled, searching for faces less often: the board is held back (under-voltage)"
