"""How right peers are on the pictures that our artifacts were judged on, and how often they agree with our float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer_bench.accuracy import scoring
from fer_bench.accuracy.run import Plan, read
from fer_bench.peers import answers
from fer_bench.peers.adapter import Peer
from fer_bench.peers.report import title, widened, with_peers
from fer_bench.peers.talking import Talk, version
from fer_bench.processes.children import ChildFailed
from fer_bench.results.report import Report
from fer_bench.results.rows import AccuracyRow, Scores
from fer_bench.table import MISSING, figure, percent, render, span
from fer_edge.errors import InputError
from fer_edge.preprocess import central_square, cut
from fer_edge.types import Image
from fer_train import data
from fer_train.data import layouts
from fer_train.data.entries import Unusable
from fer_train.data.loading import sort
from fer_train.data.pictures import decode

TIMEOUT_S = 600.0
"""For each answer: the first comes after large libraries were loaded."""
REFERENCE = "float32"
TOLD_EVERY = 1000
"""Pictures between two words of progress."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Named:
    """Which peer, and on how many pictures."""

    name: str
    version: str | None = None
    n: int = 0


@dataclass(frozen=True, kw_only=True)
class PeerAccuracyRow(Scores, Named):
    """How right a peer is. reference: our artifact that agreement, drop and p are against, on the same pictures."""

    error: str | None = None


def add(report: Report, plan: Plan, peers: Sequence[Peer], say: Say) -> Report:
    """The report with `peers` in it; Ctrl-C keeps those that have seen all pictures.

    Raises InputError when the pictures are not the ones any more that our artifacts were judged on.
    """
    if not peers or not report.complete:
        return report
    dataset = read(plan, report.bundle, [])
    if dataset.digest() != report.extra["data"]["sha256"]:
        raise InputError(f"data {plan.data} was changed while it was in use: peers would not see the same pictures")
    reference = _reference(report)
    rows: list[PeerAccuracyRow] = []
    notes: list[str] = []
    complete = True
    try:
        for peer in peers:
            rows.append(_judged(peer, plan, dataset, reference, say))
            notes += answers.remarks(peer.name, peer.adapter.labels, dataset.labels)
    except KeyboardInterrupt:
        complete = False
    given = "peers: each was given the pictures themselves, in colour, cut to their central square as ours are"
    return widened(report, peers, rows, [given, *notes], complete=complete)


def pictures(plan: Plan, dataset: data.Dataset) -> Iterator[Image]:
    """Every picture as it lies on disk, in the data set's order: its central square, uint8 (S, S, 3) blue-green-red."""
    listed = sort(layouts.find(plan.data), plan.split, dataset.labels)
    sources = dict(zip(listed.names, listed.sources, strict=True))
    for name in dataset.names:
        try:
            picture = decode(sources[name])
        except Unusable as reason:
            raise InputError(f"picture {name} could be read a moment ago and now not: {reason}") from None
        colour = picture if picture.ndim == 3 else np.repeat(picture[..., np.newaxis], 3, axis=2)
        yield np.ascontiguousarray(cut(colour, central_square(colour)))


HEAD = ("on the same pictures", "n", "top-1 %", "95 % interval", "macro recall %", "ECE")
HEAD_OURS = ("below ours, points", "95 % interval", "McNemar p", "agreement %")


def text(rows: Sequence[PeerAccuracyRow]) -> str:
    """The table, the recall of each class, and why something failed."""
    measured = [row for row in rows if row.n]
    parts = [render((*HEAD, *HEAD_OURS), [_cells(row) for row in measured]), _recalls(measured)] if measured else []
    parts += [f"against {row.reference}" for row in measured[:1] if row.reference]
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n\n".join(parts)


def beside(ours: Callable[[Report], str]) -> Callable[[Report], str]:
    """A report's text with the peers' after it."""
    return with_peers(ours, PeerAccuracyRow, text)


def _reference(report: Report) -> AccuracyRow | None:
    rows = [row for row in report.rows if isinstance(row, AccuracyRow)]
    return next((row for row in rows if row.precision == REFERENCE and row.predictions), None)


def _judged(peer: Peer, plan: Plan, dataset: data.Dataset, reference: AccuracyRow | None, say: Say) -> PeerAccuracyRow:
    row = PeerAccuracyRow(name=peer.name)
    try:
        found = version(peer)
        row = replace(row, name=title(peer, found), version=found)
        said = _asked(peer, plan, dataset, say)
    except ChildFailed as reason:
        say(f"{row.name}: {reason}")
        return replace(row, error=str(reason))
    row = scoring.alone(replace(row, n=len(dataset)), said, dataset)
    if reference is not None:
        row = scoring.beside(row, reference.name, np.asarray(reference.predictions), dataset)
    say(f"{row.name}: {int((said.argmax(axis=1) == dataset.targets).sum())} of {len(dataset)} right")
    return row


def _asked(peer: Peer, plan: Plan, dataset: data.Dataset, say: Say) -> answers.Probabilities:
    """One process sees every picture once; (N, labels)."""
    said = np.empty((len(dataset), len(dataset.labels)))
    with Talk(peer, TIMEOUT_S) as talk:
        for i, picture in enumerate(pictures(plan, dataset)):
            try:
                answer = talk.ask({"do": "classify"}, picture)["answer"]
                said[i] = answers.probabilities(answer, peer.adapter.labels, dataset.labels)
            except ChildFailed as reason:
                raise ChildFailed(f"at picture {dataset.names[i]}: {reason}") from None
            if (i + 1) % TOLD_EVERY == 0:
                say(f"{peer.name}: {i + 1} of {len(dataset)} pictures")
    return said


def _cells(row: PeerAccuracyRow) -> tuple[str, ...]:
    return (
        row.name,
        str(row.n),
        percent(row.top1),
        span(row.top1_ci95, 1, 100.0),
        percent(row.macro_recall),
        figure(row.ece, 4),
        MISSING if row.drop_pp is None else f"{row.drop_pp:+.2f}",
        span(row.drop_pp_ci95),
        figure(row.mcnemar_p, 4),
        percent(row.agreement),
    )


def _recalls(rows: Sequence[PeerAccuracyRow]) -> str:
    lines = [[label, str(n), *[percent(row.recall[label], 1) for row in rows]] for label, n in rows[0].support.items()]
    return render(["recall %", "n", *[row.name for row in rows]], lines)
