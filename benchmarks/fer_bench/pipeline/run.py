"""The real daemon on a clip against loops written by hand: CPU, throughput, coverage, start and memory, in one run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.machine import stability
from fer_bench.machine.environment import conditions, describe
from fer_bench.pipeline.coverage import MIN_IOU, Coverage, boxes_of_events, cover
from fer_bench.pipeline.loops import REFERENCE_WIDTH_PX, SCORE, Job
from fer_bench.processes.children import ChildFailed, Json, ask
from fer_bench.results.report import Report
from fer_bench.table import MISSING, figure, percent, render, span
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock
from fer_edge.detectors.weights import find_weights
from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable
from fer_edge.types import Box

LOOPS = (sys.executable, "-m", "fer_bench.pipeline.loops")
LAUNCH = (sys.executable, "-m", "fer_bench.processes.launch")
DAEMON = "fer-edge run"
START = "fer-edge run, first face"
HAND = "same stages by hand"
BARE = "bare loop, OpenCV"
BARE_ORT = "bare loop, ONNX Runtime"
CONTENDERS = {DAEMON: "", START: "", BARE: "bare-opencv", BARE_ORT: "bare-onnxruntime", HAND: "by-hand"}
"""What is measured, in this order in every round, and the loop it is (the daemon is none)."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A clip, a bundle, YuNet's weights (None: found in the model folders), and how many rounds of fresh processes.

    settings: `key=value` for the daemon and for the same stages by hand.
    """

    source: str
    model: str = "default"
    weights: str | None = None
    rounds: int = 3
    max_frames: int | None = None
    timeout_s: float = 600.0
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PipelineRow:
    """One contender; lists have one value per round, plain figures are their medians (peak memory: the largest).

    cpu_ms_per_frame: from the first frame to the last, user and system, all threads, start-up left out; of the daemon
    it is what its own `statistics` say. cpu_s: of the whole process, start-up included. ratio_to_bare: of
    cpu_ms_per_frame, to the bare loop of the same round.
    """

    name: str
    n: int = 0
    frames: int | None = None
    faces: int | None = None
    cpu_ms_per_frame: float | None = None
    ratio_to_bare: float | None = None
    fps: float | None = None
    peak_rss_bytes: int | None = None
    first_face_s: float | None = None
    cpu_ms_per_frame_rounds: tuple[float, ...] = ()
    ratio_to_bare_rounds: tuple[float, ...] = ()
    fps_rounds: tuple[float, ...] = ()
    cpu_s_rounds: tuple[float, ...] = ()
    first_face_s_rounds: tuple[float, ...] = ()
    error: str | None = None


@dataclass
class Measured:
    """What the rounds gave: per contender one answer per round, and the tracks of the daemon's first round."""

    answers: dict[str, list[Json]] = field(default_factory=lambda: {name: [] for name in CONTENDERS})
    errors: dict[str, str] = field(default_factory=dict)
    tracks: list[Mapping[int, Sequence[Box]]] = field(default_factory=list)
    reference: list[list[Box]] | None = None


def run(plan: Plan, say: Say) -> Report:
    """Measure; Ctrl-C ends it early with what there is.

    Raises InputError when the clip does not exist, RuntimeUnavailable when there are no weights, and the errors of
    `Bundle.open`. A contender that fails is a row with its reason.
    """
    bundle = Bundle.open(plan.model)
    if not Path(plan.source).is_file():
        raise InputError(f"no such clip: {plan.source}")
    job = Job(
        "", str(Path(plan.source).resolve()), str(bundle.path.resolve()), _weights(plan), plan.max_frames, plan.settings
    )
    started, before = SystemClock().wall(), conditions()
    measured, complete = Measured(), True
    try:
        _reference(plan, job, measured, say)
        for number in range(1, plan.rounds + 1):
            for name in CONTENDERS:
                if name not in measured.errors:
                    say(f"round {number} of {plan.rounds}: {name}: {_once(plan, job, name, measured)}")
    except KeyboardInterrupt:
        complete = False
    environment, after = describe(), conditions()
    return Report(
        kind="pipeline",
        options={**asdict(plan), "weights": job.weights},
        bundle=bundle,
        environment=environment,
        started=started,
        before=before,
        after=after,
        rows=[_row(name, measured) for name in CONTENDERS if measured.answers[name] or name in measured.errors],
        notes=stability.of_machine(environment, before, after, 1),
        complete=complete,
        extra=_figures(measured),
    )


