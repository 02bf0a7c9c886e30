"""What the rooms' reports take from peers: rows beside ours, notes, an exit code, and a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from fer_bench.machine import stability
from fer_bench.machine.environment import conditions
from fer_bench.peers.adapter import Peer
from fer_bench.results.report import Report
from fer_edge.errors import ExitCode

PEERS = "peers"
"""The key of their rows in a result: apart from `rows`, which are artifacts of one bundle and are judged as such."""


def title(peer: Peer, version: str | None) -> str:
    """As rows are called."""
    return f"{peer.name} {version}" if version else peer.name


def widened(
    report: Report, peers: Sequence[Peer], rows: Sequence[Any], notes: Sequence[str], *, complete: bool
) -> Report:
    """The report with the peers' rows in it; what the machine did meanwhile counts."""
    after = conditions()
    held = stability.of_machine(report.environment, report.before, after, 1)
    fresh = [note for note in held if note.startswith("INVALID") and note not in report.notes]
    return replace(
        recorded(report, peers),
        after=after,
        notes=[*report.notes, *fresh, *notes],
        complete=complete,
        extra={**report.extra, PEERS: [asdict(row) for row in rows]},
    )


def recorded(report: Report, peers: Sequence[Peer]) -> Report:
    """The report with the adapters in what was asked."""
    return replace(report, options={**report.options, PEERS: [told(peer) for peer in peers]}) if peers else report


def told(peer: Peer) -> dict[str, Any]:
    """An adapter for the result, but for the values of its environment, in which secrets may lie."""
    found = peer.adapter.model_dump(mode="json")
    return {**found, "env": sorted(peer.adapter.env)}


def exit_code(report: Report, usual: ExitCode) -> ExitCode:
    """1 where a peer failed and nothing worse happened."""
    failed = any(row["error"] for row in report.extra.get(PEERS, ()))
    return ExitCode.GATE_NOT_MET if failed and usual == ExitCode.OK else usual


def with_peers(
    ours: Callable[[Report], str], kind: Callable[..., Any], theirs: Callable[[Sequence[Any]], str]
) -> Callable[[Report], str]:
    """A text of a report whose peers' rows, of this kind, come after ours."""

    def text(report: Report) -> str:
        rows = [kind(**row) for row in report.extra.get(PEERS, ())]
        return "\n\n".join(part for part in (ours(report), theirs(rows) if rows else "") if part)

    return text
