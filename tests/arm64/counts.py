"""What was counted, as figures and as tables: per inference, and per frame with each stage's share."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arm64.marks import CLASSIFIER, DETECTOR, NET, REST
from fer_bench.table import MISSING, figure, percent, render

M = 1e6


@dataclass(frozen=True)
class NetCount:
    """What an inference takes on a board: the median. spread: of all, as a share. failed: why there is no figure."""

    net: str
    runtime: str
    board: str
    instructions: int | None = None
    inferences: int = 0
    spread: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class FrameCount:
    """What a frame takes on a board, on average, and how many of it each stage takes; the net's are the classifier's.

    inferences: of all frames. spread: of the averages of several runs, as a share. failed: why there is no figure.
    """

    net: str
    runtime: str
    board: str
    source: str
    detector: str = ""
    frames: int = 0
    faces: int = 0
    inferences: int = 0
    instructions: int | None = None
    stages: Mapping[str, int] | None = None
    spread: float | None = None
    failed: str = ""


def per_inference(took: Sequence[int]) -> tuple[int, int, float]:
    """The median, how many, and the difference of the largest and the smallest as a share of it."""
    middle = round(statistics.median(took))
    return middle, len(took), (max(took) - min(took)) / middle


def per_frame(stages: Mapping[int, Sequence[int]], frames: int) -> dict[str, int]:
    """Instructions of an average frame, by stage."""
    total = {stage: sum(took) / frames for stage, took in stages.items()}
    return {
        "detector": round(total.get(DETECTOR, 0)),
        "classifier": round(total.get(CLASSIFIER, 0) + total.get(NET, 0)),
        "net": round(total.get(NET, 0)),
        "rest": round(total.get(REST, 0)),
    }


def whole(stages: Mapping[str, int]) -> int:
    """The sum; the net is within the classifier."""
    return sum(took for name, took in stages.items() if name != "net")


def nets_table(counts: Sequence[NetCount], boards: Sequence[str]) -> str:
    """A row per net, a column per board; what failed is told below."""
    rows = []
    for name, runtime in dict.fromkeys((each.net, each.runtime) for each in counts):
        mine = {each.board: each for each in counts if (each.net, each.runtime) == (name, runtime)}
        spreads = [each.spread for each in mine.values() if each.spread is not None]
        figures = [millions(mine[board].instructions) for board in boards]
        rows.append([name, runtime, *figures, percent(max(spreads, default=None), 3)])
    head = ["M instructions per inference", "runtime", *boards, "spread %"]
    return "\n".join([render(head, rows), *_failures(counts)])


def frames_table(counts: Sequence[FrameCount]) -> str:
    """A row per net and board; shares of the whole in percent, of which the net's is part of the classifier's."""
    rows = [_frame_row(each) for each in counts]
    head = ["M instructions per frame", "runtime", "board", "all", "detector %", "classifier %", "its net %", "rest %"]
    seen = [
        f"{each.board}: {each.net}: {each.frames} frames of {each.source}, {each.faces} faces by {each.detector}, "
        f"{each.inferences} inferences"
        for each in counts
        if not each.failed
    ]
    return "\n".join([render(head, rows), *seen, *_failures(counts)])


def millions(instructions: int | None) -> str:
    """As they are printed."""
    return figure(None if instructions is None else instructions / M, 3)


def _frame_row(each: FrameCount) -> list[str]:
    row = [each.net, each.runtime, each.board]
    if each.instructions is None or each.stages is None:
        return [*row, *[MISSING] * 5]
    shares = [each.stages[name] / each.instructions for name in ("detector", "classifier", "net", "rest")]
    return [*row, millions(each.instructions), *[percent(share, 1) for share in shares]]


def _failures(counts: Sequence[NetCount] | Sequence[FrameCount]) -> list[str]:
    return [f"{each.board}: {each.net} in {each.runtime}: {each.failed}" for each in counts if each.failed]
