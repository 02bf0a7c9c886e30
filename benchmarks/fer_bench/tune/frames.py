"""The pipeline room: the best few through the real daemon on a clip, each with several detector periods.

Rules: after one round of all, out goes who fails, who holds more memory than allowed, and who covers fewer faces than
allowed; of the rest the better half stays by CPU per frame, FEWEST at least, and with it who is within CLOSE. Those get
all rounds, which are of the same length, so the first one counts.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_bench.pipeline.coverage import Coverage, boxes_of_events, cover
from fer_bench.processes.children import ChildFailed, Json, ask
from fer_bench.results.rows import count
from fer_bench.tune.candidates import Candidate
from fer_bench.tune.plan import Limits, Plan, Say
from fer_edge.config import EventSettings, Settings, as_toml
from fer_edge.privacy import PrivacySettings
from fer_edge.sinks.settings import MqttSettings, WebhookSettings
from fer_edge.system.governor import GovernorSettings
from fer_edge.types import Box
from fer_edge.web.settings import HttpSettings

LAUNCH = (sys.executable, "-m", "fer_bench.processes.launch")
FEWEST = 3
CLOSE = 1.10
MB = 1e6
EVERY_FRAME = {"full_every_s": 0.0, "empty_every_s": 0.0, "still_every_s": 0.0, "around_every_s": 0.0}
"""Of `pipeline.search`: the whole picture is searched in every frame, which gives the faces to be covered."""

Tracks = Mapping[int, Sequence[Box]]


@dataclass
class Drive:
    """A candidate with one detector period, and what the rounds of the daemon gave; `left` is "" while it is in."""

    candidate: Candidate
    period_s: float
    as_is: bool
    answers: list[Json] = field(default_factory=list)
    coverage: Coverage | None = None
    lost_pp: float | None = None
    error: str | None = None
    left: str = ""
    why: str = ""
    misses: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """As sentences speak of it."""
        return f"{self.candidate.variant}, whole picture every {self.period_s:g} s"

    @property
    def cpu_ms(self) -> tuple[float, ...]:
        """CPU per frame, one value per round."""
        return tuple(float(answer["cpu_ms_per_frame"]) for answer in self.answers)

    @property
    def median_ms(self) -> float:
        """Of the rounds; infinite where there is none."""
        return float(np.median(self.cpu_ms)) if self.answers else math.inf

    @property
    def peak_rss_bytes(self) -> int:
        """The most of any round."""
        return max((int(answer["peak_rss_bytes"]) for answer in self.answers), default=0)

    def leave(self, stage: str, why: str) -> None:
        """Out, for this reason."""
        self.left, self.why = stage, why


class Daemon:
    """Runs the installed daemon on the clip with the user's settings, less what would leave the machine."""

    def __init__(self, plan: Plan, settings: Settings, model: Path) -> None:
        """settings: the user's, or the defaults. model: the bundle."""
        source = plan.source if plan.source == "demo" else str(Path(plan.source).resolve())
        self._plan = plan
        self._base = settings.model_copy(
            update={
                "source": source,
                "model": str(model.resolve()),
                "format": None,
                "max_frames": plan.max_frames,
                "hot_swap": False,
                "camera": settings.camera.model_copy(update={"pace": False, "wait": False}),
                "privacy": PrivacySettings(),
                "http": HttpSettings(),
                "mqtt": MqttSettings(),
                "webhook": WebhookSettings(),
                "governor": GovernorSettings(enabled=False),
            }
        )

    def run(self, candidate: Candidate, search: Mapping[str, float]) -> tuple[Json, Tracks]:
        """One run: its figures, and the tracks of each frame. Raises ChildFailed with the reason."""
        with tempfile.TemporaryDirectory(prefix="fer-bench-") as folder:
            events, config = Path(folder) / "events.jsonl", Path(folder) / "fer-edge.toml"
            config.write_text(as_toml(self._settings(candidate, search, events)), encoding="utf-8")
            command = [sys.executable, "-m", "fer_edge", "run", "--config", str(config)]
            outside = ask(LAUNCH, {"command": command, "watch": ""}, self._plan.timeout_s)
            if outside["status"] != 0:
                raise ChildFailed(str(outside["reason"]))
            with events.open(encoding="utf-8") as lines:
                tracks, statistics = boxes_of_events(lines)
        if not statistics.get("cpu_ms_per_frame"):
            raise ChildFailed("saw too few frames to be measured")
        kept = ("frames", "faces", "fps", "cpu_ms_per_frame", "searches", "dropped_frames")
        return {**{key: statistics[key] for key in kept}, "peak_rss_bytes": outside["peak_rss_bytes"]}, tracks

    def _settings(self, candidate: Candidate, search: Mapping[str, float], events: Path) -> Settings:
        variant, options = candidate.variant, self._base.pipeline
        return self._base.model_copy(
            update={
                "runtime": variant.runtime,
                "precision": variant.artifact.precision,
                "threads": variant.threads,
                "events": EventSettings(path=str(events), rate="all"),
                "pipeline": options.model_copy(update={"search": options.search.model_copy(update=dict(search))}),
            }
        )


