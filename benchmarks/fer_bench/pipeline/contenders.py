"""Who is measured on a clip or a camera: the daemon, loops written by hand, and whoever else is given.

A contender is a name and a function that measures it once, in a process that it starts afresh. Anything can be one:

    Contender("another library", lambda plan, job: ask(COMMAND, {"source": job.source}, plan.timeout_s))

`run` of this room takes such contenders in `more`; they come after its own, in every round.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_bench.pipeline.coverage import boxes_of_events
from fer_bench.pipeline.loops import Job
from fer_bench.pipeline.plan import Plan
from fer_bench.processes.children import ChildFailed, Json, ask
from fer_edge.types import Box

LOOPS = (sys.executable, "-m", "fer_bench.pipeline.loops")
LAUNCH = (sys.executable, "-m", "fer_bench.processes.launch")
PACED = (sys.executable, "-m", "fer_bench.pipeline.paced")
DAEMON = "fer-edge run"
START = "fer-edge run, first face"
HAND = "same stages by hand"
BARE = "bare loop, OpenCV"
BARE_ORT = "bare loop, ONNX Runtime"
CAMERA = "fer-edge run, on the camera"

Boxes = dict[int, list[list[float]]]
"""Frame number to [left, top, width, height] of each face in it, pixels of the clip."""


@dataclass(frozen=True)
class Contender:
    """Something that can be measured.

    name: its row in the table. measure: one round, in a fresh process; it gives what it knows of

        frames, faces, fps, seconds    of what was processed, start-up left out
        cpu_ms_per_frame               user and system, all threads, start-up left out
        cpu_s, peak_rss_bytes          of the whole process
        first_face_s                   from the start of the process until it told of a face
        boxes                          `Boxes`: then it is compared with the reference; at the clip's own frame numbers
        stages_ms, ages_ns, dropped_frames, growth_bytes, mj_per_frame, watts    see `PipelineRow`

    under these names, and raises ChildFailed with a reason when there is no result: a row that says so, and no more
    rounds of it. Whatever else it gives is kept in the result's JSON.
    """

    name: str
    measure: Callable[[Plan, Job], Json]


def loop(name: str, kind: str) -> Contender:
    """One of `loops.LOOPS`."""
    return Contender(name, lambda plan, job: ask(LOOPS, {**asdict(job), "kind": kind}, plan.timeout_s))


def reference(plan: Plan, job: Job) -> list[list[Box]]:
    """The faces that the slow reference finds in each frame; raises ChildFailed."""
    answer = ask(LOOPS, {**asdict(job), "kind": "reference"}, plan.timeout_s)
    return [[Box(*box) for box in boxes] for boxes in answer["boxes"]]


def daemon(plan: Plan, job: Job) -> Json:
    """The real command on the whole clip, as fast as it can; its events go to a file."""
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        outside = _launched(plan, [*command(job, job.source), *_limit(job), "--events", str(events)], watch="")
        with events.open(encoding="utf-8") as lines:
            tracks, statistics = boxes_of_events(lines)
    if not statistics.get("fps"):
        raise ChildFailed("saw too few frames to be measured")
    kept = ("frames", "faces", "seconds", "fps", "cpu_ms_per_frame", "searches", "stages_ms", "dropped_frames")
    figures = {key: statistics[key] for key in kept}
    boxes: Boxes = {frame: [[box.x, box.y, box.w, box.h] for box in found] for frame, found in tracks.items()}
    return {**figures, "cpu_s": outside["cpu_s"], "peak_rss_bytes": outside["peak_rss_bytes"], "boxes": boxes}


def start(plan: Plan, job: Job) -> Json:
    """The same command with its events read as they come: how long until the first face is told of."""
    outside = _launched(plan, [*command(job, job.source), *_limit(job), "--events", "-"], watch='"face_entered"')
    if outside["first_s"] is None:
        raise ChildFailed("told of no face")
    return {"first_face_s": outside["first_s"], "cpu_s": outside["cpu_s"], "peak_rss_bytes": outside["peak_rss_bytes"]}


def paced(name: str, source: str) -> Contender:
    """The real command on a source that sets the pace, for the plan's seconds: how old an event is when it comes."""

    def measure(plan: Plan, job: Job) -> Json:
        asked = {"command": [*command(job, source), "--events", "-"], "seconds": plan.seconds}
        return ask(PACED, asked, plan.timeout_s + plan.seconds)

    return Contender(name, measure)


def on_a_clip(job: Job, fps: float) -> tuple[Contender, ...]:
    """Everything that a clip allows, in the order of a round; fps: the clip's own."""
    return (
        Contender(DAEMON, daemon),
        Contender(START, start),
        loop(BARE, "bare-opencv"),
        loop(BARE_ORT, "bare-onnxruntime"),
        loop(HAND, "by-hand"),
        paced(f"{DAEMON}, at {fps:g} frames per second", f"fault:{job.source}?loop"),
    )


def on_a_camera(job: Job) -> tuple[Contender, ...]:
    """A camera shows nothing twice, so nothing can be compared on it."""
    return (paced(CAMERA, job.source),)


def command(job: Job, source: str) -> list[str]:
    """The daemon on a source, telling of every face in every frame."""
    found = [sys.executable, "-m", "fer_edge", "run", "--source", source, "--model", job.model, "--rate", "all"]
    if job.weights:
        found += ["--detector", "yunet", "--detector-weights", job.weights]
    return found + [part for item in job.settings for part in ("--set", item)]


def _limit(job: Job) -> list[str]:
    return ["--max-frames", str(job.max_frames)] if job.max_frames else []


def _launched(plan: Plan, argv: Sequence[str], watch: str) -> dict[str, Any]:
    answer = ask(LAUNCH, {"command": list(argv), "watch": watch}, plan.timeout_s)
    if answer["status"] != 0:
        raise ChildFailed(str(answer["reason"]))
    return answer
