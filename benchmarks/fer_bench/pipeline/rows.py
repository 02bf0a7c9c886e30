"""From what the rounds answered to rows and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from fer_bench import stats
from fer_bench.pipeline.contenders import BARE, DAEMON, HAND
from fer_bench.pipeline.coverage import MIN_IOU, Coverage, cover
from fer_bench.pipeline.loops import REFERENCE_WIDTH_PX, SCORE
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.processes.children import Json
from fer_edge.types import Box

SHOWN = (*PipelineRow.__dataclass_fields__, "boxes", "seconds", "labels")
"""What has a place of its own in the result; the rest of an answer is kept as it is."""


@dataclass
class Measured:
    """What the rounds gave: per contender one answer per round; why one failed; the faces of the slow reference."""

    answers: dict[str, list[Json]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    reference: list[list[Box]] | None = None

    def of(self, name: str) -> list[Json]:
        """The answers of one contender, none before its first round."""
        return self.answers.get(name, [])


def row_of(name: str, measured: Measured) -> PipelineRow:
    """All rounds of one contender."""
    answers, error = measured.of(name), measured.errors.get(name)
    row = PipelineRow(name=name, n=len(answers), error=error)
    if not answers:
        return row
    cpu, fps = column(answers, "cpu_ms_per_frame"), column(answers, "fps")
    # A frame that was waited for costs other than one that came at once, so what sets its own pace has no ratio.
    bare = () if "ages_ns" in answers[0] else column(measured.of(BARE), "cpu_ms_per_frame")
    ratios = tuple(a / b for a, b in zip(cpu, bare, strict=False))
    firsts, energies = column(answers, "first_face_s"), column(answers, "mj_per_frame")
    row = replace(
        row,
        frames=answers[0].get("frames"),
        faces=answers[0].get("faces"),
        cpu_ms_per_frame=median(cpu),
        ratio_to_bare=median(ratios),
        fps=median(fps),
        peak_rss_bytes=_largest(answers, "peak_rss_bytes"),
        growth_bytes=_largest(answers, "growth_bytes"),
        dropped_frames=_largest(answers, "dropped_frames"),
        first_face_s=median(firsts),
        mj_per_frame=median(energies),
        watts=median(column(answers, "watts")),
        stages_ms=_stages(answers),
        cpu_ms_per_frame_rounds=cpu,
        ratio_to_bare_rounds=ratios,
        fps_rounds=fps,
        cpu_s_rounds=column(answers, "cpu_s"),
        first_face_s_rounds=firsts,
        mj_per_frame_rounds=energies,
    )
    return _covering(_ageing(row, answers), answers, measured.reference)


def figures(measured: Measured) -> dict[str, Any]:
    """What is neither of one contender nor of the machine: the daemon's coverage, its throughput against by hand."""
    daemon, hand = measured.of(DAEMON), measured.of(HAND)
    throughput = [a["fps"] / b["fps"] for a, b in zip(daemon, hand, strict=False)]
    rounds = coverages(daemon, measured.reference)
    found: dict[str, Any] = {
        "throughput_of_hand": median(throughput),
        "throughput_of_hand_rounds": throughput,
        "daemon_rounds": [{key: value for key, value in answer.items() if key != "boxes"} for answer in daemon],
        "reference": {"width_px": REFERENCE_WIDTH_PX, "score": SCORE, "iou": MIN_IOU},
        "coverage": asdict(_fewest(rounds)) if rounds else None,
        "labels": hand[0].get("labels") if hand else None,
        "more": {name: [_more(answer) for answer in answers] for name, answers in measured.answers.items()},
    }
    return found | ({"coverage_rounds": [each.share for each in rounds]} if rounds else {})


def coverages(answers: Sequence[Json], reference: Sequence[Sequence[Box]] | None) -> list[Coverage]:
    """Of each round that says where its faces are."""
    if reference is None:
        return []
    return [cover(reference, _boxes(answer["boxes"])) for answer in answers if answer.get("boxes") is not None]


def column(answers: Sequence[Json], key: str) -> tuple[float, ...]:
    """One value per round; of rounds that have it."""
    return tuple(float(answer[key]) for answer in answers if answer.get(key) is not None)


def median(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return float(np.median(values)) if values else None


def _ageing(row: PipelineRow, answers: Sequence[Json]) -> PipelineRow:
    rounds = [answer["ages_ns"] for answer in answers if answer.get("ages_ns")]
    if not rounds:
        return row
    found = stats.summarize([np.asarray(ages, dtype=np.int64) for ages in rounds])
    return replace(
        row,
        latency_n=found.n,
        latency_p50_ms=found.p50,
        latency_p50_ci95_ms=found.p50_ci95,
        latency_p95_ms=found.p95,
        latency_p99_ms=found.p99,
        ages_ns=tuple(tuple(ages) for ages in rounds),
    )


def _covering(row: PipelineRow, answers: Sequence[Json], reference: Sequence[Sequence[Box]] | None) -> PipelineRow:
    rounds = coverages(answers, reference)
    if not rounds:
        return row
    least = _fewest(rounds)
    return replace(row, reference_faces=least.faces, covered=least.covered, unmatched=least.unmatched)


def _fewest(rounds: Sequence[Coverage]) -> Coverage:
    return min(rounds, key=lambda each: each.covered)


def _stages(answers: Sequence[Json]) -> dict[str, dict[str, float]] | None:
    """Per stage the median over the rounds of each percentile."""
    rounds: list[dict[str, dict[str, float]]] = [answer["stages_ms"] for answer in answers if answer.get("stages_ms")]
    if not rounds:
        return None
    return {
        name: {q: float(np.median([each[name][q] for each in rounds if name in each])) for q in rounds[0][name]}
        for name in rounds[0]
    }


def _largest(answers: Sequence[Json], key: str) -> int | None:
    return max((int(answer[key]) for answer in answers if answer.get(key) is not None), default=None)


def _boxes(frames: Mapping[Any, Sequence[Sequence[float]]]) -> dict[int, list[Box]]:
    """JSON knows no numbers as keys."""
    return {int(frame): [Box(*box) for box in boxes] for frame, boxes in frames.items()}


def _more(answer: Json) -> Json:
    return {key: value for key, value in answer.items() if key not in SHOWN}
