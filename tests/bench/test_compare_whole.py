"""Two results of `all`, part by part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.made_results import accuracy, document, latency, pipeline_row, put
from fer_bench.cli import main
from fer_bench.compare.comparison import Plan, as_one
from fer_bench.compare.run import run
from fer_bench.results.schema import FILE
from fer_edge.errors import UsageError

WHOLE = ("latency", "accuracy", "pipeline")


def whole(factor: float = 1.0, seed: int = 1, wrong: int = 0, **changes: Any) -> dict[str, Any]:
    """A result of `all`: times by so much longer, so many more pictures mistaken."""
    parts = {
        "latency": latency(factor, seed),
        "accuracy": accuracy(range(wrong, 150)),
        "pipeline": document([pipeline_row([factor * (5.0 + 0.01 * k) for k in range(8)])], "pipeline", minute=seed),
    }
    rows = [{"part": name, "n": 1, "status": 0, "why": None, "error": None} for name in parts]
    return document(rows, "all", minute=seed, parts=parts, verdict=[], **changes)


def compare(folder: Path, base: dict[str, Any], new: dict[str, Any], *fail_on: str) -> list[Any]:
    """By way of the folders that `all` writes."""
    for name, found in (("base", base), ("new", new)):
        put(folder / name / "result.json", found)
    return list(run(Plan(str(folder / "base"), str(folder / "new"), fail_on)))


def test_each_part_is_compared_with_its_own_kind(tmp_path: Path) -> None:
    found = compare(tmp_path, whole(), whole(1.3, 2, wrong=30))
    assert [each.kind for each in found] == list(WHOLE)
    assert [each.rows[0].measure for each in found] == ["p50", "top1", "cpu"]
    assert [each.rows[0].verdict for each in found] == ["slower", "worse", "more"]


def test_the_same_differs_in_nothing(tmp_path: Path) -> None:
    found = compare(tmp_path, whole(), whole(1.0, 2))
    assert [row.significant for each in found for row in each.rows] == [False, False, False]


def test_a_condition_is_judged_where_its_figure_is(tmp_path: Path) -> None:
    found = compare(tmp_path, whole(), whole(1.0, 2, wrong=30), "top1:-0.5", "p50:+50%", "size:+0")
    outcomes = [[(gate.condition, gate.outcome) for gate in each.gates] for each in found]
    assert outcomes == [
        [("p50:+50%", "passed"), ("size:+0", "passed")],
        [("top1:-0.5", "failed"), ("size:+0", "passed")],
        [],
    ]


def test_a_figure_of_no_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="latency, accuracy, pipeline results have no figure 'mood'"):
        compare(tmp_path, whole(), whole(1.0, 2), "mood:+1")


def test_one_part_may_be_a_result_of_its_own(tmp_path: Path) -> None:
    base, new = put(tmp_path / "all.json", whole()), put(tmp_path / "latency.json", latency(1.3, 2))
    (found,) = run(Plan(base, new))
    assert (found.kind, found.rows[0].verdict) == ("latency", "slower")
    with pytest.raises(UsageError, match="compare like with like"):
        run(Plan(put(tmp_path / "accuracy.json", accuracy(range(9))), new))


def test_reports_without_a_measured_part_have_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no part that was measured"):
        compare(tmp_path, {**whole(), "parts": {}}, whole())


def test_unlike_parts_are_refused_by_name(tmp_path: Path) -> None:
    other = whole(1.0, 2)
    other["parts"]["accuracy"]["data"]["sha256"] = "c" * 64
    with pytest.raises(UsageError, match=r"part accuracy of .*result.json stand on other pictures"):
        compare(tmp_path, whole(), other)


def test_several_reports_of_a_side_are_pooled_part_by_part(tmp_path: Path) -> None:
    for k in range(2):
        for side, factor in (("base", 1.0), ("new", 1.3)):
            found = whole(factor, 2 * k + (side == "new"))
            del found["parts"]["accuracy"]  # the same pictures twice are no more pictures
            put(tmp_path / side / f"{k}.json", found)
    both = run(Plan(str(tmp_path / "base"), str(tmp_path / "new")))
    assert [each.kind for each in both] == ["latency", "pipeline"]
    assert both[0].rows[0].base_rounds == 20


def test_the_command_tells_each_part_and_writes_one_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [put(tmp_path / f"{k}.json", whole(factor, k)) for k, factor in enumerate((1.0, 1.3))]
    assert main(["compare", *sides, "--fail-on", "cpu:+5%", "--json", str(tmp_path / "c.json")]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("==")] == [f"== {name}" for name in WHOLE]
    assert "failed: cpu:+5%: fer-edge run" in out
    written = json.loads((tmp_path / "c.json").read_text())
    assert (written["kind"], written["of"], list(written["parts"])) == ("compare", "all", list(WHOLE))
    assert [row["measure"] for row in written["rows"]] == ["p50", "top1", "cpu"]


def test_what_is_written_keeps_to_the_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    written = json.loads(json.dumps(as_one(compare(tmp_path, whole(), whole(1.3, 2), "p50:+5%"))))
    jsonschema.validate(written, json.loads(FILE.read_text(encoding="utf-8")))
