"""Cold against hot, on machines whose temperature a test sets second by second; and once for real."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_bench.cli import main
from fer_bench.results.report import Report
from fer_bench.soak import load, watch
from fer_bench.soak.load import BATCH_S, MOST_SAMPLES, batch
from fer_bench.soak.loads import Inferring, Work, opened
from fer_bench.soak.rows import SoakRow
from fer_bench.soak.run import Bench, Plan, exit_code, run, text
from fer_bench.soak.watch import BLIND_S, COMPARE_S, STEADY_WINDOW_S
from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable, UsageError
from support.boards import THROTTLED, ZONE, lay
from support.clocks import StillClock
from support.tiny import tiny_bundle

CLOCK = "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
MS = 1_000_000
Weather = Callable[[float], dict[str, str]]
"""Files of the machine after so many seconds."""


def quiet(_: str) -> None:
    """Progress that nobody reads."""


def degrees(celsius: float) -> dict[str, str]:
    return {f"{ZONE}/temp": f"{1000 * celsius:.0f}\n"}


def warming(t_s: float) -> dict[str, str]:
    """From 40 °C to 70 °C, as bodies warm up, with a time constant of four minutes."""
    return degrees(70.0 - 30.0 * math.exp(-t_s / 240.0))


class Machine(StillClock):
    """A clock whose passing changes the machine's files, and the work that is done on it."""

    def __init__(self, root: Path, weather: Weather) -> None:
        super().__init__()
        self.root, self._weather, self._begin_s = root, weather, self.now_s
        self.identity: dict[str, Any] = {"effective_precision": "int8", "runtime_version": "1.0"}
        self.sample_ms: Callable[[float], float] = lambda _: 2.0
        self.end: Callable[[float], str | None] = lambda _: None
        self.idle = False
        self.interrupt_after_s = math.inf
        self.works: list[Work] = []
        lay(root, weather(0.0))

    @property
    def t_s(self) -> float:
        return self.now_s - self._begin_s

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        lay(self.root, self._weather(self.t_s))
        if self.t_s >= self.interrupt_after_s:
            raise KeyboardInterrupt

    def take(self) -> list[int]:
        if self.idle:
            return []
        # no two seconds are quite alike, or intervals would have no width
        return [round(MS * (self.sample_ms(self.t_s) + 0.001 * ((7 * i + int(self.t_s)) % 11))) for i in range(20)]

    def memory(self) -> tuple[int | None, int | None]:
        return 100_000_000 + int(1000 * self.t_s), None

    def failed(self) -> str | None:
        return self.end(self.t_s)

    @contextmanager
    def opened(self, work: Work) -> Iterator[Machine]:
        self.works.append(work)
        yield self

    def bench(self) -> Bench:
        return Bench(self.root, self, self.opened)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def plan(bundle: Path) -> Plan:
    """Until steady."""
    return Plan(str(bundle))


def soaked(plan: Plan, machine: Machine) -> tuple[Report, SoakRow]:
    report = run(plan, quiet, machine.bench())
    row = report.rows[0]
    assert isinstance(row, SoakRow)
    return report, row


def test_a_machine_that_warms_up_is_watched_until_it_is_steady(plan: Plan, tmp_path: Path) -> None:
    report, row = soaked(plan, Machine(tmp_path, warming))
    # 30 °C / 4 min * exp(-t / 4 min) is 0.2 °C a minute at 870 s; the window reaches back half its length
    assert 870 < row.seconds < 870 + STEADY_WINDOW_S
    assert row.steady is True
    assert (row.temperature_before_c, round(row.temperature_max_c or 0)) == (40.0, 69)
    assert exit_code(report) == ExitCode.OK
    assert "the temperature is steady" in text(report)


def test_a_machine_that_is_warm_already_is_watched_for_one_window(plan: Plan, tmp_path: Path) -> None:
    _, row = soaked(plan, Machine(tmp_path, lambda _: degrees(60.0)))
    assert 0.9 * STEADY_WINDOW_S < row.seconds <= STEADY_WINDOW_S


