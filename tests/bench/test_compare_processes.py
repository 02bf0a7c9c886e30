"""Comparisons of what real processes measured, by turns: a runtime that is slower by 5 %, and one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import paced
from fer_bench.compare.comparison import Plan
from fer_bench.compare.run import run
from fer_bench.latency import run as latency
from fer_bench.results.reading import read
from fer_bench.variants import Choice
from fer_edge.command import write_json
from support.tiny import tiny_bundle

PACE_S = 0.02
ROUNDS = 9
FEW = 4
"""Of the rounds; eight pairs are the fewest that can show anything."""


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of one-round results: `base`, `same` and `slow` (5 % slower), measured by turns."""
    folder = tmp_path_factory.mktemp("measured")
    plan = latency.Plan(
        str(tiny_bundle(folder)),
        choice=Choice(precisions=("float32",), runtimes=("litert",)),
        rounds=1,
        min_seconds=0.01,
        min_runs=8,
        timeout_s=120.0,
    )
    sides = {"base": PACE_S, "same": PACE_S, "slow": 1.05 * PACE_S}
    for name in sides:
        (folder / name).mkdir()
    for k in range(ROUNDS):
        for number, name in enumerate(list(sides)[:: 1 if k % 2 else -1]):
            report = latency.run(plan, quiet, paced.command(sides[name], seed=10 * k + number))
            write_json(report.as_json(), str(folder / name / f"{k}.json"))
    return folder


@pytest.mark.timeout(600)
def test_a_runtime_slower_by_5_percent_is_significant(measured: Path) -> None:
    (found,) = run(Plan(str(measured / "base"), str(measured / "slow"), ("p50:+2%",)))
    (row,) = found.rows
    assert found.interleaved
    assert row.ratio == pytest.approx(1.05, abs=0.02)
    assert (row.significant, row.verdict) == (True, "slower")
    assert [gate.outcome for gate in found.gates] == ["failed"]


@pytest.mark.timeout(600)
def test_the_same_runtime_is_not_significant(measured: Path) -> None:
    (found,) = run(Plan(str(measured / "base"), str(measured / "same")))
    (row,) = found.rows
    assert row.significant is False
    assert row.ratio == pytest.approx(1.0, abs=0.02)
    assert row.smallest is not None
    assert row.smallest < 0.05


@pytest.mark.timeout(600)
def test_few_rounds_show_no_5_percent(measured: Path, tmp_path: Path) -> None:
    for side in ("base", "slow"):
        (tmp_path / side).mkdir()
        for k in range(FEW):
            (tmp_path / side / f"{k}.json").symlink_to(measured / side / f"{k}.json")
    (found,) = run(Plan(str(tmp_path / "base"), str(tmp_path / "slow")))
    (row,) = found.rows
    assert row.significant is None
    assert "8 rounds each are needed, found 4 and 4" in row.verdict


@pytest.mark.timeout(600)
def test_what_a_real_run_wrote_can_be_read_back(measured: Path) -> None:
    (row,) = read(measured / "base" / "0.json").rows
    assert row.n == sum(map(len, row.samples_ns)) >= 8
