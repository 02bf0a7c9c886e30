"""How long one face takes from crop to probabilities: our artifacts and the peers, in turn, by the same code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from fer_bench import stats
from fer_bench.latency.run import Plan
from fer_bench.machine import stability
from fer_bench.peers import answers
from fer_bench.peers.adapter import CROP, Adapter, Peer
from fer_bench.peers.report import title, widened, with_peers
from fer_bench.peers.talking import Talk, version
from fer_bench.processes.children import ChildFailed, Json
from fer_bench.results.report import Report
from fer_bench.table import MISSING, figure, render, span
from fer_bench.variants import Variant, is_lone, pairs
from fer_edge.bundle import Bundle
from fer_edge.labels import AFFECTNET8
from fer_edge.types import Image

CROP_PX = 112
"""Side of the face that everybody is given: what a camera of 640 px sees of a person at a table."""
SAME_CROP = (
    f"peers: everybody was given the same {CROP_PX} x {CROP_PX} colour crop of a face; these times hold each one's own "
    "preparation of it, which the times of the artifacts above do not"
)
COARSE_PX, SEED = 14, 1
BUSY_CORES = 0.7
"""CPU time by wall time, below which somebody waited more than the reading of the clock explains."""
OWN = Path(__file__).with_name("own.py")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class PeerLatencyRow:
    """Times of one face, milliseconds unless the name says otherwise, from an 8-bit colour crop to probabilities.

    ours: one of our artifacts. cpu_ms: CPU time of a steady call, all threads, on average. cores: CPU time by wall time
    of the steady calls, so how many were at work. load_ms: the snippet's imports and its `load()`. ratio_to_ours: of
    the p50, to the fastest of ours; significant: their intervals do not overlap. Lists have one value, or one list, per
    round.
    """

    name: str
    ours: bool = False
    version: str | None = None
    n: int = 0
    p50_ms: float | None = None
    p50_ci95_ms: tuple[float, float] | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    cpu_ms: float | None = None
    cores: float | None = None
    ratio_to_ours: float | None = None
    significant: bool | None = None
    verdict: str | None = None
    peak_rss_bytes: int | None = None
    load_ms: tuple[float, ...] = ()
    first_ms: tuple[float, ...] = ()
    warmup_ns: tuple[tuple[int, ...], ...] = ()
    samples_ns: tuple[tuple[int, ...], ...] = ()
    error: str | None = None


@dataclass
class Trial:
    """One in the table, and what its processes answered so far; `error` ends it."""

    peer: Peer
    ours: bool = False
    version: str | None = None
    answers: list[Json] = field(default_factory=list)
    error: str | None = None


def add(report: Report, plan: Plan, peers: Sequence[Peer], say: Say) -> Report:
    """The report with `peers` in it; Ctrl-C keeps what was measured. An interrupted report stays as it is."""
    if not peers or not report.complete:
        return report
    crop = face()
    trials = [*_ours(plan, report.bundle), *[Trial(peer) for peer in peers]]
    complete = True
    try:
        _identify([trial for trial in trials if not trial.ours])
        for number in range(1, plan.rounds + 1):
            for trial in [each for each in trials if each.error is None]:
                said = _once(plan, trial, crop)
                say(f"round {number} of {plan.rounds}: {trial.peer.name}, from a crop: {said}")
    except KeyboardInterrupt:
        complete = False
    rows = judged([row_of(trial) for trial in trials if trial.answers or trial.error])
    notes = [SAME_CROP]
    for row in rows:
        notes += [*stability.of_rounds(f"{row.name}, from a crop,", row.samples_ns), *_waiting(row)]
    return widened(report, peers, rows, notes, complete=complete)


def face() -> Image:
    """What stands for a face, since time does not depend on it: uint8 (CROP_PX, CROP_PX, 3), smooth noise."""
    coarse = np.random.default_rng(SEED).integers(0, 256, (COARSE_PX, COARSE_PX, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (CROP_PX, CROP_PX), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def row_of(trial: Trial) -> PeerLatencyRow:
    """All rounds of one; the raw samples stay in it."""
    found = trial.answers
    row = PeerLatencyRow(
        name=title(trial.peer, trial.version), ours=trial.ours, version=trial.version, error=trial.error
    )
    if not found:
        return row
    times = stats.summarize([np.asarray(answer["samples_ns"]) for answer in found])
    peaks = [answer["peak_rss_bytes"] for answer in found if answer["peak_rss_bytes"] is not None]
    return replace(
        row,
        n=times.n,
        p50_ms=times.p50,
        p50_ci95_ms=times.p50_ci95,
        p90_ms=times.p90,
        p95_ms=times.p95,
        p99_ms=times.p99,
        cpu_ms=1e3 * sum(answer["cpu_s"] for answer in found) / times.n,
        cores=float(np.median([answer["cpu_s"] / answer["wall_s"] for answer in found])),
        peak_rss_bytes=max(peaks, default=None),
        load_ms=tuple(answer["load_ms"] for answer in found),
        first_ms=tuple(answer["first_ms"] for answer in found),
        warmup_ns=tuple(tuple(answer["warmup_ns"]) for answer in found),
        samples_ns=tuple(tuple(answer["samples_ns"]) for answer in found),
    )


def judged(rows: Sequence[PeerLatencyRow]) -> list[PeerLatencyRow]:
    """The same rows; each peer's with its ratio to the fastest of ours, and the verdict in words."""
    ours = [row for row in rows if row.ours and row.p50_ms is not None]
    fastest = min(ours, key=lambda row: row.p50_ms or 0.0) if ours else None
    return [row if row.ours else _judge(row, fastest) for row in rows]


