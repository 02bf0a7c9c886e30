"""Whole tunings: what is told, and what is written; figures are given, and one tuning is real."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import pytest

from fer_bench.cli import main
from fer_bench.commands import tune as tune_command
from fer_bench.processes.children import ChildFailed, Json
from fer_bench.results.report import Report
from fer_bench.tune import run
from fer_bench.tune.candidates import Candidate
from fer_bench.tune.choosing import choose
from fer_bench.tune.frames import Daemon
from fer_bench.tune.plan import PERIODS_S, Limits, Plan, TuneRow
from fer_bench.variants import Choice, Variant
from fer_edge.detectors.schedule import SearchOptions
from fer_edge.errors import ConfigError, ExitCode, InputError, UsageError
from fer_edge.labels import FER2013
from fer_edge.types import Box
from support.commands import fer_edge
from support.shapes import shape
from support.tiny import read_manifest, tiny_bundle, write_manifest

FAKE = """
import json, sys
job = json.load(sys.stdin)
ms = {"float32": 8.0, "int8": 4.0}[job["precision"]] / job["threads"] ** 0.5
print(json.dumps({"samples_ns": [int(ms * 1e6 * (1 + i / 1000)) for i in range(job["min_runs"])], "warmup_ns": [1],
  "load_ms": 1.0, "first_ms": 1.0, "peak_rss_bytes": 100_000_000, "golden_error": 0.0, "runtime_version": "0",
  "effective_precision": job["precision"], "threads": job["threads"], "job": job}))
"""
WORKER = (sys.executable, "-c", FAKE)
CPU_MS = {("float32", 1): 9.0, ("float32", 2): 9.5, ("int8", 1): 6.0, ("int8", 2): 6.6}
SAVED_MS = {0.4: 0.0, 1.0: 2.0}


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle, with figures of quality."""
    found = tiny_bundle(tmp_path_factory.mktemp("bundle"))
    manifest = read_manifest(found)
    for artifact, drop in zip(manifest["artifacts"], (0.0, 0.5), strict=True):
        artifact["quality"] = {
            "data": "0" * 64,
            "n": 1000,
            "top1": 0.6,
            "top1_ci95": [0.5, 0.7],
            "recall": {},
            "drop_pp": drop,
            "drop_pp_ci95": [drop - 0.2, drop + 0.2],
        }
    write_manifest(found, manifest)
    return found


