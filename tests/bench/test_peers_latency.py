"""Peers beside our artifacts on the same crop: the rows, the verdict, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.peer_files import HAPPY, peer
from fer_bench.latency import run as latency
from fer_bench.latency.run import Plan
from fer_bench.peers import latency as peers
from fer_bench.peers.adapter import Peer
from fer_bench.peers.latency import PeerLatencyRow, judged, text
from fer_bench.peers.report import exit_code
from fer_bench.results.report import Report
from fer_bench.variants import Choice
from fer_edge.errors import ExitCode
from support.tiny import tiny_bundle

SLEEP_MS = 5.0
SLOW = f"""
import time
def load(): pass
def classify(crop):
    time.sleep({SLEEP_MS / 1e3})
    return {{'happy': crop.mean()}}
"""


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Report]:
    """A tiny bundle, measured, for peers to be put beside."""
    bundle = tiny_bundle(tmp_path_factory.mktemp("bundle"))
    choice = Choice(precisions=("float32",), runtimes=("litert",))
    plan = Plan(str(bundle), choice, rounds=2, min_seconds=0.02, min_runs=20, timeout_s=60.0)
    return plan, latency.run(plan, quiet)


def with_peer(ours: tuple[Plan, Report], *found: Peer) -> Report:
    plan, report = ours
    return peers.add(report, plan, found, quiet)


def rows_of(report: Report) -> dict[str, PeerLatencyRow]:
    return {row["name"]: PeerLatencyRow(**row) for row in report.extra["peers"]}


def row(name: str, p50_ms: float, width: float = 0.02, *, ours: bool = False) -> PeerLatencyRow:
    interval = (p50_ms * (1 - width), p50_ms * (1 + width))
    return PeerLatencyRow(
        name=name, ours=ours, n=100, p50_ms=p50_ms, p50_ci95_ms=interval, load_ms=(1.0,), first_ms=(1.0,)
    )


def test_a_peer_is_timed_beside_our_artifact_on_the_same_crop(ours: tuple[Plan, Report], tmp_path: Path) -> None:
    said: list[str] = []
    plan, before = ours
    report = peers.add(before, plan, [peer(tmp_path, SLOW)], said.append)
    rows = rows_of(report)
    assert list(rows) == ["tflite/float32 with litert on 1 thread", "them"]
    assert [row.ours for row in rows.values()] == [True, False]
    them = rows["them"]
    assert them.p50_ms is not None
    assert them.p50_ms >= SLEEP_MS
    assert them.n == sum(len(samples) for samples in them.samples_ns)
    assert len(them.samples_ns) == len(them.load_ms) == len(them.first_ms) == len(them.warmup_ns) == 2
    assert them.cores is not None
    assert them.cores < 0.5
    assert them.cpu_ms is not None
    assert them.cpu_ms < SLEEP_MS / 2
    assert any("them, from a crop, was at work for" in note for note in report.notes)
    assert 10e6 < (them.peak_rss_bytes or 0) < 200e6
    assert them.significant
    assert "times the time" in str(them.verdict)
    heads = [line.split(", from a crop")[0] for line in said]
    assert heads == [f"round {k} of 2: {name}" for k in (1, 2) for name in ("tflite/float32", "them")]


def test_rows_of_our_artifacts_stay_as_they_were(ours: tuple[Plan, Report], tmp_path: Path) -> None:
    report = with_peer(ours, peer(tmp_path))
    assert report.rows == ours[1].rows
    document = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert [row["name"] for row in document["peers"]] == ["tflite/float32 with litert on 1 thread", "them"]
    assert document["options"]["peers"][0]["labels"]["happy"] == "happy"


def test_the_text_has_the_peers_after_ours(ours: tuple[Plan, Report], tmp_path: Path) -> None:
    shown = peers.beside(latency.text)(with_peer(ours, peer(tmp_path, head='version = ["{python}", "-V"]')))
    assert shown.startswith(latency.text(ours[1]))
    assert "them Python 3" in shown
    assert "from a crop" in shown


def test_without_peers_nothing_changes(ours: tuple[Plan, Report]) -> None:
    assert with_peer(ours) is ours[1]
    assert peers.beside(latency.text)(ours[1]) == latency.text(ours[1])


def test_a_peer_that_fails_is_a_row_and_the_others_are_measured(ours: tuple[Plan, Report], tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    good, bad = peer(tmp_path / "good"), peer(tmp_path / "bad", "def load(): import no_such_library\n")
    report = with_peer(ours, Peer(bad.adapter.model_copy(update={"name": "bad"}), bad.folder), good)
    rows = rows_of(report)
    assert rows["bad"].error == "round 1: load() failed: ModuleNotFoundError: No module named 'no_such_library'"
    assert rows["them"].n > 0
    assert exit_code(report, ExitCode.OK) == ExitCode.GATE_NOT_MET
    assert exit_code(report, ExitCode.UNAVAILABLE) == ExitCode.UNAVAILABLE
    assert "failed: bad: round 1: load() failed" in text(list(rows.values()))


def test_a_missing_interpreter_is_a_row(ours: tuple[Plan, Report], tmp_path: Path) -> None:
    rows = rows_of(with_peer(ours, peer(tmp_path, python="bin/python", head='version = ["{python}", "-V"]')))
    assert rows["them"].error == f"{tmp_path}/bin/python cannot be started: No such file or directory"


def test_the_time_of_a_wrong_answer_is_not_reported(ours: tuple[Plan, Report], tmp_path: Path) -> None:
    rows = rows_of(with_peer(ours, peer(tmp_path, HAPPY.replace("'sad'", "'gloom'"))))
    assert rows["them"].n == 0
    assert "label 'gloom', which the adapter does not map" in str(rows["them"].error)


def test_ctrl_c_keeps_what_was_measured(
    ours: tuple[Plan, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, report = ours
    said: list[str] = []

    def interrupted(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            raise KeyboardInterrupt

    found = peers.add(report, plan, [peer(tmp_path)], interrupted)
    assert not found.complete
    assert len(rows_of(found)["them"].samples_ns) == 1


def test_a_ratio_is_to_the_fastest_of_ours() -> None:
    found = judged([row("float", 2.0, ours=True), row("int8", 1.0, ours=True), row("them", 4.0)])
    assert found[2].ratio_to_ours == 4.0
    assert found[2].significant
    assert (
        str(found[2].verdict)
        == "them against int8, from a crop to probabilities: 4.000 ms to 1.000 ms, 4.00 times the time"
    )
    assert [row.verdict for row in found[:2]] == [None, None]


def test_intervals_that_overlap_are_called_not_significant() -> None:
    found = judged([row("ours", 1.0, 0.2, ours=True), row("them", 1.1, 0.2)])
    assert not found[1].significant
    assert "not significant" in str(found[1].verdict)
    assert "(not significant)" in text(found)


def test_the_crop_is_the_same_every_time() -> None:
    assert np.array_equal(peers.face(), peers.face())
    assert peers.face().shape == (peers.CROP_PX, peers.CROP_PX, 3)
