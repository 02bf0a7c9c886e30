"""The scenarios: what is in flight when, what is counted, and that unlike ones are never compared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.run import Plan, run, text
from fer_bench.latency.scenarios import MAX_SAMPLES, MULTI, OFFLINE, SINGLE, Streams, sample, timed
from fer_bench.latency.verdicts import judged
from fer_bench.variants import Choice
from fer_edge.clock import perf_s
from fer_edge.errors import UsageError
from support.tiny import tiny_bundle

WAIT_S = 20.0
A_WHILE_S = 0.1
"""Long enough for what must not happen, and no test waits for it to happen."""


class Ticks:
    """A clock that moves one step per reading."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def test_sampling_goes_on_after_the_time_until_the_count_is_reached() -> None:
    assert len(sample(lambda: None, 50, 0.1, Ticks(1.0))) == 50


def test_sampling_goes_on_after_the_count_until_the_time_is_over() -> None:
    assert len(sample(lambda: None, 5, 100.0, Ticks(0.5))) == pytest.approx(100, abs=1)


def test_a_sample_is_the_time_of_one_call_in_nanoseconds() -> None:
    assert sample(lambda: None, 3, 0.0, Ticks(0.25)) == [250_000_000] * 3


def test_sampling_has_an_upper_limit() -> None:
    assert len(sample(lambda: None, 1, 1e9, Ticks(1e-6))) == MAX_SAMPLES


def test_single_stream_has_one_call_in_flight_and_keeps_first_and_warm_up_apart() -> None:
    found = timed(SINGLE, [lambda: None], 7, 0.0, Ticks(0.25))
    assert found.first == 250_000_000
    assert found.samples == [250_000_000] * 7
    assert len(found.warmup) >= 20
    assert found.empty == 250_000_000


def test_all_calls_of_a_query_are_in_flight_at_the_same_time() -> None:
    meet = threading.Barrier(3, timeout=WAIT_S)
    streams = Streams([meet.wait] * 3)
    streams.query()
    streams.query()
    streams.close()
    assert not meet.broken


@pytest.mark.parametrize("slow", [0, 1])
def test_a_query_is_over_when_its_last_stream_has_answered(slow: int) -> None:
    gate, quick, over = threading.Event(), threading.Event(), threading.Event()
    calls: list[Callable[[], object]] = [quick.set, quick.set]
    calls[slow] = lambda: gate.wait(WAIT_S)
    streams = Streams(calls)

    def ask() -> None:
        streams.query()
        over.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert quick.wait(WAIT_S)
    assert not over.wait(A_WHILE_S)
    gate.set()
    assert over.wait(WAIT_S)
    asking.join()
    streams.close()


def test_a_stream_that_fails_ends_the_query_and_all_threads() -> None:
    def fail() -> None:
        raise ValueError("no such tensor")

    before = threading.active_count()
    streams = Streams([lambda: None, fail])
    with pytest.raises(ValueError, match="no such tensor"):
        streams.query()
    streams.close()
    assert threading.active_count() == before


def test_a_sample_of_multi_stream_is_one_query_of_all_streams() -> None:
    calls = [0, 0]

    def count(number: int) -> None:
        calls[number] += 1

    found = timed(MULTI, [lambda: count(0), lambda: count(1)], 11, 0.0, perf_s)
    assert len(found.samples) == 11
    assert calls[0] == calls[1] == 1 + len(found.warmup) + 11


def test_offline_streams_do_not_wait_for_each_other() -> None:
    often = threading.Semaphore(0)
    waited: list[bool] = []

    def patient() -> None:
        if len(waited) == 1:  # its second call, the first is the warm-up's
            waited.append(all(often.acquire(timeout=WAIT_S) for _ in range(3)))
        else:
            waited.append(True)

    timed(OFFLINE, [patient, often.release], 60, 0.3, perf_s)
    assert all(waited)


