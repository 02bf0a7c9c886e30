"""Fault 34: thousands of warnings a minute do not fill the journal, and none of them is forgotten."""

from __future__ import annotations

import io
import logging
import re

import pytest

from fer_edge.system.journal import LimitedHandler
from support.clocks import StillClock

FRAMES = 10_000
SECONDS = 333.0
"""What 10,000 frames take at 30 a second, but all within the first minute counts most."""


def flood(text: str, seconds: float) -> list[str]:
    """The lines that 10,000 corrupt frames leave, logged in as many seconds."""
    stream, clock = io.StringIO(), StillClock()
    handler = LimitedHandler(stream, clock)
    log = logging.Logger("fer_edge.cameras")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    for number in range(FRAMES):
        log.warning(text, number) if "%" in text else log.warning(text)
        clock.now_s += seconds / FRAMES
    handler.close()
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("text", ["a corrupt frame was dropped", "frame %d is corrupt and was dropped"])
def test_ten_thousand_corrupt_frames_leave_fewer_than_ten_lines(text: str) -> None:
    assert len(flood(text, 50.0)) < 10


def test_at_thirty_frames_a_second_a_minute_has_two_lines() -> None:
    assert len(flood("a corrupt frame was dropped", SECONDS)) <= 2 * (SECONDS // 60 + 1)


@pytest.mark.parametrize("text", ["a corrupt frame was dropped", "frame %d is corrupt and was dropped"])
def test_every_frame_of_the_flood_is_accounted_for(text: str) -> None:
    found = flood(text, SECONDS)
    counted = sum(int(match[1]) for line in found if (match := re.match(r"(\d+) more like this", line)))
    said = sum(" more like this" not in line for line in found)
    assert counted + said == FRAMES