def _weights(plan: Plan) -> str:
    if plan.weights is not None:
        if not Path(plan.weights).is_file():
            raise InputError(f"no such detector weights: {plan.weights}")
        return str(Path(plan.weights).resolve())
    found = find_weights()
    if found is None:
        raise RuntimeUnavailable("there are no YuNet weights to compare with: name them with --detector-weights")
    return str(found.path.resolve())


def _reference(plan: Plan, job: Job, measured: Measured, say: Say) -> None:
    try:
        answer = ask(LOOPS, {**asdict(job), "kind": "reference"}, plan.timeout_s)
    except ChildFailed as reason:
        measured.errors["reference"] = str(reason)
        say(f"reference: {reason}")
        return
    measured.reference = [[Box(*box) for box in boxes] for boxes in answer["boxes"]]
    say(f"reference: {sum(len(boxes) for boxes in measured.reference)} faces in {len(measured.reference)} frames")


def _once(plan: Plan, job: Job, name: str, measured: Measured) -> str:
    """One process of one contender; its answer is kept, its essence returned."""
    try:
        if name == DAEMON:
            answer = _daemon(plan, job, measured)
        elif name == START:
            answer = _start(plan, job)
        else:
            answer = ask(LOOPS, {**asdict(job), "kind": CONTENDERS[name]}, plan.timeout_s)
    except ChildFailed as reason:
        measured.errors[name] = str(reason)
        return str(reason)
    measured.answers[name].append(answer)
    if name == START:
        return f"after {answer['first_s']:.2f} s"
    return f"{answer['cpu_ms_per_frame']:.2f} ms of CPU per frame, {answer['fps']:.0f} frames per second"


def _daemon(plan: Plan, job: Job, measured: Measured) -> Json:
    """The installed command with all events in a file; the events give boxes and the daemon's own statistics."""
    with tempfile.TemporaryDirectory(prefix="fer-bench-") as folder:
        events = Path(folder) / "events.jsonl"
        outside = _launched(plan, [*_command(job), "--events", str(events)], watch="")
        with events.open(encoding="utf-8") as lines:
            tracks, statistics = boxes_of_events(lines)
    if not statistics.get("fps"):
        raise ChildFailed("saw too few frames to be measured")
    measured.tracks.append(tracks)
    kept = ("frames", "faces", "seconds", "fps", "cpu_ms_per_frame", "searches", "stages_ms", "dropped_frames")
    return {**{key: statistics[key] for key in kept}, **{key: outside[key] for key in ("cpu_s", "peak_rss_bytes")}}


def _start(plan: Plan, job: Job) -> Json:
    """The same command with its events read as they come: how long until the first face is told of."""
    outside = _launched(plan, [*_command(job), "--events", "-"], watch='"face_entered"')
    if outside["first_s"] is None:
        raise ChildFailed("told of no face")
    return outside


def _launched(plan: Plan, command: Sequence[str], watch: str) -> Json:
    answer = ask(LAUNCH, {"command": list(command), "watch": watch}, plan.timeout_s)
    if answer["status"] != 0:
        raise ChildFailed(str(answer["reason"]))
    return answer


def _command(job: Job) -> list[str]:
    command = [sys.executable, "-m", "fer_edge", "run", "--source", job.source, "--model", job.model, "--rate", "all"]
    command += ["--detector", "yunet", "--detector-weights", job.weights]
    command += [part for item in job.settings for part in ("--set", item)]
    return command + (["--max-frames", str(job.max_frames)] if job.max_frames else [])