def test_offline_counts_the_calls_of_all_streams() -> None:
    found = timed(OFFLINE, [lambda: None, lambda: None], 40, 0.0, perf_s)
    assert 40 <= len(found.samples) <= 42
    assert found.elapsed > 0


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScenarioRow]:
    """The tiny float32 net in LiteRT in every scenario, one round each."""
    bundle = tiny_bundle(tmp_path_factory.mktemp("bundle"), precisions=("float32",))
    plan = Plan(
        str(bundle),
        Choice(runtimes=("litert",)),
        rounds=1,
        min_seconds=0.02,
        min_runs=10,
        scenarios=(SINGLE, MULTI, OFFLINE),
        streams=2,
    )
    report = run(plan, lambda _: None)
    shown = text(report)
    assert "multi-stream: a query is" in shown
    assert "offline: nobody waits" in shown
    return {row.scenario: row for row in report.rows}


def test_the_scenario_is_part_of_every_row(rows: dict[str, ScenarioRow]) -> None:
    assert {name: (row.streams, row.batch) for name, row in rows.items()} == {
        SINGLE: (1, 1),
        MULTI: (2, 1),
        OFFLINE: (2, 8),
    }
    assert rows[MULTI].name == "tflite/float32 with litert on 1 thread, multi-stream (2 streams)"


def test_multi_stream_tells_the_latency_of_a_query_and_the_rate_of_inferences(rows: dict[str, ScenarioRow]) -> None:
    row = rows[MULTI]
    queries_per_s = 1e9 / np.mean(row.samples_ns[0])
    assert row.n == len(row.samples_ns[0])
    assert row.p50_ms is not None
    assert row.per_second is not None
    assert row.per_second <= 2 * queries_per_s
    assert row.per_second == pytest.approx(2 * queries_per_s, rel=0.5)


def test_offline_tells_a_rate_and_no_latency(rows: dict[str, ScenarioRow]) -> None:
    row = rows[OFFLINE]
    assert (row.p50_ms, row.p99_ms) == (None, None)
    assert row.n == 8 * len(row.samples_ns[0])
    assert len(row.samples_ns[0]) >= 10
    assert row.per_second is not None
    assert row.per_second_ci95 is not None
    assert row.per_second_ci95[0] <= row.per_second <= row.per_second_ci95[1]


def figures(precision: str, p50_ms: float, **more: object) -> ScenarioRow:
    span = (p50_ms * 0.99, p50_ms * 1.01)
    row = ScenarioRow(format="tflite", precision=precision, runtime="litert", threads=1, size_bytes=1, n=100)
    return replace(row, p50_ms=p50_ms, p50_ci95_ms=span, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{"scenario": MULTI, "streams": 2}, {"streams": 4}, {"batch": 8}, {"model": "b"}])
def test_rows_of_unlike_scenarios_are_never_compared(other: dict[str, object]) -> None:
    found = judged([figures("float32", 1.0), figures("int8", 0.5, **other)])[1]
    assert found.ratio_to_float32 is None
    assert "no float32 was measured" in str(found.verdict)


def test_offline_rows_are_compared_by_their_throughput() -> None:
    rates = [
        ScenarioRow(
            format="tflite",
            precision=precision,
            runtime="litert",
            threads=1,
            size_bytes=1,
            n=100,
            scenario=OFFLINE,
            per_second=rate,
            per_second_ci95=(rate * 0.99, rate * 1.01),
        )
        for precision, rate in (("float32", 100.0), ("int8", 250.0))
    ]
    found = judged(rates)[1]
    assert found.ratio_to_float32 == pytest.approx(0.4)
    assert found.significant
    assert found.verdict == "int8 takes 0.40 of float32's time with litert on 1 thread, offline (1 stream)"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"scenarios": ("server",)}, "no scenario 'server'; there are single-stream, multi-stream, offline"),
        ({"streams": 2}, "single-stream has one stream"),
        ({"scenarios": (MULTI,), "streams": 999}, "1 to 64 streams are possible, found 999"),
    ],
)
def test_a_plan_that_makes_no_sense_is_a_usage_error(more: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        run(Plan("default", **more), lambda _: None)  # type: ignore[arg-type]