def drives(finalists: Sequence[Candidate], plan: Plan, configured_s: float) -> list[Drive]:
    """Every finalist with every period; the one that is configured is always among them, and first."""
    periods = dict.fromkeys((configured_s, *plan.periods_s))
    return [Drive(each, period, period == configured_s) for each in finalists for period in periods]


def run_all(daemon: Daemon, plan: Plan, found: Sequence[Drive], say: Say) -> list[str]:
    """Rounds and rules; returns sentences about what could not be judged."""
    first = found[0].candidate
    try:
        answer, tracks = daemon.run(first, EVERY_FRAME)
    except ChildFailed as reason:
        for each in found:
            each.leave("pipeline", f"the daemon does not run on {plan.source}: {reason}")
            each.error = str(reason)
        return []
    reference = [list(tracks.get(number, ())) for number in range(int(answer["frames"]))]
    faces = sum(len(boxes) for boxes in reference)
    say(f"pipeline: {count(faces, 'face')} in {count(len(reference), 'frame')} when every frame is searched")
    notes = []
    if faces == 0:
        notes.append(f"{plan.source} shows no face, so nobody can tell what a longer period loses: it was not changed")
        for each in found:
            if not each.as_is:
                each.leave("pipeline", "cannot be judged: there is no face to lose")
    _round(1, daemon, plan, found, reference, say)
    _judge_faces(found, plan.limits)
    _halve(found)
    for number in range(2, plan.rounds + 1):
        _round(number, daemon, plan, found, reference, say)
    return notes


def _round(
    number: int, daemon: Daemon, plan: Plan, found: Sequence[Drive], reference: Sequence[Sequence[Box]], say: Say
) -> None:
    for drive in found:
        if drive.left:
            continue
        try:
            answer, tracks = daemon.run(drive.candidate, {"full_every_s": drive.period_s})
        except ChildFailed as reason:
            drive.error = str(reason)
            drive.leave("pipeline", f"failed: {reason}")
            say(f"pipeline round {number} of {plan.rounds}: {drive}: {reason}")
            continue
        drive.answers.append(answer)
        drive.coverage = drive.coverage or cover(reference, tracks)
        _judge_memory(drive, plan.limits)
        say(f"pipeline round {number} of {plan.rounds}: {drive}: {answer['cpu_ms_per_frame']:.2f} ms of CPU per frame")


def _judge_memory(drive: Drive, limits: Limits) -> None:
    held = drive.peak_rss_bytes / MB
    if limits.rss_mb is not None and held > limits.rss_mb:
        drive.misses["memory"] = held / limits.rss_mb - 1
        drive.leave("pipeline", f"the daemon holds {held:.0f} MB, more than {limits.rss_mb:g}")


def _judge_faces(found: Sequence[Drive], limits: Limits) -> None:
    """Faces lost are counted against the same candidate with the period as it is."""
    shares = {id(each.candidate): each.coverage for each in found if each.as_is}
    for drive in found:
        usual = shares.get(id(drive.candidate))
        if drive.coverage is None or usual is None or not usual.faces:
            continue
        drive.lost_pp = 100 * (usual.covered - drive.coverage.covered) / usual.faces
        if drive.lost_pp > limits.max_lost_pp and not drive.left:
            drive.misses["faces"] = (drive.lost_pp - limits.max_lost_pp) / max(limits.max_lost_pp, 1.0)
            drive.leave(
                "pipeline",
                f"covers {drive.coverage.covered} of {drive.coverage.faces} faces, {drive.lost_pp:.2f} points fewer "
                f"than the period as it is; {limits.max_lost_pp:g} are allowed",
            )


def _halve(found: Sequence[Drive]) -> None:
    ranked = sorted((each for each in found if not each.left), key=lambda each: each.median_ms)
    stay = max(math.ceil(len(ranked) / 2), FEWEST)
    for each in ranked[stay:]:
        bar = ranked[stay - 1].median_ms
        if each.median_ms > bar * CLOSE:
            each.leave(
                "pipeline",
                f"takes {each.median_ms:.2f} ms of CPU per frame in the first round; the better half takes {bar:.2f}",
            )
