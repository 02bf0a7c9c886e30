"""What the whole daemon says: where the time of a frame goes, how late events are, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.pipeline.plan import PipelineRow
from fer_bench.verdict.facts import Facts, Sentence
from fer_bench.verdict.words import ms, number

CLASSIFY = "classify"
NOUNS = {"classify": "the classifier", "detect": "detection", "track": "tracking", "smooth": "smoothing"}
MINOR = 0.25
"""A classifier with a smaller share of a frame is not where time is to be won."""
MIN_ROUNDS = 2
"""Rounds from which on the spread of a ratio says something."""


def sentences(facts: Facts) -> list[Sentence]:
    """Nothing of a part that is not to be believed."""
    if facts.spoilt("pipeline"):
        return []
    told = [row for row in staged(facts.pipeline) if _means(row) or not facts.busy("pipeline")]
    found = [sentence for row in told for sentence in share_of_classifier(row)]
    for row in facts.pipeline:
        found += lateness(row) + dropped(row) + cost(row)
    return found


def staged(rows: Sequence[PipelineRow]) -> Sequence[PipelineRow]:
    """The contender whose stages are told of: the last one, which runs at the source's own pace."""
    return [row for row in rows if row.stages_ms][-1:]


def share_of_classifier(row: PipelineRow) -> list[Sentence]:
    """How much of a frame's time is classification, and what else takes it.

    By the mean where the result has it. Percentiles of stages do not add up to those of a frame, for a stage rests in
    many frames; with them it is the share in a frame in which every stage is slow. On a busy machine those are the
    frames in which somebody else worked, so nothing is said.
    """
    stages = row.stages_ms or {}
    key = "mean" if _means(row) else "p95"
    times = {name: values[key] for name, values in stages.items() if values.get(key) is not None}
    total = sum(times.values())
    if len(times) < 2 or CLASSIFY not in times or total <= 0.0:
        return []
    share = times[CLASSIFY] / total
    most = max((name for name in times if name != CLASSIFY), key=lambda name: times[name])
    of = "a frame" if key == "mean" else "a frame in which every stage is slow"
    figures = f"{ms(times[CLASSIFY])} of {ms(total)}, {key} of the stages, {row.name}"
    said = f"the classifier is {100 * share:.0f} % of {of}"
    if share < MINOR:
        advice = f"work on {NOUNS.get(most, most)}, which is {100 * times[most] / total:.0f} %"
        return [Sentence(f"{said}: {advice}", figures, "advice")]
    return [Sentence(f"{said}: a faster artifact pays" if share > 1.0 - MINOR else said, figures)]


def lateness(row: PipelineRow) -> list[Sentence]:
    """From capture to event."""
    if not row.latency_n or row.latency_p50_ms is None:
        return []
    low, high = row.latency_p50_ci95_ms or (0.0, 0.0)
    figures = f"median, 95 % {number(low)} to {number(high)}; p95 {ms(row.latency_p95_ms)}; n = {row.latency_n:,}"
    said = f"{row.name}: an event comes {ms(row.latency_p50_ms)} after its frame was captured"
    return [Sentence(said, f"{figures} frames with a face")]


def dropped(row: PipelineRow) -> list[Sentence]:
    """Whether the board keeps up with its source."""
    if not row.dropped_frames:
        return []
    said = f"{row.name}: up to {row.dropped_frames:,} frames of a round were dropped, so it does not keep up"
    return [Sentence(said, tone="warning")]


def cost(row: PipelineRow) -> list[Sentence]:
    """CPU against the bare loop, over rounds; the bare loop itself has nothing to say."""
    ratios = row.ratio_to_bare_rounds
    if not row.name.startswith("fer-edge") or row.ratio_to_bare is None or len(ratios) < MIN_ROUNDS:
        return []
    figures = f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds, {ms(row.cpu_ms_per_frame)} a frame"
    if min(ratios) <= 1.0 <= max(ratios):
        return [Sentence(f"{row.name} takes as much CPU as the bare loop", figures)]
    said = f"{row.name} takes {row.ratio_to_bare:.2f} of the bare loop's CPU"
    return [Sentence(said, figures, "fact" if max(ratios) < 1.0 else "warning")]


def _means(row: PipelineRow) -> bool:
    return all("mean" in values for values in (row.stages_ms or {}).values())
