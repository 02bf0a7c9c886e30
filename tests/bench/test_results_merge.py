"""Results of like runs pooled, and unlike ones refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.made_results import QUIET, accuracy_document, document, latency_row, pipeline_row, put, rounds
from fer_bench.results.merge import pooled
from fer_bench.results.reading import Result, read
from fer_edge.errors import UsageError


def result(tmp_path: Path, name: str, found: dict[str, Any]) -> Result:
    return read(Path(put(tmp_path / f"{name}.json", found)))


def latency(tmp_path: Path, name: str, seed: int, **changes: Any) -> Result:
    return result(tmp_path, name, document([latency_row(rounds(1.0, 2, seed))], minute=seed, **changes))


def test_rounds_of_like_runs_are_pooled_in_the_order_of_time(tmp_path: Path) -> None:
    late, early = latency(tmp_path, "late", 9), latency(tmp_path, "early", 2)
    (row,) = pooled([late, early]).rows
    assert row.samples_ns == early.rows[0].samples_ns + late.rows[0].samples_ns
    assert row.n == 200
    assert len(row.load_ms) == len(row.first_ms) == 4


def test_figures_are_taken_anew_over_all_rounds(tmp_path: Path) -> None:
    slow = result(tmp_path, "slow", document([latency_row([(9_000_000,) * 300], p50_ms=9.0)]))
    fast = result(tmp_path, "fast", document([latency_row([(1_000_000,) * 100], p50_ms=1.0)], minute=1))
    (row,) = pooled([slow, fast]).rows
    assert (row.p50_ms, row.p99_ms) == (9.0, 9.0)
    assert row.p50_ci95_ms == (1.0, 9.0)


def test_the_first_before_and_the_last_after_are_kept(tmp_path: Path) -> None:
    warm = replace(QUIET, temperature_c=70.0)
    found = pooled([latency(tmp_path, "b", 2, after=warm), latency(tmp_path, "a", 1)])
    assert found.environment.before.temperature_c == 45.0
    assert found.environment.after.temperature_c == 70.0
    assert [Path(each.path).name for each in found.sources] == ["a.json", "b.json"]


def test_pipeline_rounds_are_pooled_with_their_medians(tmp_path: Path) -> None:
    runs = [
        result(tmp_path, str(k), document([pipeline_row(cpu)], "pipeline", k))
        for k, cpu in enumerate([[1.0], [2.0, 9.0]])
    ]
    (row,) = pooled(runs).rows
    assert (row.cpu_ms_per_frame_rounds, row.cpu_ms_per_frame, row.n) == ((1.0, 2.0, 9.0), 2.0, 3)


def test_one_result_is_itself(tmp_path: Path) -> None:
    only = latency(tmp_path, "a", 1)
    assert pooled([only]) is only


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"board": "Jetson"}, "board: Raspberry Pi 5 Model B Rev 1.0 against Jetson"),
        ({"governors": ("ondemand",)}, "clock governor"),
        ({"kernel": "6.13"}, "kernel: 6.12.34 against 6.13"),
        ({"packages": {"numpy": "2.5.0", "ai-edge-litert": "2.3.0"}}, "numpy: 2.4.6 against 2.5.0"),
        ({"switches": {"OMP_NUM_THREADS": "1"}}, r"\$OMP_NUM_THREADS: not known against 1"),
        ({"git_revision": None}, "git revision"),
        ({"bundle": {"name": "tiny", "path": "/x", "sha256": "c" * 64}}, "bundle: tiny aaaaaaaaaaaa against tiny cccc"),
        ({"options": {"min_seconds": 2.0, "min_runs": 10}}, "option min_runs: 200 against 10"),
        ({"options": {"min_seconds": 2.0, "min_runs": 200, "extra": 1}}, "option extra: not known against 1"),
        (
            {"after": replace(QUIET, throttled_bits=4, throttled=("throttled",))},
            r"held back \(throttled\): leave it out",
        ),
        ({"after": replace(QUIET, throttle_count=3), "before": replace(QUIET, throttle_count=1)}, "for heat 2 times"),
        ({"after": replace(QUIET, slowed=("cpu throttled",))}, "cpu throttled"),
    ],
)
def test_unlike_runs_refuse_to_be_merged(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    runs = [latency(tmp_path, "a", 1), latency(tmp_path, "b", 2, **changes)]
    with pytest.raises(UsageError, match=sentence):
        pooled(runs)


def test_other_rows_refuse_to_be_merged(tmp_path: Path) -> None:
    other = result(tmp_path, "b", document([latency_row(rounds(1.0, 2, 2), "float32")], minute=1))
    with pytest.raises(UsageError, match="have not measured the same rows"):
        pooled([latency(tmp_path, "a", 1), other])


def test_the_same_file_does_not_count_twice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are the same result"):
        pooled([latency(tmp_path, "a", 1), latency(tmp_path, "b", 1)])


def test_results_of_accuracy_are_not_pooled(tmp_path: Path) -> None:
    runs = [result(tmp_path, str(k), accuracy_document([0, 1], [0, k], minute=k)) for k in range(2)]
    with pytest.raises(UsageError, match="accuracy results are not merged"):
        pooled(runs)


def test_two_kinds_are_not_pooled(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of kind accuracy"):
        pooled([latency(tmp_path, "a", 1), result(tmp_path, "b", accuracy_document([0], [0], minute=2))])
