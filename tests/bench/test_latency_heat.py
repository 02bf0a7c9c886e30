"""A board that is held back while it is measured: the rounds are marked, and the row is no result."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fer_bench.latency import run as latency
from fer_bench.latency.run import Plan, run, text
from fer_bench.machine.environment import Conditions, conditions
from fer_bench.results.report import Report, exit_code
from fer_bench.variants import Choice
from fer_edge.errors import ExitCode
from support.tiny import tiny_bundle

ANSWER = {
    "samples_ns": [1_000_000] * 400,
    "warmup_ns": [1],
    "load_ms": 1.0,
    "first_ms": 1.0,
    "peak_rss_bytes": None,
    "golden_error": 0.0,
    "effective_precision": "float32",
    "runtime_version": "0",
}
WORKER = (sys.executable, "-c", f"import sys; sys.stdin.read(); print({json.dumps(json.dumps(ANSWER))})")
BOTH_ROUNDS_OF_TWO = 1 + 2 * 2 * 2 + 1
"""Readings: before the run, before and after each of two variants in each of two rounds, after the run."""


def board(hot: set[int]) -> Iterator[Conditions]:
    """A Raspberry Pi, reading by reading; `hot`: those in which it is throttled."""
    cool = replace(conditions(), throttled_bits=0, throttled=(), undervoltage=False)
    for number in range(BOTH_ROUNDS_OF_TWO):
        yield replace(cool, throttled_bits=0x4, throttled=("throttled",)) if number in hot else cool


def measured(folder: Path, monkeypatch: pytest.MonkeyPatch, hot: set[int]) -> tuple[Report, list[str]]:
    readings = board(hot)
    monkeypatch.setattr(latency, "conditions", lambda: next(readings))
    said: list[str] = []
    report = run(Plan(str(tiny_bundle(folder)), Choice(runtimes=("litert",)), rounds=2), said.append, WORKER)
    assert next(readings, None) is None
    return report, said


def test_each_round_keeps_the_conditions_before_and_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, _ = measured(tmp_path, monkeypatch, hot=set())
    for row in report.rows:
        assert row.error is None
        assert row.held_back == (None, None)
        assert [each["before"]["throttled_bits"] for each in row.conditions] == [0, 0]
        assert "load_1min" in row.conditions[0]["after"]
    assert exit_code(report) == ExitCode.OK


def test_a_round_that_was_held_back_is_marked_and_its_row_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, said = measured(tmp_path, monkeypatch, hot={8})  # after int8's second round
    sound, spoilt = report.rows
    assert (sound.error, sound.held_back) == (None, (None, None))
    assert spoilt.held_back == (None, "throttled")
    assert spoilt.error == "INVALID: the board was held back in round 2 (throttled) of 2 rounds"
    assert said[-1].endswith("INVALID: the board was held back (throttled)")
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_an_invalid_row_keeps_its_samples_and_gets_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, _ = measured(tmp_path, monkeypatch, hot={8})
    spoilt = report.rows[1]
    assert len(spoilt.samples_ns) == 2
    assert (spoilt.ratio_to_float32, spoilt.verdict) == (None, None)
    shown = text(report)
    assert "tflite/int8 INVALID" in shown
    assert "tflite/float32 INVALID" not in shown
    assert "failed: tflite/int8 with litert on 1 thread: INVALID" in shown


def test_an_invalid_float32_is_no_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, _ = measured(tmp_path, monkeypatch, hot={1})  # before float32's first round
    assert report.rows[0].held_back == ("throttled", None)
    assert report.rows[1].ratio_to_float32 is None
    assert "no float32 was measured" in report.rows[1].verdict
