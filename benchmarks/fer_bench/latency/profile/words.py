"""What a profile tells a person: where the time goes, and what fell off the fast path and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_bench.results.rows import count
from fer_bench.table import MISSING, figure, render

MAX_KINDS = 8
MAX_NAMES = 4
MAX_NAME_CHARS = 40
"""Names that a converter made run over lines; their ends tell them apart."""
HEAD = ("operator", "kernel", "computes", "times", "us", "%")
US_PER_MS = 1e3

Json = Mapping[str, Any]


def text(name: str, profile: Json) -> str:
    """The profile of one row; name: of the row."""
    if "error" in profile:
        return f"profile of {name}: {profile['error']}"
    operators = profile["operators"]
    total_us = profile["total_us"]
    head = f"profile of {name}: {count(len(operators), 'operator')}"
    if total_us is not None:
        head += f", {total_us / US_PER_MS:.3f} ms in them (median of {profile['runs']} runs)"
    return "\n".join([f"{head}, from {profile['source']}", _table(operators, total_us), *_fallen(profile)])


def _table(operators: Sequence[Json], total_us: float | None) -> str:
    kinds: dict[tuple[str, str, str], list[Json]] = {}
    for each in operators:
        key = (each["kind"], each["kernel"] or MISSING, each["computes"] or MISSING)
        kinds.setdefault(key, []).append(each)
    ranked = sorted(kinds.items(), key=lambda entry: -sum(each["us"] or 0.0 for each in entry[1]))
    timed = total_us is not None
    rows = [(*key, str(len(found)), *_shares(found, total_us)) for key, found in ranked[:MAX_KINDS]]
    if len(ranked) > MAX_KINDS:
        rest = [each for _, found in ranked[MAX_KINDS:] for each in found]
        rows.append(("(others)", MISSING, MISSING, str(len(rest)), *_shares(rest, total_us)))
    columns = len(HEAD) if timed else len(HEAD) - len(_shares([], None))
    return render(HEAD[:columns], [row[:columns] for row in rows])


def _shares(found: Sequence[Json], total_us: float | None) -> tuple[str, str]:
    times = [each["us"] for each in found if each["us"] is not None]
    if not times or not total_us:
        return MISSING, MISSING
    return figure(sum(times), 0), figure(100 * sum(times) / total_us, 1)


def _fallen(profile: Json) -> list[str]:
    if not profile["fell_off"]:
        return ["no operator fell off the fast path"]
    reasons: dict[tuple[str, str], list[Json]] = {}
    for each in profile["fell_off"]:
        reasons.setdefault((each["kind"], each["why"]), []).append(each)
    return [_sentence(kind, why, found, profile["total_us"]) for (kind, why), found in reasons.items()]


def _sentence(kind: str, why: str, found: Sequence[Json], total_us: float | None) -> str:
    names = [_short(each["name"]) for each in found]
    told = ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
    share = _shares(found, total_us)[1]
    cost = "" if share == MISSING else f", {share} % of the time"
    return f"off the fast path: {len(found)} x {kind} {why}{cost}: {told}"


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else "…" + name[1 - MAX_NAME_CHARS :]
