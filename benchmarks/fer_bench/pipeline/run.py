"""The real daemon on a clip against loops written by hand, or on a camera: cost, speed, coverage, latency, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2

from fer_bench.machine import stability
from fer_bench.machine.environment import conditions, describe
from fer_bench.pipeline import contenders
from fer_bench.pipeline.contenders import DAEMON, LAUNCH, Contender
from fer_bench.pipeline.loops import Job
from fer_bench.pipeline.plan import PipelineRow, Plan, Say
from fer_bench.pipeline.rows import Measured, figures, row_of
from fer_bench.pipeline.words import text
from fer_bench.processes.children import ChildFailed
from fer_bench.results.report import Report
from fer_edge.bundle import Bundle
from fer_edge.cameras.fault import FALLBACK_FPS
from fer_edge.clock import SystemClock
from fer_edge.detectors.weights import find_weights
from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable

__all__ = ["LAUNCH", "PipelineRow", "Plan", "exit_code", "run", "text"]

ON_A_CAMERA = (
    "a camera shows nothing twice, so there is no bare loop to compare with and no coverage; "
    "latency counts from the arrival of a frame in this machine, not from the light"
)


def run(plan: Plan, say: Say, more: Sequence[Contender] = ()) -> Report:
    """Measure; Ctrl-C ends it early with what there is. more: contenders that come after the usual ones, on clips.

    Raises InputError when the clip does not exist, RuntimeUnavailable when there are no weights to compare with, and
    the errors of `Bundle.open`. A contender that fails is a row with its reason.
    """
    bundle = Bundle.open(plan.model)
    clip = is_clip(plan.source)
    job = _job(plan, bundle, clip=clip)
    chosen = (*contenders.on_a_clip(job, _fps(job.source)), *more) if clip else contenders.on_a_camera(job)
    started, before = SystemClock().wall(), conditions()
    measured, complete = Measured(), True
    try:
        if clip:
            _reference(plan, job, measured, say)
        _rounds(plan, job, chosen, measured, say)
    except KeyboardInterrupt:
        complete = False
    environment, after = describe(), conditions()
    names = [each.name for each in chosen if each.name in measured.answers or each.name in measured.errors]
    return Report(
        kind="pipeline",
        options={**asdict(plan), "weights": job.weights or None},
        bundle=bundle,
        environment=environment,
        started=started,
        before=before,
        after=after,
        rows=[row_of(name, measured) for name in names],
        notes=[*_notes(measured, clip=clip), *stability.of_machine(environment, before, after, 1)],
        complete=complete,
        extra={"source": {"clip": clip}, **figures(measured)},
    )


def is_clip(source: str) -> bool:
    """Whether this is a file to play, or else a camera; raises InputError for what is neither."""
    path = Path(source)
    if "://" in source or source.startswith("fault:"):
        return False
    if path.is_file():
        return True
    if path.is_dir():
        raise InputError(f"{source} is a folder: give a clip or a camera")
    if not path.exists() and (path.suffix or "/" in source) and not source.startswith("v4l2:"):
        raise InputError(f"no such clip: {source}")
    return False


def exit_code(report: Report) -> ExitCode:
    """1 when a contender failed or a clip has no coverage, 69 when the daemon gave no figure."""
    daemon = [row for row in report.rows if row.name.startswith(DAEMON)]
    first = daemon[0] if daemon else None
    if first is None or not first.n:
        return ExitCode.UNAVAILABLE
    whole = report.extra["coverage"] is not None or not report.extra["source"]["clip"]
    return ExitCode.OK if whole and not any(row.error for row in report.rows) else ExitCode.GATE_NOT_MET


def _job(plan: Plan, bundle: Bundle, *, clip: bool) -> Job:
    """On a camera the daemon takes the detector that it would take anyway, unless weights were named."""
    weights = _weights(plan) if clip or plan.weights is not None else ""
    source = str(Path(plan.source).resolve()) if clip else plan.source
    return Job("", source, str(bundle.path.resolve()), weights, plan.max_frames if clip else None, plan.settings)


def _weights(plan: Plan) -> str:
    if plan.weights is not None:
        if not Path(plan.weights).is_file():
            raise InputError(f"no such detector weights: {plan.weights}")
        return str(Path(plan.weights).resolve())
    found = find_weights()
    if found is None:
        raise RuntimeUnavailable("there are no YuNet weights to compare with: name them with --detector-weights")
    return str(found.path.resolve())


def _fps(clip: str) -> float:
    """At which `fault:` plays this clip."""
    capture = cv2.VideoCapture(clip)
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return fps if fps > 0 else FALLBACK_FPS


def _reference(plan: Plan, job: Job, measured: Measured, say: Say) -> None:
    try:
        measured.reference = contenders.reference(plan, job)
    except ChildFailed as reason:
        measured.errors["reference"] = str(reason)
        say(f"reference: {reason}")
    else:
        say(f"reference: {sum(len(boxes) for boxes in measured.reference)} faces in {len(measured.reference)} frames")


def _rounds(plan: Plan, job: Job, chosen: Sequence[Contender], measured: Measured, say: Say) -> None:
    """A B C, A B C, ...: what changes on the machine while one measures falls on all alike."""
    for number in range(1, plan.rounds + 1):
        for each in chosen:
            if each.name not in measured.errors:
                say(f"round {number} of {plan.rounds}: {each.name}: {_once(plan, job, each, measured)}")


def _once(plan: Plan, job: Job, contender: Contender, measured: Measured) -> str:
    """One process; its answer is kept, its essence returned."""
    try:
        answer = contender.measure(plan, job)
    except ChildFailed as reason:
        measured.errors[contender.name] = str(reason)
        return str(reason)
    measured.answers.setdefault(contender.name, []).append(answer)
    if answer.get("cpu_ms_per_frame") is not None:
        return f"{answer['cpu_ms_per_frame']:.2f} ms CPU per frame"
    return f"first face after {answer['first_face_s']:.2f} s" if "first_face_s" in answer else "measured"


def _notes(measured: Measured, *, clip: bool) -> list[str]:
    notes = [] if clip else [ON_A_CAMERA]
    paced = [answer for answers in measured.answers.values() for answer in answers if "no_energy" in answer]
    notes += list(dict.fromkeys(f"no energy: {answer['no_energy']}" for answer in paced if answer["no_energy"]))
    if any(not answer["ages_ns"] for answer in paced):
        notes.append("in a round at the source's own pace no face was told of, so it has no latency")
    return notes