class FakeDaemon:
    """CPU per frame from a table; with a long period every tenth face is lost, or as many as `lost` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[tuple[str, int, float]] = []
        self.lost, self.fail, self.faces, self.rss_mb, self.interrupt_after = 10, "", 1, 120.0, 10**6
        fake = self

        def ran(daemon: Daemon, candidate: Candidate, search: Mapping[str, float]) -> tuple[Json, dict[int, list[Box]]]:
            return fake.answer(candidate.variant, search)

        monkeypatch.setattr(Daemon, "run", ran)

    def answer(self, variant: Variant, search: Mapping[str, float]) -> tuple[Json, dict[int, list[Box]]]:
        period, precision = search["full_every_s"], variant.artifact.precision
        if precision == self.fail:
            raise ChildFailed("was ended by SIGILL")
        if len(self.runs) >= self.interrupt_after:
            raise KeyboardInterrupt
        self.runs.append((precision, variant.threads, period))
        kept = [number for number in range(100) if period < 1.0 or number >= self.lost]
        cpu = CPU_MS[precision, variant.threads] - SAVED_MS.get(period, 0.0) + len(self.runs) / 1000
        answer: Json = {"frames": 100, "cpu_ms_per_frame": cpu, "peak_rss_bytes": int(self.rss_mb * 1e6)}
        return answer, {number: [Box(0.0, 0.0, 10.0, 10.0)] * self.faces for number in kept}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> FakeDaemon:
    return FakeDaemon(monkeypatch)


def plan(path: Path, limits: Limits | None = None, **more: Any) -> Plan:
    return Plan(
        str(path),
        limits or Limits(),
        Choice(runtimes=("litert",)),
        threads=(1, 2),
        periods_s=(0.4, 1.0),
        min_runs=40,
        **more,
    )


def tuned(given: Plan) -> Report:
    return run.run(given, quiet, WORKER)


def named(report: Report) -> dict[tuple[str, int, float | None], TuneRow]:
    return {(row.precision, row.threads, row.period_s): row for row in report.rows}


def test_the_winner_and_every_reason_are_told(path: Path, daemon: FakeDaemon) -> None:
    report = tuned(plan(path))
    assert run.exit_code(report) == ExitCode.OK
    assert report.extra["winner"]["values"] == {
        "runtime": "litert",
        "precision": "int8",
        "threads": 1,
        "pipeline.search.full_every_s": 0.4,
    }
    rows = named(report)
    assert rows["int8", 1, 0.4].winner
    assert "covers 90 of 100 faces, 10.00 points fewer" in rows["int8", 1, 1.0].why
    assert all(row.why for row in rows.values())
    shown = run.text(report)
    assert "winner: tflite/int8 with litert on 1 thread, whole picture every 0.4 s takes 6." in shown
    assert 'set: runtime = "litert", precision = "int8", threads = 1' in shown
    assert all(f"{name}" in shown for name in ("float32 with litert on 2 threads", "float32 with litert on 1 thread"))


def test_a_longer_period_wins_when_it_loses_no_more_faces_than_allowed(path: Path, daemon: FakeDaemon) -> None:
    daemon.lost = 1
    report = tuned(plan(path))
    assert report.extra["winner"]["values"]["pipeline.search.full_every_s"] == 1.0


def test_a_clip_without_faces_changes_no_period(path: Path, daemon: FakeDaemon) -> None:
    daemon.faces = 0
    report = tuned(plan(path))
    assert report.extra["winner"]["values"]["pipeline.search.full_every_s"] == 0.4
    assert any("shows no face" in note for note in report.notes)


def test_more_threads_win_only_where_the_bound_needs_them(path: Path, daemon: FakeDaemon) -> None:
    report = tuned(plan(path, Limits(p95_ms=3.5)))
    assert report.extra["winner"]["values"]["threads"] == 2
    assert named(report)["int8", 1, None].left in {"short round", "latency"}


def test_too_large_a_drop_leaves_only_float32(path: Path, daemon: FakeDaemon) -> None:
    report = tuned(plan(path, Limits(max_drop_pp=0.4)))
    assert report.extra["winner"]["values"]["precision"] == "float32"
    assert "has a drop of 0.50 points (95 % 0.30..0.70, n 1000, the manifest), more than 0.4" in run.text(report)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(p95_ms=0.1), "far above 0.1"),
        (Limits(rss_mb=99.0), "holds 100 MB with nothing but the model, more than 99, 1 % beyond"),
        (Limits(rss_mb=119.0), "the daemon holds 120 MB, more than 119, 1 % beyond"),
    ],
)
def test_when_nothing_fits_the_nearest_are_told(path: Path, daemon: FakeDaemon, limits: Limits, told: str) -> None:
    report = tuned(plan(path, limits))
    assert run.exit_code(report) == ExitCode.GATE_NOT_MET
    assert report.extra["winner"] is None
    assert "nothing fits; nearest:" in run.text(report)
    assert told in run.text(report)


def test_bad_candidates_leave_early(path: Path, daemon: FakeDaemon) -> None:
    tuned(plan(path))
    often = [each for each in daemon.runs[1:] if daemon.runs.count(each) > 1]
    assert ("int8", 1, 0.4) in often
    assert daemon.runs.count(("int8", 1, 1.0)) == 1


def test_an_artifact_on_which_the_daemon_dies_is_a_reason(path: Path, daemon: FakeDaemon) -> None:
    daemon.fail = "float32"
    report = tuned(plan(path))
    assert run.exit_code(report) == ExitCode.OK
    assert named(report)["float32", 1, 0.4].why == "failed: was ended by SIGILL"


def test_a_runtime_that_crashes_is_a_reason(path: Path) -> None:
    report = run.run(plan(path), quiet, (sys.executable, "-c", "import os; os.abort()"))
    assert run.exit_code(report) == ExitCode.UNAVAILABLE
    assert all("SIGABRT" in row.why for row in report.rows)


def test_ctrl_c_keeps_the_figures_and_writes_nothing(path: Path, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.interrupt_after = 4
    target = tmp_path / "f.toml"
    report = tuned(plan(path, config=str(target)))
    assert not report.complete
    assert report.extra["winner"] is None
    assert named(report)["int8", 1, None].n > 0
    assert not target.exists()


def test_the_winner_is_written_with_its_reason(path: Path, daemon: FakeDaemon, tmp_path: Path) -> None:
    target = tmp_path / "f.toml"
    target.write_text('source = "0" # door\nformat = "onnx"\n')
    daemon.lost = 0
    report = tuned(plan(path, config=str(target)))
    written = target.read_text()
    assert written.startswith('source = "0" # door\nformat = "tflite"\n# fer-bench tune: ')
    assert "takes 4.0" in written.replace("\n# fer-bench tune:", "")
    assert f'model = "{path}"' in written
    assert "[pipeline.search]\nfull_every_s = 1.0" in written
    assert fer_edge("config", "check", target).returncode == 0
    assert "written to" in run.text(report)


def test_a_dry_run_shows_the_difference(path: Path, daemon: FakeDaemon, tmp_path: Path) -> None:
    target = tmp_path / "f.toml"
    target.write_text("threads = 2\n")
    report = tuned(plan(path, config=str(target), dry_run=True))
    assert "-threads = 2\n+threads = 1\n" in run.text(report)
    assert target.read_text() == "threads = 2\n"
    assert run.exit_code(report) == ExitCode.OK


def test_a_file_that_was_spoilt_meanwhile_is_left_and_the_figures_are_told(
    path: Path, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "f.toml"
    target.write_text("threads = 2\n")
    monkeypatch.setattr(run, "choose", lambda *given: (target.write_text("x"), choose(*given))[1])
    report = tuned(plan(path, config=str(target)))
    assert run.exit_code(report) == ExitCode.GATE_NOT_MET
    assert "not written: configuration" in run.text(report)
    assert target.read_text() == "x"


def test_a_configuration_that_does_not_allow_the_bundle_ends_it_at_once(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "f.toml"
    target.write_text(f'model_sha256 = ["{"0" * 64}"]\n')
    with pytest.raises(ConfigError, match="does not allow this bundle"):
        tuned(plan(path, config=str(target)))


def test_a_clip_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(InputError, match=r"no such clip: none\.mp4"):
        tuned(plan(path, source="none.mp4"))


def test_more_threads_than_the_daemon_takes_are_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="64 threads at most"):
        run.run(Plan(str(path), threads=(65,)), quiet, WORKER)


def test_a_hot_board_is_not_given_a_slower_precision_unwarned(path: Path, daemon: FakeDaemon, tmp_path: Path) -> None:
    target = tmp_path / "f.toml"
    target.write_text('[governor]\nprecision = "float32"\n')
    report = tuned(plan(path, config=str(target), dry_run=True))
    assert any("governor.precision is 'float32'" in note and "2.0 times slower" in note for note in report.notes)


def test_drops_can_be_measured_here(path: Path, daemon: FakeDaemon, tmp_path: Path) -> None:
    for label in FER2013:
        (tmp_path / label).mkdir()
        cv2.imwrite(str(tmp_path / label / "1.png"), shape(label, seed=77))
    report = tuned(plan(path, Limits(max_drop_pp=100.0), data=str(tmp_path), split=None))
    row = named(report)["int8", 1, None]
    assert (row.drop_n, row.drop_from) == (len(FER2013), "measured here")


def test_a_real_tuning_ends_with_a_file_that_the_daemon_takes(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, result = tmp_path / "f.toml", tmp_path / "r.json"
    words = ["--runtime", "litert", "--threads", "1", "--periods", "0.3", "--rounds", "1", "--max-frames", "40"]
    words += ["--min-seconds", "0.02", "--min-runs", "10", "--config", str(target), "--json", str(result)]
    assert main(["tune", str(path), *words]) == 0
    shown = capsys.readouterr().out
    assert "winner: tflite/" in shown
    document = json.loads(result.read_text())
    assert document["change"]["written"] is True
    assert {row["room"] for row in document["rows"]} == {"latency", "pipeline"}
    assert fer_edge("config", "check", target).returncode == 0


def test_the_periods_of_the_command_are_those_of_the_plan() -> None:
    parser = argparse.ArgumentParser()
    tune_command.add(parser.add_subparsers())
    chosen = parser.parse_args(["tune", "default", "--p95-ms", "20"])
    assert tuple(chosen.periods) == PERIODS_S
    assert SearchOptions().full_every_s in PERIODS_S
