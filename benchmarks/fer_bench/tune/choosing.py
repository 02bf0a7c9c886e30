"""Who wins: the least CPU per frame; who ties with that is told apart by what costs less to have.

Two tie unless every round of one is cheaper than every round of the other. With four rounds each, chance separates
two equals so in 1 of 35 pairs, which is the usual 5 % and better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_bench.tune.candidates import Candidate
from fer_bench.tune.frames import Drive
from fer_bench.tune.plan import Limits
from fer_bench.tune.timing import told

NEAREST = 3
"""So many are told of when nothing fits."""


@dataclass(frozen=True)
class Chosen:
    """The winner and why; tied: who is as cheap for all that the rounds can tell."""

    drive: Drive
    tied: tuple[Drive, ...]
    why: str


def choose(found: Sequence[Drive], limits: Limits) -> Chosen | None:
    """The best of those still in, and the reason of everybody else; None when nobody is in."""
    fit = [each for each in found if not each.left and each.answers]
    if not fit:
        return None
    least = min(fit, key=lambda each: each.median_ms)
    tied = [each for each in fit if ties(each, least)]
    winner = min(tied, key=_cheap_to_have)
    for each in fit:
        if each is not winner:
            each.leave("choice", _second(each, winner, tie=each in tied))
    others = tuple(each for each in tied if each is not winner)
    why = _why(winner, others, len(found), limits)
    winner.why = why
    return Chosen(winner, others, why)


def ties(a: Drive, b: Drive) -> bool:
    """Whether the ranges of their rounds share a point."""
    return min(a.cpu_ms) <= max(b.cpu_ms) and min(b.cpu_ms) <= max(a.cpu_ms)


def _cheap_to_have(drive: Drive) -> tuple[int, int, bool, float, float]:
    """Fewer threads, then the smaller file, then the period as it is, then the shorter one."""
    variant = drive.candidate.variant
    return variant.threads, variant.artifact.size_bytes, not drive.as_is, drive.period_s, drive.median_ms


def _second(drive: Drive, winner: Drive, *, tie: bool) -> str:
    """Why this one, which keeps all bounds, did not win."""
    figures = f"takes {_cpu(drive)}"
    if not tie:
        return f"{figures}, the winner {_cpu(winner)}"
    mine, best = drive.candidate.variant, winner.candidate.variant
    if mine.threads != best.threads:
        return f"{figures}, which ties with the winner, on more threads"
    if mine.artifact.size_bytes != best.artifact.size_bytes:
        return f"{figures}, which ties with the winner, in a larger file"
    if drive.period_s != winner.period_s:
        kept = "changes a period for nothing" if winner.as_is else "finds faces later"
        return f"{figures}, which ties with the winner, and {kept}"
    return f"{figures}, which ties with the winner, whose median is lower"


def _why(winner: Drive, tied: Sequence[Drive], tried: int, limits: Limits) -> str:
    row = told(winner.candidate)
    parts = [f"{winner} takes {_cpu(winner)}"]
    if tied:
        parts.append(
            f"which {'another' if len(tied) == 1 else f'{len(tied)} others'} of {tried} cannot be told apart from; it "
            "has the fewest threads, then the smallest file, then the period as it is"
        )
    else:
        parts.append(f"the least of {tried} in the daemon")
    parts.append(f"p95 of one inference {row.p95_ms or 0.0:.2f} ms (n {row.n})")
    parts.append(str(winner.candidate.drop))
    parts.append(f"{winner.peak_rss_bytes / 1e6:.0f} MB at most")
    if winner.coverage is not None and winner.coverage.faces:
        parts.append(f"covers {winner.coverage.covered} of {winner.coverage.faces} faces")
    return "; ".join(parts) + f". Bounds: {limits}"


def _cpu(drive: Drive) -> str:
    low, high = min(drive.cpu_ms), max(drive.cpu_ms)
    return f"{drive.median_ms:.2f} ms of CPU per frame ({low:.2f}..{high:.2f}, n {len(drive.answers)})"


def nearest(candidates: Sequence[Candidate], found: Sequence[Drive]) -> list[str]:
    """Who came closest, least beyond a bound first, as sentences; who failed outright is not near."""
    beyond = [(max(each.misses.values()), str(each), each.why) for each in found if each.misses]
    beyond += [(max(each.misses.values()), str(each.variant), each.why) for each in candidates if each.misses]
    return [f"{name} {why}, {100 * miss:.0f} % beyond" for miss, name, why in sorted(beyond)[:NEAREST]]