def _row(name: str, measured: Measured) -> PipelineRow:
    answers, error = measured.answers[name], measured.errors.get(name)
    if not answers:
        return PipelineRow(name=name, error=error)
    peaks = [answer["peak_rss_bytes"] for answer in answers if answer["peak_rss_bytes"]]
    row = PipelineRow(name=name, n=len(answers), error=error, peak_rss_bytes=max(peaks, default=None))
    if name == START:
        firsts = _column(answers, "first_s")
        return replace(row, first_face_s=_median(firsts), first_face_s_rounds=firsts)
    cpu, fps = _column(answers, "cpu_ms_per_frame"), _column(answers, "fps")
    ratios = tuple(a / b for a, b in zip(cpu, _column(measured.answers[BARE], "cpu_ms_per_frame"), strict=False))
    return replace(
        row,
        frames=answers[0]["frames"],
        faces=answers[0]["faces"],
        cpu_ms_per_frame=_median(cpu),
        ratio_to_bare=_median(ratios),
        fps=_median(fps),
        cpu_ms_per_frame_rounds=cpu,
        ratio_to_bare_rounds=ratios,
        fps_rounds=fps,
        cpu_s_rounds=_column(answers, "cpu_s"),
    )


def _column(answers: Sequence[Json], key: str) -> tuple[float, ...]:
    return tuple(float(answer[key]) for answer in answers)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _figures(measured: Measured) -> dict[str, Any]:
    """What is neither of one contender nor of the machine: coverage of each round, throughput against by hand."""
    daemon, hand = measured.answers[DAEMON], measured.answers[HAND]
    throughput = [a["fps"] / b["fps"] for a, b in zip(daemon, hand, strict=False)]
    found: dict[str, Any] = {
        "throughput_of_hand": _median(throughput),
        "throughput_of_hand_rounds": throughput,
        "daemon_rounds": daemon,
        "reference": {"width_px": REFERENCE_WIDTH_PX, "score": SCORE, "iou": MIN_IOU},
        "coverage": None,
    }
    if measured.reference is not None and measured.tracks:
        rounds = [cover(measured.reference, tracks) for tracks in measured.tracks]
        found["coverage"] = asdict(min(rounds, key=lambda each: each.covered))
        found["coverage_rounds"] = [each.share for each in rounds]
    return found


def exit_code(report: Report) -> ExitCode:
    """1 when a contender failed or there is no coverage, 69 when the daemon gave no figure."""
    rows = {row.name: row for row in report.rows}
    if DAEMON not in rows or not rows[DAEMON].n:
        return ExitCode.UNAVAILABLE
    whole = report.extra["coverage"] is not None and not any(row.error for row in report.rows)
    return ExitCode.OK if whole else ExitCode.GATE_NOT_MET


HEAD = ("", "CPU ms/frame", "/ bare loop", "min..max", "frames/s", "frames", "faces", "RSS MB")


def text(report: Report) -> str:
    """The table, then a sentence per figure."""
    rows = [row for row in report.rows if isinstance(row, PipelineRow)]
    parts = []
    cells = [_cells(row) for row in rows if row.cpu_ms_per_frame is not None]
    if cells:
        parts.append(render(HEAD, cells))
    parts += [
        f"first face event {row.first_face_s:.2f} s after the start of the process "
        f"(rounds {', '.join(f'{value:.2f}' for value in row.first_face_s_rounds)})"
        for row in rows
        if row.first_face_s is not None
    ]
    if report.extra["throughput_of_hand"] is not None:
        share = percent(report.extra["throughput_of_hand"], 0)
        parts.append(f"{DAEMON} has {share} % of the throughput of the same stages by hand")
    if report.extra["coverage"] is not None:
        parts.append(_coverage_words(Coverage(**report.extra["coverage"])))
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n".join(parts)


def _coverage_words(found: Coverage) -> str:
    if found.share is None:
        return f"YuNet at {REFERENCE_WIDTH_PX} px finds no face in this clip, so there is no coverage"
    return (
        f"tracks cover {percent(found.share)} % ({span(found.share_ci95, 1, 100.0)}) of the {found.faces} faces that "
        f"YuNet finds at {REFERENCE_WIDTH_PX} px in every frame (score >= {SCORE}, IoU >= {MIN_IOU}); "
        f"{found.unmatched} track boxes are on no such face"
    )


def _cells(row: PipelineRow) -> tuple[str, ...]:
    spread = (min(row.ratio_to_bare_rounds), max(row.ratio_to_bare_rounds)) if row.ratio_to_bare_rounds else None
    return (
        row.name,
        figure(row.cpu_ms_per_frame),
        figure(row.ratio_to_bare),
        span(spread),
        figure(row.fps, 1),
        MISSING if row.frames is None else str(row.frames),
        MISSING if row.faces is None else str(row.faces),
        figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0),
    )
