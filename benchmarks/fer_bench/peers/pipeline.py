"""Peers as contenders on a clip: the same frames, the same meter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_bench.peers import answers, command
from fer_bench.peers.adapter import CLIP, Peer
from fer_bench.peers.report import title
from fer_bench.peers.talking import Talk, version
from fer_bench.pipeline.contenders import Contender
from fer_bench.pipeline.loops import Job
from fer_bench.pipeline.plan import Plan
from fer_bench.pipeline.run import is_clip
from fer_bench.processes.children import ChildFailed, Json
from fer_edge.clock import SystemClock
from fer_edge.errors import UsageError
from fer_edge.labels import AFFECTNET8


def contenders(peers: Sequence[Peer], source: str) -> list[Contender]:
    """One for each; a peer whose version cannot be told has that as its reason. UsageError for a camera as source."""
    if peers and not is_clip(source):
        raise UsageError("a camera shows nothing twice: peers are compared on a clip")
    return [_contender(peer) for peer in peers]


def _contender(peer: Peer) -> Contender:
    try:
        name = title(peer, version(peer))
    except ChildFailed as reason:
        return Contender(peer.name, _failing(reason))
    way = command.clip if CLIP in peer.adapter.does else by_snippet
    return Contender(name, lambda plan, job: measured(peer, way(peer, plan, job)))


def by_snippet(peer: Peer, plan: Plan, job: Job) -> Json:
    """The snippet's `faces()` on every frame, decoded by the peer's own OpenCV in its own process."""
    clock = SystemClock()
    first_s = None
    with Talk(peer, plan.timeout_s) as talk:
        answer = talk.ask({"do": "clip", "source": job.source, "max_frames": job.max_frames})
        while "told" in answer:
            first_s = clock.monotonic_s() - talk.begun_s
            answer = talk.hear()
        return {**answer, **talk.loaded, **({} if first_s is None else {"first_face_s": first_s})}


def measured(peer: Peer, answer: Json) -> Json:
    """The answer of a way with its faces counted, their boxes by frame, and every label known."""
    frames: dict[str, list[Any]] = answer.pop("found")
    boxes = {}
    for number, faces in frames.items():
        boxes[int(number)] = answers.checked(faces)
        for face in faces:
            answers.probabilities(face.get("probabilities"), peer.adapter.labels, AFFECTNET8)
    return {**answer, "faces": sum(len(found) for found in boxes.values()), "boxes": boxes}


def _failing(reason: ChildFailed) -> Any:  # noqa: ANN401 - a function as `Contender` has it
    def fail(_plan: Plan, _job: Job) -> Json:
        raise ChildFailed(str(reason))

    return fail
