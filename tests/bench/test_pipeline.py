"""The daemon against loops by hand: on given answers, and once for real on a clip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fer_bench.pipeline import contenders
from fer_bench.pipeline import run as pipeline
from fer_bench.pipeline.contenders import BARE, CAMERA, DAEMON, HAND, START, Contender
from fer_bench.pipeline.loops import Job
from fer_bench.pipeline.run import PipelineRow, Plan, exit_code, run, text
from fer_bench.processes.children import ChildFailed, Json
from fer_bench.results.report import Report
from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable
from support import shared
from support.tiny import tiny_bundle

REFERENCE = [[[0, 0, 10, 10]], [[0, 0, 10, 10], [50, 0, 10, 10]]]
PACED = "fer-edge run, at 10 frames per second"
"""The clip here is empty, so it has no rate."""
STAGES = {"detect": {"p50": 1.0, "p95": 2.0, "p99": 3.0}}
JOULES = {"meter": "a meter", "covers": "the whole board", "watts": 3.0}
TRACKS = [(0, 1, [0, 0, 10, 10]), (1, 1, [1, 0, 10, 10]), (1, 2, [80, 0, 10, 10])]


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def plan(bundle: Path, tmp_path: Path) -> Plan:
    """A clip and weights that exist; the answers are given."""
    for name in ("clip.mp4", "yunet.onnx"):
        (tmp_path / name).touch()
    return Plan(str(tmp_path / "clip.mp4"), str(bundle), str(tmp_path / "yunet.onnx"), rounds=2)


class Answers:
    """Plays the processes. cpu: milliseconds per frame of each kind, one per round; what `fail` names dies."""

    def __init__(self) -> None:
        self.cpu: dict[str, list[float]] = {
            "daemon": [2.0, 4.0],
            "bare-opencv": [5.0, 8.0],
            "bare-onnxruntime": [3.0, 3.0],
            "by-hand": [1.0, 1.0],
            "paced": [2.5, 3.5],
        }
        self.ages_ns: list[list[int]] = [[4_000_000] * 9, [6_000_000] * 9]
        self.energy: list[Json | None] = [JOULES, JOULES]
        self.fps = {"daemon": 95.0, "by-hand": 100.0}
        self.fail: set[str] = set()
        self.interrupt_at = ""
        self.asked: list[str] = []
        self.jobs: list[Json] = []

    def __call__(self, command: Sequence[str], job: Json, timeout_s: float) -> Json:
        kind = self._kind(job)
        self.asked.append(kind)
        self.jobs.append(job)
        if kind in self.fail:
            raise ChildFailed("was ended by SIGSEGV")
        if kind == self.interrupt_at:
            raise KeyboardInterrupt
        if kind == "reference":
            return {"boxes": REFERENCE}
        outside = {"status": 0, "reason": "", "first_s": 0.8, "cpu_s": 1.0, "peak_rss_bytes": 120_000_000}
        if kind == "start":
            return outside
        figures: Json = {"frames": 2, "faces": 3, "fps": self.fps.get(kind, 50.0), "seconds": 1.0, "cpu_s": 1.0}
        figures["cpu_ms_per_frame"] = self.cpu[kind][self.asked.count(kind) - 1]
        if kind == "paced":
            return {**figures, **self._paced(self.asked.count(kind) - 1)}
        if kind == "daemon":
            self._write(Path(job["command"][job["command"].index("--events") + 1]), figures)
            return outside
        return {**figures, "peak_rss_bytes": 90_000_000}

    def _paced(self, i: int) -> Json:
        watts = (self.energy[i] or {}).get("watts")
        told: Json = {"ages_ns": self.ages_ns[i], "stages_ms": STAGES, "dropped_frames": i, "growth_bytes": 1000 * i}
        told |= {"energy": self.energy[i], "no_energy": "" if watts else "this machine has no meter of its power"}
        return told | {
            "watts": watts,
            "mj_per_frame": watts and 100.0 * watts,
            "peak_rss_bytes": 1,
            "first_face_s": 0.5,
        }

    @staticmethod
    def _kind(job: Json) -> str:
        if "seconds" in job:
            return "paced"
        if "command" not in job:
            return str(job["kind"])
        return "start" if job["command"][-1] == "-" else "daemon"

    @staticmethod
    def _write(path: Path, figures: Json) -> None:
        events = [{"type": "expression", "frame": frame, "track": track, "box": box} for frame, track, box in TRACKS]
        events.append({"type": "statistics", "searches": {}, "stages_ms": {}, "dropped_frames": 0, **figures})
        path.write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    found = Answers()
    monkeypatch.setattr(contenders, "ask", found)
    return found


def rows_of(report: Report) -> dict[str, PipelineRow]:
    return {row.name: row for row in report.rows if isinstance(row, PipelineRow)}


def test_ratios_are_taken_round_by_round(plan: Plan, answers: Answers) -> None:
    daemon = rows_of(run(plan, quiet))[DAEMON]
    assert daemon.cpu_ms_per_frame_rounds == (2.0, 4.0)
    assert daemon.ratio_to_bare_rounds == (0.4, 0.5)
    assert daemon.ratio_to_bare == pytest.approx(0.45)


def test_settings_reach_the_daemon_and_the_stages_by_hand(plan: Plan, answers: Answers) -> None:
    run(replace(plan, settings=("pipeline.still_px=320",)), quiet)
    given = dict(zip(answers.asked, answers.jobs, strict=True))
    command = given["daemon"]["command"]
    assert command[command.index("--set") + 1] == "pipeline.still_px=320"
    assert list(given["by-hand"]["settings"]) == ["pipeline.still_px=320"]


def test_rounds_are_interleaved(plan: Plan, answers: Answers) -> None:
    run(plan, quiet)
    once = ["daemon", "start", "bare-opencv", "bare-onnxruntime", "by-hand", "paced"]
    assert answers.asked == ["reference", *once, *once]


def test_throughput_is_told_against_the_stages_by_hand(plan: Plan, answers: Answers) -> None:
    report = run(plan, quiet)
    assert report.extra["throughput_of_hand"] == pytest.approx(0.95)
    assert "95 % of the throughput of the same stages by hand" in text(report)


def test_coverage_comes_from_the_events(plan: Plan, answers: Answers) -> None:
    report = run(plan, quiet)
    assert report.extra["coverage"]["faces"] == 3
    assert report.extra["coverage"]["covered"] == 2
    assert report.extra["coverage"]["unmatched"] == 1
    assert "tracks cover 66.67 %" in text(report)


def test_start_and_memory_are_told(plan: Plan, answers: Answers) -> None:
    report = run(plan, quiet)
    assert rows_of(report)[START].first_face_s == 0.8
    assert rows_of(report)[DAEMON].peak_rss_bytes == 120_000_000
    assert "first face event 0.80 s after the start" in text(report)
    assert exit_code(report) == ExitCode.OK


def test_the_result_is_json(plan: Plan, answers: Answers) -> None:
    document = json.loads(json.dumps(run(plan, quiet).as_json(), allow_nan=False))
    assert (document["kind"], document["complete"]) == ("pipeline", True)
    assert {"rows", "coverage", "throughput_of_hand", "daemon_rounds", "environment"} <= document.keys()


def test_a_contender_that_dies_is_a_row_and_is_not_started_again(plan: Plan, answers: Answers) -> None:
    answers.fail = {"bare-onnxruntime"}
    report = run(plan, quiet)
    assert rows_of(report)["bare loop, ONNX Runtime"].error == "was ended by SIGSEGV"
    assert answers.asked.count("bare-onnxruntime") == 1
    assert rows_of(report)[DAEMON].n == 2
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_without_the_daemon_there_is_no_result(plan: Plan, answers: Answers) -> None:
    answers.fail = {"daemon"}
    report = run(plan, quiet)
    assert exit_code(report) == ExitCode.UNAVAILABLE
    assert report.extra["coverage"] is None


def test_without_the_bare_loop_there_is_no_ratio(plan: Plan, answers: Answers) -> None:
    answers.fail = {"bare-opencv"}
    report = run(plan, quiet)
    assert rows_of(report)[DAEMON].ratio_to_bare is None
    assert rows_of(report)[BARE].error is not None


def test_a_failed_reference_is_told_by_the_status(plan: Plan, answers: Answers) -> None:
    answers.fail = {"reference"}
    assert exit_code(run(plan, quiet)) == ExitCode.GATE_NOT_MET


def test_ctrl_c_keeps_what_was_measured(plan: Plan, answers: Answers) -> None:
    answers.interrupt_at = "by-hand"
    report = run(plan, quiet)
    assert not report.complete
    assert HAND not in rows_of(report)
    assert rows_of(report)[DAEMON].ratio_to_bare == 0.4


def test_a_clip_that_does_not_exist_is_told(plan: Plan, bundle: Path) -> None:
    with pytest.raises(InputError, match=r"no such clip: none\.mp4"):
        run(Plan("none.mp4", str(bundle)), quiet)


def test_missing_weights_are_told(plan: Plan, bundle: Path) -> None:
    with pytest.raises(InputError, match="no such detector weights: none"):
        run(Plan(plan.source, str(bundle), "none"), quiet)


def test_without_weights_the_flag_is_named(plan: Plan, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_weights", lambda: None)
    with pytest.raises(RuntimeUnavailable, match="--detector-weights"):
        run(Plan(plan.source, str(bundle)), quiet)


def test_events_age_at_the_clips_own_pace(plan: Plan, answers: Answers) -> None:
    report = run(replace(plan, seconds=7.0), quiet)
    asked = dict(zip(answers.asked, answers.jobs, strict=True))["paced"]
    assert asked["seconds"] == 7.0
    assert f"fault:{Path(plan.source).resolve()}?loop" in asked["command"]
    row = rows_of(report)[PACED]
    assert (row.latency_n, row.latency_p95_ms, row.dropped_frames) == (18, 6.0, 1)
    assert row.ages_ns == tuple(tuple(ages) for ages in answers.ages_ns)
    assert "from capture to event p50 4.0 ms" in text(report)


def test_a_clip_that_plays_at_its_own_pace_is_not_cut_short(plan: Plan, answers: Answers) -> None:
    run(replace(plan, max_frames=9), quiet)
    asked = dict(zip(answers.asked, answers.jobs, strict=True))
    assert "--max-frames" in asked["daemon"]["command"]
    assert "--max-frames" not in asked["paced"]["command"]


def test_what_waits_for_its_frames_has_no_ratio_to_what_does_not(plan: Plan, answers: Answers) -> None:
    row = rows_of(run(plan, quiet))[PACED]
    assert row.cpu_ms_per_frame == 3.0
    assert row.ratio_to_bare is None


def test_stages_are_told(plan: Plan, answers: Answers) -> None:
    report = run(plan, quiet)
    assert rows_of(report)[PACED].stages_ms == STAGES
    assert "detect" in text(report)


def test_energy_is_told_with_what_its_meter_covers(plan: Plan, answers: Answers) -> None:
    report = run(plan, quiet)
    assert rows_of(report)[PACED].mj_per_frame == 300.0
    assert "300.0 mJ per frame (rounds 300.0, 300.0), 3.00 W on average, by a meter, which covers the whole board" in (
        text(report)
    )


def test_without_a_meter_there_is_no_energy_and_a_reason(plan: Plan, answers: Answers) -> None:
    answers.energy = [None, None]
    report = run(plan, quiet)
    assert rows_of(report)[PACED].mj_per_frame is None
    assert report.notes.count("no energy: this machine has no meter of its power") == 1
    assert exit_code(report) == ExitCode.OK


def test_a_source_without_a_face_has_no_latency_and_says_so(plan: Plan, answers: Answers) -> None:
    answers.ages_ns = [[], []]
    report = run(plan, quiet)
    assert rows_of(report)[PACED].latency_p50_ms is None
    assert any("no face was told of" in note for note in report.notes)


def test_growth_is_the_largest_of_the_rounds(plan: Plan, answers: Answers) -> None:
    assert rows_of(run(plan, quiet))[PACED].growth_bytes == 1000


def test_a_camera_has_no_bare_loop_and_no_coverage_and_says_so(plan: Plan, answers: Answers) -> None:
    report = run(replace(plan, source="rtsp://10.0.0.1/a", weights=None), quiet)
    assert answers.asked == ["paced", "paced"]
    assert list(rows_of(report)) == [CAMERA]
    assert report.extra["coverage"] is None
    assert any("nothing can be compared" in note or "no bare loop" in note for note in report.notes)
    assert exit_code(report) == ExitCode.OK


def test_on_a_camera_the_detector_is_the_daemons_own_choice(plan: Plan, answers: Answers) -> None:
    run(replace(plan, source="0", weights=None), quiet)
    assert "--detector" not in answers.jobs[0]["command"]


def test_a_camera_that_is_not_there_gives_no_figure(plan: Plan, answers: Answers) -> None:
    answers.fail = {"paced"}
    assert exit_code(run(replace(plan, source="0"), quiet)) == ExitCode.UNAVAILABLE


def test_a_folder_is_neither_clip_nor_camera(plan: Plan, bundle: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        run(replace(plan, source=str(bundle)), quiet)


@pytest.mark.parametrize("source", ["0", "demo", "v4l2:/dev/video9", "rtsp://10.0.0.1/a.mp4", "fault:clip.mp4?loop"])
def test_what_is_no_file_is_a_camera(source: str) -> None:
    assert not pipeline.is_clip(source)


def test_another_contender_is_measured_in_every_round_and_has_its_row(plan: Plan, answers: Answers) -> None:
    told: Json = {"frames": 2, "faces": 2, "fps": 3.0, "cpu_ms_per_frame": 20.0, "odd": "kept"}
    boxes = {"0": [[0, 0, 10, 10]], "1": []}
    seen = []

    def measure(plan: Plan, job: Job) -> Json:
        seen.append((plan.rounds, job.source))
        return {**told, "boxes": boxes}

    report = run(plan, quiet, [Contender("another library", measure)])
    row = rows_of(report)["another library"]
    assert seen == [(2, str(Path(plan.source).resolve()))] * 2
    assert (row.n, row.cpu_ms_per_frame, row.ratio_to_bare_rounds) == (2, 20.0, (4.0, 2.5))
    assert (row.reference_faces, row.covered, row.unmatched) == (3, 1, 0)
    assert report.extra["more"]["another library"] == [{"odd": "kept"}] * 2
    assert "another library" in text(report)
    assert json.dumps(report.as_json(), allow_nan=False)


def test_another_contender_that_fails_takes_nothing_with_it(plan: Plan, answers: Answers) -> None:
    def measure(plan: Plan, job: Job) -> Json:
        raise ChildFailed("is not installed")

    report = run(plan, quiet, [Contender("another library", measure)])
    assert rows_of(report)["another library"].error == "is not installed"
    assert rows_of(report)[DAEMON].n == 2
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_a_real_clip_is_measured_with_real_processes(bundle: Path) -> None:
    clip, weights = shared.media("short_hamilton_clip.mp4"), shared.yunet()
    report = run(Plan(str(clip), str(bundle), str(weights), rounds=1, max_frames=30, seconds=1.0), quiet)
    rows = rows_of(report)
    assert [row.error for row in rows.values()] == [None] * 6
    assert {row.frames for name, row in rows.items() if "frames per second" not in name} == {30, None}
    paced = next(row for name, row in rows.items() if "29.97 frames per second" in name)
    assert 0.0 < (paced.latency_p50_ms or 0.0) <= (paced.latency_p99_ms or 0.0)
    assert set(paced.stages_ms or {}) == {"detect", "track", "classify", "smooth"}
    assert paced.fps_rounds[0] < 45.0  # no faster than the clip, but for the first frames of so short a run
    assert rows[HAND].faces == rows[DAEMON].faces
    assert report.extra["coverage"]["share"] > 0.9
    assert 0.0 < (rows[DAEMON].ratio_to_bare or 0.0) < 1.0
    assert rows[START].first_face_s is not None
    assert 30e6 < (rows[DAEMON].peak_rss_bytes or 0) < 400e6
