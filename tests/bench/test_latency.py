"""Latency of real artifacts in real processes, and what is concluded from given figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.odd_runtimes import CRASH, SLOW, SLOW_S, WORKER
from fer_bench.latency import run as latency
from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.run import Plan, judged, run, text
from fer_bench.processes.children import Json, ask
from fer_bench.results.report import Report, exit_code
from fer_bench.variants import Choice
from fer_edge import runtimes
from fer_edge.errors import ExitCode, RuntimeUnavailable, UsageError
from fer_edge.runtimes import Engine
from support.tiny import read_manifest, tiny_bundle, write_manifest

SHORT = {"min_seconds": 0.02, "min_runs": 10, "timeout_s": 60.0}
ANSWER_PID = (
    "import json, os, sys; job = json.load(sys.stdin); print(json.dumps({'samples_ns': [os.getpid()] * 5,"
    "'warmup_ns': [1], 'load_ms': 1.0, 'first_ms': 1.0, 'peak_rss_bytes': None, 'golden_error': 0.0,"
    "'effective_precision': job['precision'], 'runtime_version': '0'}))"
)
PID_WORKER = (sys.executable, "-c", ANSWER_PID)
FAILING_WORKER = (sys.executable, "-c", "import sys; sys.exit('no such instruction')")


def quiet(_: str) -> None:
    """Progress that nobody reads."""


def only_litert(**more: object) -> Choice:
    return Choice(runtimes=("litert",), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def measured(bundle: Path) -> tuple[Report, list[str]]:
    """Two rounds of the tiny bundle in LiteRT, and what was said meanwhile."""
    said: list[str] = []
    plan = Plan(str(bundle), only_litert(), rounds=2, min_seconds=0.05, min_runs=30)
    return run(plan, said.append), said


def rows_of(report: Report) -> list[ScenarioRow]:
    return [row for row in report.rows if isinstance(row, ScenarioRow)]


def test_rounds_are_interleaved_across_variants(measured: tuple[Report, list[str]]) -> None:
    heads = [line.rsplit(":", 1)[0] for line in measured[1]]
    assert heads == [
        f"round {k} of 2: tflite/{precision} with litert on 1 thread"
        for k in (1, 2)
        for precision in ("float32", "int8")
    ]


def test_every_figure_of_a_row_is_there(measured: tuple[Report, list[str]]) -> None:
    for row in rows_of(measured[0]):
        assert row.p50_ms is not None
        assert row.p90_ms is not None
        assert row.p95_ms is not None
        assert row.p99_ms is not None
        assert row.p50_ci95_ms is not None
        assert 0 < row.p50_ci95_ms[0] <= row.p50_ci95_ms[1]
        assert row.per_second is not None
        assert row.harness_overhead_ns
        assert max(row.harness_overhead_ns) < row.p50_ms * 1e6
        assert 0 < row.p50_ms <= row.p90_ms <= row.p95_ms <= row.p99_ms
        assert row.effective_precision == row.precision
        assert row.peak_rss_bytes is not None
        assert 20e6 < row.peak_rss_bytes < 300e6
        assert row.error is None


def test_raw_samples_and_warm_up_are_kept_apart_and_per_round(measured: tuple[Report, list[str]]) -> None:
    for row in rows_of(measured[0]):
        assert len(row.samples_ns) == len(row.warmup_ns) == len(row.load_ms) == len(row.first_ms) == 2
        assert row.n == sum(len(samples) for samples in row.samples_ns)
        assert all(len(samples) >= 30 for samples in row.samples_ns)
        assert row.p50_ms == pytest.approx(np.median(np.concatenate(row.samples_ns)) / 1e6, rel=0.01)


def test_steady_samples_last_as_long_as_was_asked(measured: tuple[Report, list[str]]) -> None:
    for row in rows_of(measured[0]):
        for samples in row.samples_ns:
            assert sum(samples) > 0.5 * 0.05e9  # the rest of the time goes into reading the clock


def test_the_json_has_all_the_published_names(measured: tuple[Report, list[str]]) -> None:
    document = json.loads(json.dumps(measured[0].as_json()))
    assert document["schema_version"] == 1
    assert {"kind", "complete", "time", "options", "bundle", "environment", "notes", "rows"} <= document.keys()
    assert {
        "cpu",
        "cpu_features",
        "kernel",
        "governors",
        "python",
        "fer_edge",
        "packages",
        "git_revision",
        "before",
    } <= (document["environment"].keys())
    published = "format precision effective_precision runtime runtime_version threads n p50_ms p90_ms p95_ms p99_ms"
    for row in document["rows"]:
        assert {*published.split(), "size_bytes", "peak_rss_bytes", "samples_ns", "warmup_ns"} <= row.keys()


def test_the_table_has_a_line_per_row_and_a_verdict(measured: tuple[Report, list[str]]) -> None:
    shown = text(measured[0])
    assert "tflite/float32" in shown
    assert "tflite/int8" in shown
    assert "float32" in shown.splitlines()[-1]
    assert exit_code(measured[0]) == ExitCode.OK


def test_each_round_of_each_variant_is_a_process_of_its_own(bundle: Path) -> None:
    report = run(Plan(str(bundle), only_litert(), threads=(1, 2), rounds=2), quiet, PID_WORKER)
    pids = [samples[0] for row in rows_of(report) for samples in row.samples_ns]
    assert len(pids) == len(set(pids)) == 8


def test_a_slow_runtime_does_not_move_the_samples_of_the_next(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "ENGINES", (SLOW, *runtimes.ENGINES))
    choice = Choice(precisions=("float32",), runtimes=("slow", "litert"))
    slow, fast = rows_of(run(Plan(str(bundle), choice, rounds=2, **SHORT), quiet, WORKER))  # type: ignore[arg-type]
    assert (slow.runtime, fast.runtime) == ("slow", "litert")
    assert min(min(samples) for samples in slow.samples_ns) >= SLOW_S * 1e9
    assert fast.p50_ms is not None
    assert fast.p50_ms < SLOW_S * 1e3 / 4


def test_a_crash_is_a_row_with_its_reason_and_the_others_go_on(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "ENGINES", (CRASH, *runtimes.ENGINES))
    choice = Choice(precisions=("float32",), runtimes=("crash", "litert"))
    report = run(Plan(str(bundle), choice, rounds=2, **SHORT), quiet, WORKER)  # type: ignore[arg-type]
    crashed, sound = rows_of(report)
    assert crashed.error is not None
    assert "SIGILL" in crashed.error
    assert "another CPU" in crashed.error
    assert (crashed.n, crashed.p50_ms) == (0, None)
    assert sound.n >= 20
    assert exit_code(report) == ExitCode.GATE_NOT_MET
    assert "failed: tflite/float32 with crash on 1 thread" in text(report)


def test_a_variant_that_failed_is_not_started_again(bundle: Path) -> None:
    said: list[str] = []
    run(Plan(str(bundle), only_litert(), rounds=3), said.append, FAILING_WORKER)
    assert len(said) == 2


def test_when_nothing_ran_the_exit_code_says_unavailable(bundle: Path) -> None:
    report = run(Plan(str(bundle), only_litert(), rounds=1), quiet, FAILING_WORKER)
    assert exit_code(report) == ExitCode.UNAVAILABLE
    assert text(report).endswith("nothing of tiny runs here")
    assert all(row.error and "no such instruction" in row.error for row in rows_of(report))


def test_an_artifact_that_computes_something_else_gets_no_time(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, precisions=("float32",))
    manifest = read_manifest(path)
    manifest["artifacts"][0]["golden"][1]["output"][0] += 1.0
    write_manifest(path, manifest)
    (row,) = rows_of(run(Plan(str(path), only_litert(), rounds=1, **SHORT), quiet))  # type: ignore[arg-type]
    assert row.error is not None
    assert "golden output is off by 1" in row.error


def test_ctrl_c_keeps_what_was_measured(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Json] = []
    real = ask

    def third_time_interrupted(command: Sequence[str], job: Json, timeout_s: float) -> Json:
        asked.append(job)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(command, job, timeout_s)

    monkeypatch.setattr(latency, "ask", third_time_interrupted)
    report = run(Plan(str(bundle), only_litert(), threads=(1, 2), rounds=2), quiet, PID_WORKER)
    assert not report.complete
    assert [(row.precision, row.threads) for row in rows_of(report)] == [("float32", 1), ("float32", 2)]


def test_a_runtime_that_is_not_installed_names_the_extra(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Engine("onnxruntime", "onnx", "no_such_module", "no_such_adapter", "pip install 'fer-edge[onnx]'")
    monkeypatch.setattr(runtimes, "ENGINES", (runtimes.ENGINES[0], absent))
    with pytest.raises(RuntimeUnavailable, match=r"fer-edge\[onnx\]"):
        run(Plan(str(bundle), Choice(runtimes=("onnxruntime",))), quiet)


def test_where_no_artifact_runs_one_sentence_says_why_once(bundle: Path) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        run(Plan(str(bundle), Choice(runtimes=("onnxruntime",))), quiet)
    assert str(caught.value) == "nothing of tiny runs here: onnxruntime does not run tflite"


def test_an_unknown_runtime_is_a_usage_error(bundle: Path) -> None:
    with pytest.raises(UsageError, match="no runtime 'fast'; there are litert"):
        run(Plan(str(bundle), Choice(runtimes=("fast",))), quiet)


def test_an_artifact_that_no_installed_runtime_runs_is_told_of_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_bundle(tmp_path, precisions=("float32",), with_onnx=True)
    monkeypatch.setattr("fer_bench.variants.engines_for", lambda _=None: (runtimes.ENGINES[0],))
    report = run(Plan(str(path), rounds=1), quiet, PID_WORKER)
    assert [row.format for row in rows_of(report)] == ["tflite"]
    assert any("onnx/float32 was not measured" in note and "fer-edge[onnx]" in note for note in report.notes)


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (Choice(precisions=("int4",)), "no precision 'int4'; there are float32"),
        (Choice(formats=("caffe",)), "no format 'caffe'; there are tflite, onnx"),
        (Choice(precisions=("float16",)), "has no float16 artifact, only tflite/float32, tflite/int8"),
        (Choice(formats=("tflite",), precisions=("float16",)), "has no float16 tflite artifact"),
        (Choice(formats=("onnx",), precisions=("int8",)), "has no int8 onnx artifact"),
    ],
)
def test_what_a_bundle_does_not_have_is_a_usage_error(bundle: Path, choice: Choice, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        run(Plan(str(bundle), choice), quiet)


def row(precision: str, p50_ms: float, width: float = 0.01, threads: int = 1, runtime: str = "litert") -> ScenarioRow:
    return ScenarioRow(
        format="tflite",
        precision=precision,
        runtime=runtime,
        threads=threads,
        size_bytes=1,
        n=100,
        p50_ms=p50_ms,
        p50_ci95_ms=(p50_ms - width, p50_ms + width),
    )


def test_a_faster_precision_is_told_with_its_share() -> None:
    found = judged([row("float32", 1.0), row("int8", 0.31)])[1]
    assert found.verdict == "int8 takes 0.31 of float32's time with litert on 1 thread"
    assert (found.ratio_to_float32, found.significant) == (0.31, True)


def test_a_slower_precision_is_told_with_the_advice() -> None:
    found = judged([row("float32", 1.0, threads=2), row("int8", 1.4, threads=2)])[1]
    assert found.verdict == "int8 is 1.4 times slower than float32 with litert on 2 threads: use float32"


def test_intervals_that_overlap_are_not_significant() -> None:
    found = judged([row("float32", 1.0, 0.05), row("int8", 0.95, 0.05)])[1]
    assert found.significant is False
    assert "not significant" in str(found.verdict)


def test_a_ratio_is_taken_on_the_same_runtime_and_threads() -> None:
    rows = [row("float32", 1.0), row("float32", 5.0, threads=2), row("float32", 9.0, runtime="tensorflow")]
    assert judged([*rows, row("int8", 2.5, threads=2)])[3].ratio_to_float32 == 0.5


def test_without_float32_there_is_no_ratio_and_that_is_told() -> None:
    (found,) = judged([row("int8", 0.5)])
    assert found.ratio_to_float32 is None
    assert "no float32 was measured" in str(found.verdict)
