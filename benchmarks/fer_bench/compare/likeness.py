"""Whether two results may be compared at all, and what to tell of what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_bench.compare.measures import MEASURES
from fer_bench.results.provenance import Difference, differences, held_back
from fer_bench.results.reading import Result
from fer_edge.errors import UsageError


def require(base: Result, new: Result, *, across_machines: bool) -> list[Difference]:
    """What differs, for telling; raises UsageError when a comparison would mean nothing.

    across_machines: let times of another board, processor or governor be compared, which is then a comparison of
    machines.
    """
    if base.kind != new.kind:
        raise UsageError(f"{base.name} is of kind {base.kind} and {new.name} of {new.kind}: compare like with like")
    if base.kind not in MEASURES:
        raise UsageError(f"{base.kind} results are not compared, only those of {', '.join(MEASURES)}: {base.name}")
    found = differences(base, new)
    if base.kind == "accuracy":
        _same_pictures(base, new)
        return found
    for result in (base, new):
        reason = held_back(result)
        if reason is not None:
            raise UsageError(f"{result.name} was measured on a board that was held back ({reason}): measure it again")
    if base.kind == "pipeline":
        _same_clip(base, new)
    blocking = [each for each in found if each.blocks]
    if blocking and not across_machines:
        raise UsageError(
            f"{base.name} and {new.name} were measured on unlike machines ({_listed(blocking)}): "
            "their times cannot be compared; --across-machines does it all the same"
        )
    return found


def _same_pictures(base: Result, new: Result) -> None:
    a, b = base.extra.get("data"), new.extra.get("data")
    for result, data in ((base, a), (new, b)):
        if not isinstance(data, dict) or not isinstance(data.get("sha256"), str):
            raise UsageError(f"{result.name} does not say which pictures it stands on: measure it again")
        if not isinstance(data.get("targets"), list):
            raise UsageError(f"{result.name} does not keep the outcome of each picture: measure it again")
    assert isinstance(a, dict)  # noqa: S101 - for mypy, checked above
    assert isinstance(b, dict)  # noqa: S101 - for mypy, checked above
    if base.bundle.labels is not None and new.bundle.labels is not None and base.bundle.labels != new.bundle.labels:
        raise UsageError(
            f"{base.name} and {new.name} are of bundles with other labels: the same answer is another number"
        )
    if a["sha256"] == b["sha256"] and a["targets"] == b["targets"]:
        return
    if a.get("originals_sha256") is not None and a.get("originals_sha256") == b.get("originals_sha256"):
        raise UsageError(f"{base.name} and {new.name} cut the same pictures in another way (preprocessing differs)")
    raise UsageError(
        f"{base.name} and {new.name} stand on other pictures, or on the same in other preprocessing "
        f"({a.get('n')} of {a.get('source')} against {b.get('n')} of {b.get('source')}): measure both on the same"
    )


def _same_clip(base: Result, new: Result) -> None:
    clips = [Path(str(result.options.get("source"))).name for result in (base, new)]
    if clips[0] != clips[1]:
        raise UsageError(
            f"{base.name} is of the clip {clips[0]} and {new.name} of {clips[1]}: measure both on the same"
        )


def _listed(found: Sequence[Difference]) -> str:
    return "; ".join(str(each) for each in found)


def interleaved(base: Result, new: Result) -> bool:
    """Whether round k of one was measured beside round k of the other: their files take turns, by twos."""
    a, b = base.sources, new.sources
    if len(a) != len(b) or len(a) < 2:
        return False
    ends = sorted([(source.time, 0) for source in a] + [(source.time, 1) for source in b])
    sides = [side for _, side in ends]
    return all({first, second} == {0, 1} for first, second in zip(sides[::2], sides[1::2], strict=True))
