"""Two results against each other: what is matched, what is refused, and what is called significant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.made_results import (
    LABELS,
    QUIET,
    STEADY,
    Document,
    accuracy,
    accuracy_document,
    compared,
    document,
    latency,
    latency_row,
    pipeline_row,
    put,
    rounds,
)
from fer_bench.compare.comparison import Plan
from fer_bench.compare.run import run
from fer_bench.compare.words import text
from fer_edge.errors import UsageError


def by_turns(folder: Path, ratio: float, count: int, spread: float) -> Plan:
    """Two folders of results of one round each, measured by turns on a machine that slows down as it goes."""
    for k in range(count):
        for side, factor in (("base", 1.0), ("new", ratio)):
            samples = rounds(1.2**k * factor, 1, 1000 * k + len(side), spread)
            put(folder / side / f"{k}.json", document([latency_row(samples)], minute=2 * k + len(side)))
    return Plan(str(folder / "base"), str(folder / "new"))


def test_a_slower_row_is_told_with_its_ratio(tmp_path: Path) -> None:
    found = compared(tmp_path, latency(1.0, 1), latency(1.2, 2))
    (row,) = found.rows
    assert (row.measure, row.significant, row.verdict) == ("p50", True, "slower")
    assert row.ratio == pytest.approx(1.2, rel=0.02)
    assert row.ratio_ci95 is not None
    assert row.ratio_ci95[0] < 1.2 < row.ratio_ci95[1]
    assert (row.base_rounds, row.new_rounds, row.n) == (10, 10, 10)


def test_the_same_speed_is_not_significant_and_says_what_would_have_been(tmp_path: Path) -> None:
    (row,) = compared(tmp_path, latency(1.0, 1), latency(1.0, 2)).rows
    assert row.significant is False
    assert row.verdict.startswith("not significant; ")
    assert row.verdict.endswith(" % would have shown")


def test_too_few_rounds_are_not_significant_and_say_how_many_are_needed(tmp_path: Path) -> None:
    found = compared(tmp_path, latency(1.0, 1, 3), latency(9.0, 2, 3))
    (row,) = found.rows
    assert row.significant is None
    assert row.verdict == "not significant: 5 rounds each are needed, found 3 and 3"
    assert row.smallest is None


def test_many_rows_need_more_rounds_and_a_smaller_p(tmp_path: Path) -> None:
    def many(slow: float) -> Document:
        rows = [latency_row(rounds(slow, 6, 7, STEADY), threads=1)]
        rows += [latency_row(rounds(1.0, 6, 10 * k + round(slow)), threads=k) for k in range(2, 14)]
        return document(rows, minute=slow)

    found = compared(tmp_path, many(1.0), many(2.0))
    assert found.rows[0].p == pytest.approx(2 / 924)
    assert found.rows[0].p_holm == pytest.approx(13 * 2 / 924)
    assert found.rows[0].significant is None
    assert "7 rounds each are needed" in found.rows[0].verdict
    assert "Holm's correction for 13 comparisons" in text(found)


def flat(*middles_ms: float) -> tuple[tuple[int, ...], ...]:
    """Rounds whose samples are all alike."""
    return tuple((round(1e6 * middle),) * 50 for middle in middles_ms)


def test_what_is_significant_alone_need_not_be_so_among_others(tmp_path: Path) -> None:
    close = flat(1.0, 1.004, 1.03, 1.001, 1.003, 1.002), flat(1.028, 1.042, 1.041, 1.029, 1.043, 1.04)
    others = flat(1.0, 1.01, 1.02, 1.03, 1.04, 1.05), flat(1.001, 1.011, 1.021, 1.031, 1.041, 1.051)

    def side(k: int, rows: int) -> Document:
        return document([latency_row((close, others, others)[n][k], threads=n + 1) for n in range(rows)], minute=k)

    alone = compared(tmp_path, side(0, 1), side(1, 1)).rows[0]
    among = compared(tmp_path, side(0, 3), side(1, 3)).rows[0]
    assert alone.p == among.p == pytest.approx(8 / 924)  # 2 of 36 pairs are the other way round
    assert (alone.significant, among.significant) == (True, False)
    assert among.p_holm == pytest.approx(3 * 8 / 924)


def test_a_difference_that_the_machine_drifted_by_itself_is_not_significant(tmp_path: Path) -> None:
    walk = [1.0 + 0.02 * k for k in range(20)]
    base, new = (document([latency_row(flat(*part))], minute=part[0]) for part in (walk[:10], walk[10:]))
    (row,) = compared(tmp_path, base, new).rows
    assert row.p is not None
    assert row.p < 1e-4
    assert row.significant is False
    assert row.ratio_ci95 is not None
    assert row.ratio_ci95[0] < 1.0


def test_runs_by_turns_are_compared_in_pairs(tmp_path: Path) -> None:
    (found,) = run(by_turns(tmp_path, 1.05, 10, 0.01))
    (row,) = found.rows
    assert found.interleaved
    assert row.ratio == pytest.approx(1.05, rel=0.01)
    assert row.significant
    assert not any("one after the other" in note for note in found.notes)


def test_five_percent_is_not_significant_with_few_rounds_by_turns(tmp_path: Path) -> None:
    (found,) = run(by_turns(tmp_path, 1.05, 5, 0.01))
    (row,) = found.rows
    assert not row.significant


def test_runs_in_a_row_are_told_to_be_so(tmp_path: Path) -> None:
    found = compared(tmp_path, latency(1.0, 1), latency(1.0, 2))
    assert not found.interleaved
    assert any("one after the other" in note for note in found.notes)


def test_folders_that_were_measured_one_after_the_other_are_not_pairs(tmp_path: Path) -> None:
    for k in range(6):
        for side, start in (("base", 0), ("new", 100)):
            samples = rounds(1.0, 1, start + k)
            put(tmp_path / side / f"{k}.json", document([latency_row(samples)], minute=start + k))
    (found,) = run(Plan(str(tmp_path / "base"), str(tmp_path / "new")))
    assert not found.interleaved


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"board": "Jetson"},
            "unlike machines .board: Raspberry Pi 5 Model B Rev 1.0 against Jetson.*--across-machines",
        ),
        ({"cpu": "Cortex-A72"}, "CPU: Cortex-A76 against Cortex-A72"),
        ({"governors": ("ondemand",)}, "clock governor: performance against ondemand"),
        ({"cpus_usable": 1.0}, "CPUs that may be used"),
        ({"boost": True}, "clock boost: not known against True"),
    ],
)
def test_times_of_unlike_machines_are_refused_unless_asked_for(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    base, new = latency(1.0, 1), latency(2.0, 2, **changes)
    with pytest.raises(UsageError, match=sentence):
        compared(tmp_path, base, new)
    found = compared(tmp_path, base, new, across_machines=True)
    assert found.notes[0].startswith("ACROSS MACHINES")
    assert found.rows[0].significant


def test_another_version_is_told_and_compared(tmp_path: Path) -> None:
    found = compared(tmp_path, latency(1.0, 1), latency(1.0, 2, kernel="6.13", python="3.12.1"))
    assert {"kernel: 6.12.34 against 6.13", "Python: 3.11.2 against 3.12.1"} <= set(found.notes)


def test_a_run_that_was_held_back_is_refused(tmp_path: Path) -> None:
    hot = replace(QUIET, throttled_bits=0x4, throttled=("throttled",))
    with pytest.raises(UsageError, match=r"new\.json was measured on a board that was held back \(throttled\)"):
        compared(tmp_path, latency(1.0, 1), latency(1.0, 2, after=hot), across_machines=True)


def test_two_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of kind latency and .* of accuracy"):
        compared(tmp_path, latency(1.0, 1), accuracy_document([0], [0]))


def test_a_kind_without_figures_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="soak results are not compared, only those of latency, accuracy, pipeline"):
        compared(tmp_path, document([], "soak"), document([], "soak", 1))


def test_rows_in_one_result_only_are_told_of(tmp_path: Path) -> None:
    new = latency(1.0, 2)
    new["rows"].append(latency_row(rounds(1.0, 3, 3), "float32"))
    found = compared(tmp_path, latency(1.0, 1), new)
    assert len(found.rows) == 1
    assert any("only in" in note and "tflite/float32 with litert on 1 thread" in note for note in found.notes)


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    new = document([latency_row(rounds(1.0, 3, 3), "float32")])
    with pytest.raises(UsageError, match=r"no row in common: tflite/int8 .* against tflite/float32"):
        compared(tmp_path, latency(1.0, 1), new)


def test_another_scenario_is_another_row(tmp_path: Path) -> None:
    def both(factor: float) -> Document:
        rows = [
            latency_row(rounds(factor, 6, 1), scenario="single-stream"),
            latency_row(rounds(3 * factor, 6, 2), scenario="multi-stream", streams=2),
        ]
        return document(rows, minute=factor)

    found = compared(tmp_path, both(1.0), both(2.0))
    assert [row.ratio for row in found.rows] == [pytest.approx(2.0), pytest.approx(2.0)]


def test_offline_is_compared_by_its_throughput(tmp_path: Path) -> None:
    base, new = (
        document([latency_row(rounds(ms, 8, 3, STEADY), scenario="offline", batch=4, n=1600)], minute=ms)
        for ms in (1.0, 2.0)
    )
    (row,) = compared(tmp_path, base, new, "rate:-5%").rows
    assert (row.measure, row.verdict) == ("rate", "slower")
    assert row.base == pytest.approx(4000, rel=0.02)
    assert row.ratio == pytest.approx(0.5)


def test_models_of_another_name_are_matched_by_what_they_are(tmp_path: Path) -> None:
    base, new = (document([latency_row(rounds(1.0, 6, 1), model=name)]) for name in ("mine", "yours"))
    assert len(compared(tmp_path, base, new).rows) == 1


def test_several_models_in_one_result_are_told_apart(tmp_path: Path) -> None:
    def two(factor: float) -> Document:
        names = (("mine", 1.0), ("yours", 5.0))
        return document([latency_row(rounds(ms * factor, 6, 1), model=name) for name, ms in names], minute=factor)

    found = compared(tmp_path, two(1.0), two(2.0))
    assert [row.ratio for row in found.rows] == [pytest.approx(2.0), pytest.approx(2.0)]


def test_accuracy_is_compared_picture_by_picture(tmp_path: Path) -> None:
    (row,) = compared(tmp_path, accuracy(range(180)), accuracy(range(20, 181))).rows
    assert [row.base, row.new, row.change] == pytest.approx([90.0, 80.5, -9.5])
    assert row.p == pytest.approx(2 * (1 + 21) / 2**21)  # 20 lost, 1 won
    assert row.change_ci95 is not None
    assert row.change_ci95[0] < -9.5 < row.change_ci95[1] < 0
    assert (row.significant, row.verdict) == (True, "worse")


def test_a_few_pictures_are_not_significant(tmp_path: Path) -> None:
    (row,) = compared(tmp_path, accuracy(range(180)), accuracy(range(3, 180))).rows
    assert row.significant is False
    assert "points would have shown" in row.verdict


def data(**changes: Any) -> dict[str, Any]:
    found = {
        "source": "faces",
        "split": "test",
        "n": 3,
        "sha256": "b" * 64,
        "targets": [0, 0, 0],
        "originals_sha256": "o",
    }
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": data(sha256="c" * 64, originals_sha256="p")}, "stand on other pictures"),
        (
            {"data": data(sha256="c" * 64, originals_sha256=None)},
            "other pictures, or on the same in other preprocessing",
        ),
        ({"data": data(sha256="c" * 64)}, "cut the same pictures in another way"),
        ({"data": data(targets=[1, 0, 0])}, "cut the same pictures in another way|other pictures"),
        ({"data": data(targets=None)}, "does not keep the outcome of each picture"),
        ({"data": None}, "does not say which pictures"),
        (
            {"data": data(), "bundle": {"name": "x", "path": "x", "sha256": "c" * 64, "labels": LABELS[::-1]}},
            "bundles with other labels",
        ),
    ],
)
def test_accuracy_on_other_pictures_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        compared(tmp_path, accuracy([0], 3, data=data()), accuracy([0], 3, **changes), across_machines=True)


def test_accuracy_of_another_machine_is_compared_and_told(tmp_path: Path) -> None:
    found = compared(tmp_path, accuracy(range(9)), accuracy(range(9), cpu="Cortex-A72"))
    assert "CPU: Cortex-A76 against Cortex-A72" in found.notes
    assert found.rows[0].verdict.startswith("not significant")


def test_predictions_that_do_not_fit_the_pictures_are_not_compared(tmp_path: Path) -> None:
    new = accuracy(range(9))
    new["rows"][0]["predictions"] = [0, 1]
    (row,) = compared(tmp_path, accuracy(range(9)), new).rows
    assert row.significant is None
    assert "200 and 2 predictions for 200 pictures" in row.verdict


def test_a_pipeline_is_compared_by_its_rounds(tmp_path: Path) -> None:
    base, new = (document([pipeline_row([ms * k for k in (0.99, 1.0, 1.01) * 4])], "pipeline", ms) for ms in (2.0, 3.0))
    (row,) = compared(tmp_path, base, new).rows
    assert (row.what, row.measure, row.verdict) == ("fer-edge run", "cpu", "more")
    assert row.ratio == pytest.approx(1.5)


def test_another_clip_is_refused(tmp_path: Path) -> None:
    base, new = (document([pipeline_row([1.0])], "pipeline", options={"source": f"/x/{name}"}) for name in ("a", "b"))
    with pytest.raises(UsageError, match=r"of the clip a and .* of b"):
        compared(tmp_path, base, new)


def test_the_json_tells_everything_that_the_table_does(tmp_path: Path) -> None:
    found = compared(tmp_path, latency(1.0, 1), latency(1.2, 2, kernel="6.13"), "p50:+5%")
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["rows"][0]["verdict"] == "slower"
    assert told["conditions"][0]["outcome"] == "failed"
    assert told["differences"] == [{"what": "kernel", "base": "6.12.34", "new": "6.13", "blocks": False}]
    assert told["base"]["sources"][0]["path"].endswith("base.json")
