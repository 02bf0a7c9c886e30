"""What fails a build, what passes, and what nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.made_results import accuracy, compared, document, latency, latency_row
from fer_bench.compare.comparison import exit_code
from fer_bench.compare.words import text
from fer_edge.errors import ExitCode, UsageError


@pytest.mark.parametrize(
    ("condition", "factor", "outcome"),
    [
        ("p50:+5%", 1.2, "failed"),
        ("p50:+5%", 1.0, "passed"),
        ("p50:+5%", 0.8, "passed"),
        ("p50:+30%", 1.2, "passed"),
        ("p50:+0.1", 1.2, "failed"),
        ("p50:+0.3", 1.2, "passed"),
        ("p50:-5%", 0.8, "failed"),
        ("p50:-5%", 1.2, "passed"),
        ("p50:+0", 1.0, "unsure"),
        ("p99:+10%", 1.2, "failed"),
    ],
)
def test_a_condition_fails_when_the_change_is_larger_and_significant(
    tmp_path: Path, condition: str, factor: float, outcome: str
) -> None:
    found = compared(tmp_path, latency(1.0, 1, 12), latency(factor, 2, 12), condition)
    (gate,) = found.gates
    assert (gate.condition, gate.outcome) == (condition, outcome)
    assert exit_code([found]) == (ExitCode.GATE_NOT_MET if outcome == "failed" else ExitCode.OK)
    assert f"{outcome}: {condition}: tflite/int8" in text(found)


def test_a_change_that_is_not_ruled_out_is_unsure_and_fails_only_when_asked(tmp_path: Path) -> None:
    base, new = latency(1.0, 1, 3), latency(9.0, 2, 3)
    found = compared(tmp_path, base, new, "p50:+5%")
    assert [gate.outcome for gate in found.gates] == ["unsure"]
    assert exit_code([found]) == ExitCode.OK
    assert "what is unsure does not fail" in text(found)
    strict = compared(tmp_path, base, new, "p50:+5%", fail_on_unsure=True)
    assert exit_code([strict]) == ExitCode.GATE_NOT_MET


def test_a_size_has_no_spread(tmp_path: Path) -> None:
    new = latency(1.0, 2)
    new["rows"][0]["size_bytes"] += 1
    assert [gate.outcome for gate in compared(tmp_path, latency(1.0, 1), new, "size:+0").gates] == ["failed"]
    assert [gate.outcome for gate in compared(tmp_path, latency(1.0, 1), new, "size:+1").gates] == ["passed"]
    assert [gate.outcome for gate in compared(tmp_path, latency(1.0, 1), latency(1.0, 2), "size:+0").gates] == [
        "passed"
    ]


def test_memory_is_judged_by_its_rounds_and_unsure_without_them(tmp_path: Path) -> None:
    base, new = latency(1.0, 1), latency(1.0, 2)
    base["rows"][0]["peak_rss_bytes"], new["rows"][0]["peak_rss_bytes"] = 100, 200
    assert [gate.outcome for gate in compared(tmp_path, base, new, "rss:+10%").gates] == ["unsure"]
    for found, peak in ((base, 100), (new, 200)):
        found["rows"][0]["peak_rss_bytes_rounds"] = [peak + k % 2 for k in range(10)]
    assert [gate.outcome for gate in compared(tmp_path, base, new, "rss:+10%").gates] == ["failed"]


def test_a_drop_in_points_fails(tmp_path: Path) -> None:
    base, worse = accuracy(range(180)), accuracy(range(30, 180))
    assert [gate.outcome for gate in compared(tmp_path, base, worse, "top1:-0.5").gates] == ["failed"]
    assert [gate.outcome for gate in compared(tmp_path, base, worse, "top1:-30").gates] == ["passed"]
    assert [gate.outcome for gate in compared(tmp_path, base, base, "top1:-5").gates] == ["passed"]
    assert [gate.outcome for gate in compared(tmp_path, base, base, "top1:-0.5").gates] == ["unsure"]


def test_an_artifact_that_does_not_run_any_more_fails_every_condition(tmp_path: Path) -> None:
    new = document([latency_row([], n=0, p50_ms=None, error="round 1 was ended by SIGILL")])
    found = compared(tmp_path, latency(1.0, 1), new, "p50:+5%")
    assert [gate.outcome for gate in found.gates] == ["failed"]
    assert "SIGILL" in text(found)


def test_an_artifact_that_never_ran_is_unsure(tmp_path: Path) -> None:
    base = document([latency_row([], n=0, p50_ms=None, error="round 1 was ended by SIGILL")])
    assert [gate.outcome for gate in compared(tmp_path, base, latency(1.0, 1), "p50:+5%").gates] == ["unsure"]


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("", "is no condition"),
        ("p50", "is no condition: a figure, a colon"),
        ("p50:5%", "is no condition"),
        ("p50:+-5%", "is no condition"),
        ("p50:+5%%", "is no condition"),
        ("p50:+1e3", "is no condition"),
        ("p50:+nan", "is no condition"),
        ("p50:+٣", "is no condition"),
        ("p50:+9999999999999999999", "is no condition"),
        ("p51:+5%", "latency results have no figure 'p51', they have p50, p90"),
        ("top1:-0.5", "latency results have no figure 'top1'"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(tmp_path: Path, condition: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        compared(tmp_path, latency(1.0, 1), latency(1.0, 2), condition)
    assert caught.value.exit_code == ExitCode.USAGE


def test_points_are_no_percent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="counted in percentage points: leave the % out"):
        compared(tmp_path, accuracy([0]), accuracy([0]), "top1:-5%")