def test_a_thermometer_that_flickers_by_a_step_is_still_steady(plan: Plan, tmp_path: Path) -> None:
    _, row = soaked(plan, Machine(tmp_path, lambda t_s: degrees(60.0 + 0.55 * (int(t_s) % 3 == 0))))
    assert row.steady is True
    assert row.seconds <= STEADY_WINDOW_S


def test_a_machine_that_never_gets_steady_ends_with_status_1(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_S", 300.0)
    report, row = soaked(plan, Machine(tmp_path, lambda t_s: degrees(30.0 + t_s / 120.0)))
    assert row.seconds == 300.0
    assert row.steady is False
    assert exit_code(report) == ExitCode.GATE_NOT_MET
    assert "NOT steady: +0.50 °C a minute" in text(report)


def test_a_machine_that_cools_down_is_not_steady_either(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_S", 300.0)
    assert soaked(plan, Machine(tmp_path, lambda t_s: degrees(90.0 - t_s / 120.0)))[1].steady is False


def test_a_machine_without_a_thermometer_takes_time_and_says_so(plan: Plan, tmp_path: Path) -> None:
    said: list[str] = []
    report = run(plan, said.append, Machine(tmp_path, lambda _: {}).bench())
    row = report.rows[0]
    assert row.seconds == pytest.approx(BLIND_S, abs=2.0)
    assert row.steady is None
    assert "tells no temperature, so this takes 20 minutes" in said[0]
    assert any("nobody knows whether it was steady" in note for note in report.notes)
    assert exit_code(report) == ExitCode.OK


def test_so_many_minutes_are_so_many_minutes(plan: Plan, tmp_path: Path) -> None:
    report, row = soaked(replace(plan, minutes=2.5), Machine(tmp_path, warming))
    assert row.seconds == 150.0
    assert row.steady is None
    assert exit_code(report) == ExitCode.OK


def test_cold_and_hot_are_the_first_and_the_last_minute(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, warming)
    machine.sample_ms = lambda t_s: 2.0 if t_s <= COMPARE_S else 9.0 if t_s <= 240.0 else 3.0
    _, row = soaked(replace(plan, minutes=5.0), machine)
    assert row.cold_p50_ms == pytest.approx(2.0, abs=0.02)
    assert row.hot_p50_ms == pytest.approx(3.0, abs=0.02)
    assert (len(row.cold_ns), len(row.hot_ns)) == (60, 60)
    assert row.ratio == pytest.approx(1.5, abs=0.01)
    assert row.significant is True
    assert (row.temperature_cold_c or 0) < (row.temperature_hot_c or 0)


def test_raw_samples_give_the_figures_again(plan: Plan, tmp_path: Path) -> None:
    _, row = soaked(replace(plan, minutes=3.0), Machine(tmp_path, warming))
    pooled = sorted(sample for second in row.hot_ns for sample in second)
    assert pooled[(len(pooled) - 1) // 2] / MS == row.hot_p50_ms


def test_a_short_run_compares_its_halves_and_says_so(plan: Plan, tmp_path: Path) -> None:
    report, row = soaked(replace(plan, minutes=1.0), Machine(tmp_path, warming))
    assert (row.compare_s, len(row.cold_ns), len(row.hot_ns)) == (30.0, 30, 30)
    assert any("its first and last 30 s are compared" in note for note in report.notes)


def test_a_machine_that_stays_as_fast_is_not_called_slower(plan: Plan, tmp_path: Path) -> None:
    report, row = soaked(replace(plan, minutes=3.0), Machine(tmp_path, warming))
    assert row.significant is False
    assert "hot against cold: not significant" in text(report)


def throttling(t_s: float) -> dict[str, str]:
    return {**warming(t_s), THROTTLED: "20002\n" if 100.0 <= t_s < 103.0 else "20000\n" if t_s >= 103.0 else "0\n"}


def test_a_run_that_was_throttled_is_invalid(plan: Plan, tmp_path: Path) -> None:
    report, row = soaked(replace(plan, minutes=3.0), Machine(tmp_path, throttling))
    assert (row.valid, row.held_back_after_s) == (False, 100.0)
    assert "capped" in (row.held_back or "")
    assert exit_code(report) == ExitCode.GATE_NOT_MET
    assert "INVALID: the board was held back after 100 s" in text(report)


def test_a_run_that_is_throttled_for_one_second_in_its_middle_is_invalid_too(plan: Plan, tmp_path: Path) -> None:
    def blink(t_s: float) -> dict[str, str]:
        return {**degrees(50.0), THROTTLED: "4\n" if t_s == 90.0 else "0\n"}

    report, row = soaked(replace(plan, minutes=3.0), Machine(tmp_path, blink))
    assert row.valid is False
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_a_throttling_of_before_the_run_does_not_spoil_it(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, lambda t_s: {**warming(t_s), THROTTLED: "50000\n"})
    assert soaked(replace(plan, minutes=3.0), machine)[1].valid


def test_a_clock_that_falls_is_told(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, lambda t_s: {**warming(t_s), CLOCK: "2400000" if t_s < 150 else "1500000"})
    report, row = soaked(replace(plan, minutes=5.0), machine)
    assert (row.clock_cold_mhz, row.clock_hot_mhz) == (2400.0, 1500.0)
    assert "the clock fell from 2400 to 1500 MHz" in report.notes


def test_the_curve_is_kept_second_by_second(plan: Plan, tmp_path: Path) -> None:
    report, _ = soaked(replace(plan, minutes=2.0), Machine(tmp_path, warming))
    curve = report.extra["curve"]
    assert [point["t_s"] for point in curve] == [float(i) for i in range(1, 121)]
    assert curve[0]["temperature_c"] < curve[-1]["temperature_c"]
    assert json.dumps(report.as_json(), allow_nan=False)


def test_energy_is_told_with_what_its_meter_covers(plan: Plan, tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0"
    machine = Machine(
        tmp_path, lambda t_s: {**warming(t_s), f"{chip}/name": "ina226", f"{chip}/power1_input": "4000000"}
    )
    report, _ = soaked(replace(plan, minutes=1.0), machine)
    assert "4.00 W on average, by ina226, which covers what the chip ina226 is wired to" in text(report)


def test_memory_that_grows_is_told(plan: Plan, tmp_path: Path) -> None:
    _, row = soaked(replace(plan, minutes=2.0), Machine(tmp_path, warming))
    assert row.growth_bytes == 90_000


def test_ctrl_c_keeps_what_was_measured(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, warming)
    machine.interrupt_after_s = 200.0
    report, row = soaked(plan, machine)
    assert not report.complete
    assert (row.seconds, row.n, row.ratio is not None) == (199.0, 199 * 20, True)


def test_a_load_that_dies_is_a_row_with_what_was_measured_until_then(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, warming)
    machine.end = lambda t_s: "was ended by SIGILL" if t_s >= 50.0 else None
    report, row = soaked(plan, machine)
    assert (row.error, row.seconds) == ("was ended by SIGILL", 50.0)
    assert exit_code(report) == ExitCode.GATE_NOT_MET
    assert "failed: tflite/int8 with litert on 1 thread: was ended by SIGILL" in text(report)


def test_a_load_that_does_nothing_gives_no_figure(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, warming)
    machine.idle = True
    machine.end = lambda _: "ended with status 78: no"
    report, row = soaked(plan, machine)
    assert row.n == 0
    assert exit_code(report) == ExitCode.UNAVAILABLE


def test_progress_is_told_once_a_minute(plan: Plan, tmp_path: Path) -> None:
    said: list[str] = []
    run(replace(plan, minutes=5.0), said.append, Machine(tmp_path, warming).bench())
    assert len(said) == 5
    assert said[3].startswith("4 min, 59.0 °C (+4.0")


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"precision": "int4"}, (UsageError, RuntimeUnavailable), "int4"),
        ({"runtime": "abacus"}, UsageError, "there is no runtime 'abacus'"),
        ({"source": "none.mp4"}, InputError, r"no such clip: none\.mp4"),
        ({"weights": "none.onnx"}, InputError, "no such detector weights"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(
    plan: Plan, tmp_path: Path, changes: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    machine = Machine(tmp_path, warming)
    with pytest.raises(error, match=sentence):
        run(replace(plan, **changes), quiet, machine.bench())
    assert machine.works == []


def test_the_artifact_is_the_one_that_the_device_would_take(plan: Plan, tmp_path: Path) -> None:
    machine = Machine(tmp_path, warming)
    soaked(replace(plan, minutes=1.0, precision="float32", threads=2), machine)
    job = machine.works[0].job
    assert (job.format, job.precision, job.runtime, job.threads) == ("tflite", "float32", "litert", 2)


def ticking(step_s: float) -> Callable[[], float]:
    now = [0.0]

    def clock() -> float:
        now[0] += step_s
        return now[0]

    return clock


def test_a_batch_is_a_second_of_calls() -> None:
    assert batch(lambda: None, ticking(0.125)) == [125_000_000] * round(BATCH_S / 0.125)


def test_a_batch_of_a_very_fast_model_is_thinned() -> None:
    calls: list[None] = []
    found = batch(lambda: calls.append(None), ticking(2**-14))
    assert len(calls) == 2**14
    assert MOST_SAMPLES / 2 < len(found) <= MOST_SAMPLES


def test_real_inference_warms_this_machine(bundle: Path) -> None:
    report = run(Plan(str(bundle), minutes=0.1, threads=1), quiet)
    row = report.rows[0]
    assert row.error is None
    assert row.n > 0
    assert (row.effective_precision, row.precision) == ("int8", "int8")
    assert all(0 < sample < 1e9 for second in row.hot_ns for sample in second)


def test_a_real_load_that_cannot_begin_is_told(bundle: Path) -> None:
    job = load.Job(str(bundle), "tflite", "int4", "litert", 1)
    with opened(Work(job)) as inferring:
        assert inferring.over.wait(30.0)
        assert "int4" in (inferring.failed() or "")


def test_a_load_that_does_not_begin_in_time_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_bench.soak.loads.INFER", (sys.executable, "-S", "-c", "import signal; signal.pause()"))
    report = run(Plan(str(bundle), minutes=1.0, start_s=0.1), quiet)
    assert "did not begin within 0.1 s" in report.rows[0].error
    assert exit_code(report) == ExitCode.UNAVAILABLE


def test_real_inference_ends_with_its_reader(bundle: Path) -> None:
    with Inferring(load.Job(str(bundle), "tflite", "int8", "litert", 1)) as inferring:
        assert inferring.started.wait(30.0)
        assert inferring.failed() is None
    assert inferring._process.returncode is not None


def test_the_daemon_warms_this_machine_on_a_source_at_its_own_pace(bundle: Path) -> None:
    plan = Plan(str(bundle), minutes=0.1, source="demo", settings=("detector.name=whole",))
    report = run(plan, quiet)
    row = report.rows[0]
    assert row.error is None
    assert row.n > 0
    assert "fer-edge run on demo" in row.load


@pytest.mark.parametrize(
    "arguments",
    [["soak", "x"], ["soak", "x", "--minutes", "0"], ["soak", "x", "--minutes", "1", "--until-steady"], ["soak"]],
)
def test_a_flag_that_makes_no_sense_ends_with_status_2(arguments: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_the_command_writes_its_result(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "soak.json"
    assert main(["soak", str(bundle), "--minutes", "0.1", "--json", str(target)]) in {ExitCode.OK, 1}
    document = json.loads(target.read_text(encoding="utf-8"))
    assert (document["kind"], document["complete"]) == ("soak", True)
    assert {"curve", "limits", "rows"} <= document.keys()
    assert "inference without a pause" in capsys.readouterr().out