HEAD = (
    "from a crop",
    "p50 ms",
    "95 % interval",
    "p95",
    "p99",
    "/ ours",
    "CPU ms",
    "cores",
    "load ms",
    "first ms",
    "RSS MB",
    "n",
)


def text(rows: Sequence[PeerLatencyRow]) -> str:
    """The table, the verdicts, and why something failed."""
    measured = [row for row in rows if row.n]
    parts = [render(HEAD, [_cells(row) for row in measured])] if measured else []
    parts += [row.verdict for row in rows if row.verdict]
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n".join(parts)


def beside(ours: Callable[[Report], str]) -> Callable[[Report], str]:
    """A report's text with the peers' after it."""
    return with_peers(ours, PeerLatencyRow, text)


def _ours(plan: Plan, bundle: Bundle) -> list[Trial]:
    """Every artifact that was asked for in the runtime that the device would take, as a peer; single files are none."""
    chosen, _ = pairs(bundle, plan.choice, every_runtime=False)
    proven = [(artifact, runtime) for artifact, runtime in chosen if not is_lone(artifact)]
    return [_as_peer(bundle, Variant(artifact, runtime, plan.threads[0])) for artifact, runtime in proven]


def _as_peer(bundle: Bundle, variant: Variant) -> Trial:
    adapter = Adapter(
        name=variant.artifact.id,
        does=(CROP,),
        python=sys.executable,
        snippet=str(OWN),
        labels={label: label for label in bundle.manifest.labels},
        options={
            "bundle": str(bundle.path.resolve()),
            "format": variant.artifact.format,
            "precision": variant.artifact.precision,
            "runtime": variant.runtime,
            "threads": variant.threads,
        },
    )
    return Trial(Peer(adapter, OWN.parent), ours=True, version=str(variant).partition(" ")[2])


def _identify(trials: Sequence[Trial]) -> None:
    for trial in trials:
        try:
            trial.version = version(trial.peer)
        except ChildFailed as reason:
            trial.error = str(reason)


def _once(plan: Plan, trial: Trial, crop: Image) -> str:
    """One process; its answer goes into the trial, its essence is returned. A wrong answer has no speed."""
    try:
        with Talk(trial.peer, plan.timeout_s) as talk:
            asked = {"do": "time", "min_runs": plan.min_runs, "min_seconds": plan.min_seconds}
            answer = {**talk.loaded, **talk.ask(asked, crop)}
            answers.probabilities(answer["answer"], trial.peer.adapter.labels, AFFECTNET8)
    except ChildFailed as reason:
        trial.error = f"round {len(trial.answers) + 1}: {reason}"
        return trial.error
    trial.answers.append(answer)
    return f"p50 {stats.percentile(np.asarray(answer['samples_ns']), 50) / stats.NS_PER_MS:.3f} ms"


def _waiting(row: PeerLatencyRow) -> list[str]:
    """Somebody who computes and is let compute is at work all the time."""
    if row.cores is None or row.cores >= BUSY_CORES:
        return []
    share = f"{row.name}, from a crop, was at work for {100 * row.cores:.0f} % of the time that was measured"
    return [f"{share}: where nothing else explains that, other work kept the machine from it; CPU ms is what it took"]


def _judge(row: PeerLatencyRow, ours: PeerLatencyRow | None) -> PeerLatencyRow:
    if row.p50_ms is None or row.p50_ci95_ms is None or ours is None or not ours.p50_ms or ours.p50_ci95_ms is None:
        return row
    ratio, significant = row.p50_ms / ours.p50_ms, not stats.overlap(row.p50_ci95_ms, ours.p50_ci95_ms)
    versus = f"{row.name} against {ours.name}, from a crop to probabilities"
    if not significant:
        verdict = f"{versus}: not significant, the intervals of the two p50 overlap (ratio {ratio:.2f})"
    else:
        verdict = f"{versus}: {row.p50_ms:.3f} ms to {ours.p50_ms:.3f} ms, {ratio:.2f} times the time"
    return replace(row, ratio_to_ours=ratio, significant=significant, verdict=verdict)


def _cells(row: PeerLatencyRow) -> tuple[str, ...]:
    ratio = figure(row.ratio_to_ours) + ("" if row.significant is not False else " (not significant)")
    return (
        row.name,
        figure(row.p50_ms, 3),
        span(row.p50_ci95_ms, 3),
        figure(row.p95_ms, 3),
        figure(row.p99_ms, 3),
        MISSING if row.ratio_to_ours is None else ratio,
        figure(row.cpu_ms, 3),
        figure(row.cores, 1),
        figure(float(np.median(row.load_ms)), 0),
        figure(float(np.median(row.first_ms)), 2),
        figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / 1e6, 0),
        str(row.n),
    )
